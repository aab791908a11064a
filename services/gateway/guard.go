package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/assenso/assenso/services/access"
)

// meters are the gateway's metrics. Labels are route patterns, codes and
// results: never anything that a client sent.
type meters struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	items    *prometheus.CounterVec
}

func newMeters(reg *prometheus.Registry) (*meters, error) {
	m := &meters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assenso_http_requests_total", Help: "Requests by route and status."}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "assenso_http_request_seconds", Help: "Duration of requests by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}}, []string{"route"}),
		items: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assenso_http_events_total", Help: "Submitted events by result."}, []string{"result"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.items} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// count adds answered items to the metrics.
func (g *Gateway) count(items []*Item) {
	n := map[Result]int{}
	for _, it := range items {
		n[it.Result]++
	}
	for result, k := range n {
		g.meters.items.WithLabelValues(string(result)).Add(float64(k))
	}
}

type requestIDKey struct{}

// requestID returns the id under which the log knows the request.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// statusWriter remembers the status. Unwrap keeps http.ResponseController
// working.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap returns the writer underneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// guard wraps the routes: a request id, security headers, recovery, metrics
// and one log line that names the route's pattern, never its URL.
func (g *Gateway) guard(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := rand.Text()
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		h := w.Header()
		h.Set("X-Request-Id", id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		sw := &statusWriter{ResponseWriter: w}
		r, admitted := g.admitted(sw, r)
		if !admitted {
			g.observe(sw, r, id, time.Since(start))
			return
		}
		defer func() {
			if cause := recover(); cause != nil {
				g.recovered(sw, r, cause)
			}
			g.observe(sw, r, id, time.Since(start))
		}()
		mux.ServeHTTP(sw, r)
	})
}

// admitted asks the access policy, and notes in the request who asks; /healthz
// is open to supervisors.
func (g *Gateway) admitted(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	if r.URL.Path == "/healthz" {
		return r, true
	}
	actor, err := g.cfg.Access.Authenticate(access.Request{Remote: r.RemoteAddr, Host: r.Host, Authorization: r.Header.Get("Authorization")})
	if err == nil {
		return r.WithContext(context.WithValue(r.Context(), actorKey{}, actor)), true
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	problemOf(err).write(w)
	return r, false
}

// recovered answers a panic. Its value may quote data, so only its type and
// the stack are logged.
func (g *Gateway) recovered(w *statusWriter, r *http.Request, cause any) {
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler) // net/http's own way to break a connection off
	}
	g.log.Error("gateway: panic", zap.String("request_id", requestID(r.Context())), zap.String("kind", fmt.Sprintf("%T", cause)), zap.ByteString("stack", debug.Stack()))
	if w.status == 0 {
		problemOf(fmt.Errorf("gateway panic: %T", cause)).write(w)
	}
}

func (g *Gateway) observe(w *statusWriter, r *http.Request, id string, took time.Duration) {
	route := r.Pattern
	if route == "" || route == "/" {
		route = "none"
	}
	code := strconv.Itoa(w.status)
	g.meters.requests.WithLabelValues(route, code).Inc()
	g.meters.seconds.WithLabelValues(route).Observe(took.Seconds())
	level := zap.DebugLevel
	if w.status >= http.StatusInternalServerError && r.URL.Path != "/readyz" {
		level = zap.WarnLevel
	}
	g.log.Log(level, "http request", zap.String("request_id", id), zap.String("route", route), zap.Int("status", w.status), zap.Duration("took", took))
}

func requestField(ctx context.Context) zap.Field { return zap.String("request_id", requestID(ctx)) }

// errorField logs an error without what could be a number in its text.
func errorField(err error) zap.Field {
	if err == nil {
		return zap.Skip()
	}
	return zap.String("error", redact(err.Error()))
}
