package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/access"
	"github.com/assenso/assenso/services/intake"
)

// Config says what the gateway speaks to. The ports and Log are required.
type Config struct {
	Version string
	Access  access.Policy

	Intake    intake.Port
	Rejects   Rejects
	Normalise events.Normaliser                          // numbers into E.164
	Key       func(phone events.Phone) events.ContactKey // under the ledger's pepper
	Desk      Desk
	Gate      Gate
	Lists     Lists
	Reports   Reports
	Objects   Objects
	Enquiries Enquiries
	Numbers   Numbers
	RejectLog RejectLog
	ParkedLog ParkedLog
	Readiness Readiness
	Feed      Feed // nil: every question about it is answered with 503

	// Clock is the ledger's clock; nil = the wall clock.
	Clock func() events.Instant
	Log   *zap.Logger
	// Metrics collects what /metrics shows; nil = a registry of its own.
	Metrics *prometheus.Registry

	ReceiptWait  time.Duration // for the second acknowledgement; 0 = 5 s
	MaxBody      int64         // bytes of a body that is read as a whole; 0 = 32 MiB
	IdleTimeout  time.Duration // without a byte read or written; 0 = 60 s
	StallTimeout time.Duration // a stream waits for a full intake; 0 = 30 s
	DrainTimeout time.Duration // for running requests at shutdown; 0 = 10 s
}

// missing names the required fields that are not set.
func (c *Config) missing() []string {
	var names []string
	for name, absent := range map[string]bool{
		"Access": c.Access == nil, "Intake": c.Intake == nil, "Rejects": c.Rejects == nil, "Normalise": c.Normalise == nil, "Key": c.Key == nil,
		"Desk": c.Desk == nil, "Gate": c.Gate == nil, "Lists": c.Lists == nil, "Reports": c.Reports == nil, "Objects": c.Objects == nil, "Enquiries": c.Enquiries == nil, "Numbers": c.Numbers == nil, "RejectLog": c.RejectLog == nil, "ParkedLog": c.ParkedLog == nil,
		"Readiness": c.Readiness == nil, "Log": c.Log == nil,
	} {
		if absent {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Gateway is the HTTP door.
type Gateway struct {
	cfg     Config
	log     *zap.Logger
	door    *door
	api     huma.API
	handler http.Handler
	meters  *meters

	feeds    context.Context // ends when streams of the feed and list checks must
	endFeeds context.CancelFunc
}

// New checks the configuration and builds the routes. Nothing runs yet.
func New(cfg Config) (*Gateway, error) {
	if names := cfg.missing(); len(names) > 0 {
		return nil, fmt.Errorf("gateway new: not wired: %s", strings.Join(names, ", "))
	}
	cfg.defaults()
	g := &Gateway{cfg: cfg, log: cfg.Log}
	g.feeds, g.endFeeds = context.WithCancel(context.Background())
	var err error
	if g.meters, err = newMeters(cfg.Metrics); err != nil {
		return nil, fmt.Errorf("gateway new: register metrics: %w", err)
	}
	g.door = &door{port: cfg.Intake, rejects: cfg.Rejects, normalise: cfg.Normalise, clock: cfg.Clock, waves: newWaves(cfg.Log), log: cfg.Log}
	g.routes()
	return g, nil
}

func (c *Config) defaults() {
	if c.Clock == nil {
		c.Clock = func() events.Instant { return events.InstantOf(time.Now()) }
	}
	if c.Feed == nil {
		c.Feed = noFeed{}
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	for _, d := range []struct {
		at   *time.Duration
		want time.Duration
	}{{&c.ReceiptWait, 5 * time.Second}, {&c.IdleTimeout, time.Minute}, {&c.StallTimeout, 30 * time.Second}, {&c.DrainTimeout, 10 * time.Second}} {
		if *d.at == 0 {
			*d.at = d.want
		}
	}
	if c.MaxBody == 0 {
		c.MaxBody = 32 << 20
	}
}

// routes builds the one mux.
func (g *Gateway) routes() {
	useProblems()
	mux := http.NewServeMux()
	g.api = humago.New(mux, openAPIConfig(g.cfg.Version))
	g.submitRoutes()
	g.decisionRoutes()
	g.batchRoutes()
	g.queryRoutes()
	g.reportRoutes()
	g.objectRoutes()
	g.enquiryRoutes()
	g.numberRoutes()
	g.feedRoutes()
	g.operatingRoutes()
	g.healthRoutes(mux)
	mux.HandleFunc("/", notFound)
	g.handler = g.guard(mux)
}

// Handler returns the routes with their guards (request ids, metrics, log,
// recovery). Receipts arrive only while Run or Receive runs.
func (g *Gateway) Handler() http.Handler { return g.handler }

// OpenAPI returns the description that /openapi.json serves.
func (g *Gateway) OpenAPI() *huma.OpenAPI { return g.api.OpenAPI() }

// Receive brings receipts to waiting requests until ctx ends.
func (g *Gateway) Receive(ctx context.Context) error { return g.door.waves.run(ctx, g.cfg.Intake) }

// Run answers requests on the listener until ctx ends, then lets the running
// ones finish for at most Config.DrainTimeout. It closes the listener.
func (g *Gateway) Run(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           g.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       g.cfg.IdleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          zap.NewStdLog(zap.NewNop()),
	}
	receiving, stopReceiving := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReceiving()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return g.Receive(receiving) })
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("gateway serve on %s: %w", l.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		g.endFeeds()
		defer stopReceiving()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.cfg.DrainTimeout)
		defer cancel()
		if err := server.Shutdown(drain); err != nil {
			g.log.Warn("gateway: requests were still running at shutdown; their events are safe in the queue", errorField(err))
			return server.Close()
		}
		return nil
	})
	return group.Wait()
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	problem(http.StatusNotFound, "no-route", "no such route", "see /openapi.json for what there is").write(w)
}
