package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/assenso/assenso/events"
)

// Errors of Feed.
var (
	// ErrFeedAway: no feed answers. A dialer knows nothing new and must stop
	// once its last heartbeat is old; HTTP answers 503.
	ErrFeedAway = errors.New("feed away")
	// ErrFeedSlow: the reader did not take what came. It follows again from
	// the last position.
	ErrFeedSlow = errors.New("reader of the feed too slow")
)

// FeedRequest says what a dialer follows.
type FeedRequest struct {
	Controller string
	Dialer     string  // names the durable cursor
	From       *uint64 // last position applied; 0 = snapshot; nil = the cursor decides
}

// FeedItem is one thing that a dialer hears: exactly one of the two is set.
type FeedItem struct {
	Suppression *events.FeedMessage
	Beat        *events.FeedBeat
	Current     bool   // of a Beat: everything said before the tail began was handed out
	Position    uint64 // applied once the item is; 0 within a snapshot
}

// Feed tells dialers what they must stop calling.
type Feed interface {
	// Follow begins with a snapshot, or after a position that FEED still holds.
	Follow(ctx context.Context, q FeedRequest) (FeedTail, error)
	// Acknowledge stores what a dialer applies; on return it is on disk. Faults
	// of the request are in the answer.
	Acknowledge(ctx context.Context, controller string, ack events.FeedAck) (events.FeedAcked, error)
	// Lag says how far every dialer is behind.
	Lag(ctx context.Context) ([]FeedDialer, error)
}

// FeedTail is one dialer's way through the feed.
type FeedTail interface {
	// Next waits for the next item; an error ends the tail.
	Next(ctx context.Context) (FeedItem, error)
	// Ready reports whether Next need not wait.
	Ready() bool
	Close()
}

// FeedDialer says how far one dialer is behind the feed.
type FeedDialer struct {
	Controller     string         `json:"controller"`
	Dialer         string         `json:"dialer"`
	Processor      string         `json:"processor,omitempty"`
	Position       uint64         `json:"position" doc:"last feed position that it applies"`
	Feed           uint64         `json:"feed" doc:"last position of the feed"`
	Behind         int            `json:"behind" doc:"stops that stand and that it has not acknowledged"`
	DelayMS        int64          `json:"delay_ms" doc:"how long ago the first of them was sent"`
	AcknowledgedAt events.Instant `json:"acknowledged_at,omitempty"`
	Slowest        *FeedSlowest   `json:"slowest,omitempty" doc:"slowest revocation or opposition of the day in Rome"`
}

// FeedSlowest is the restriction that took a dialer longest on one day.
type FeedSlowest struct {
	TookMS   int64           `json:"took_ms" doc:"from its recorded time to the acknowledgement"`
	Event    events.Identity `json:"event"`
	Kind     string          `json:"kind"`
	Position uint64          `json:"position"`
}

// FeedLag is the answer of GET /v1/feed/lag.
type FeedLag struct {
	Dialers []FeedDialer `json:"dialers"`
}

// FeedAckRequest says what a dialer applies.
type FeedAckRequest struct {
	Controller string `json:"controller" minLength:"1" maxLength:"64"`
	Dialer     string `json:"dialer" minLength:"1" maxLength:"128" doc:"names the durable cursor"`
	Processor  string `json:"processor,omitempty" maxLength:"64" doc:"who calls; suppression.acknowledged is recorded for it; default the controller"`
	Position   uint64 `json:"position" doc:"everything up to here is applied"`
}

// noFeed stands in for a feed that is not wired.
type noFeed struct{}

// Follow implements Feed.
func (noFeed) Follow(context.Context, FeedRequest) (FeedTail, error) { return nil, ErrFeedAway }

// Acknowledge implements Feed.
func (noFeed) Acknowledge(context.Context, string, events.FeedAck) (events.FeedAcked, error) {
	return events.FeedAcked{}, ErrFeedAway
}

// Lag implements Feed.
func (noFeed) Lag(context.Context) ([]FeedDialer, error) { return nil, ErrFeedAway }

// feedRoutes registers what dialers follow and acknowledge.
func (g *Gateway) feedRoutes() {
	tags := []string{"feed"}
	text := func(name, in, doc string, required bool) *huma.Param {
		return &huma.Param{Name: name, In: in, Required: required, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	schemaOf[events.FeedMessage](g)
	schemaOf[events.FeedBeat](g)
	g.raw(&huma.Operation{
		OperationID: "followFeed", Method: http.MethodGet, Path: "/v1/feed", Tags: tags, Summary: "Follow what must not be called, as server-sent events",
		Description: "First everything that stands (without ids), or, after Last-Event-ID, from, or the dialer's acknowledged position, what came since, if the feed still holds it. " +
			"Events: suppression (FeedMessage; a later one of the same kind, controller and contact, or list, replaces the earlier; effect stop or resume), current and heartbeat (FeedBeat), the latter every second. " +
			"The id of an event is the feed position that is applied with it. A dialer must stop calling when the heartbeat's `at` is more than 5 s old. " +
			"A reader that does not keep up is disconnected after a comment and resumes by its last id.",
		Parameters: []*huma.Param{
			text("controller", "query", "for whom the dialer calls", true), text("dialer", "query", "names the durable cursor", true),
			text("from", "query", "last feed position applied; 0 asks for everything that stands", false),
			text("Last-Event-ID", "header", "as from; sent by readers of server-sent events that reconnect", false),
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "the events, until the connection ends", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{
				Type: huma.TypeString, Description: "data of suppression: #/components/schemas/FeedMessage; of current and heartbeat: #/components/schemas/FeedBeat"}}}},
			"400": g.problemResponse("controller, dialer or position missing or unreadable"),
			"503": g.problemResponse("no feed answers: stop calling once the last heartbeat is old, and ask again"),
		},
	}, g.followFeed)
	register(g, huma.Operation{OperationID: "acknowledgeFeed", Method: http.MethodPost, Path: "/v1/feed/acks", Tags: tags, Summary: "Say up to which feed position a dialer applies everything",
		Description: "The position is on disk when the answer comes. For every opposition up to there suppression.acknowledged is recorded, once."},
		func(ctx context.Context, in *struct{ Body FeedAckRequest }) (events.FeedAcked, error) {
			b := &in.Body
			out, err := g.cfg.Feed.Acknowledge(ctx, b.Controller, events.FeedAck{Dialer: b.Dialer, Processor: b.Processor, Position: b.Position})
			if err == nil && len(out.Errors) > 0 {
				p := problem(http.StatusUnprocessableEntity, "acknowledgement-refused", "the acknowledgement cannot be taken", "")
				p.Errors = out.Errors
				return out, p
			}
			return out, err
		})
	register(g, huma.Operation{OperationID: "feedLag", Method: http.MethodGet, Path: "/v1/feed/lag", Tags: tags, Summary: "How far each dialer is behind the feed, and its slowest revocation of the day"},
		func(ctx context.Context, _ *struct{}) (FeedLag, error) {
			list, err := g.cfg.Feed.Lag(ctx)
			return FeedLag{Dialers: append([]FeedDialer{}, list...)}, err
		})
}

// feedRequest reads what a dialer asks for.
func feedRequest(r *http.Request) (FeedRequest, error) {
	v := r.URL.Query()
	q := FeedRequest{Controller: v.Get("controller"), Dialer: v.Get("dialer")}
	switch {
	case q.Controller == "" || len(q.Controller) > 64:
		return q, badParam("controller", "name the controller for whom the dialer calls")
	case q.Dialer == "" || len(q.Dialer) > 128:
		return q, badParam("dialer", "name the dialer; the name is that of its durable cursor")
	}
	for _, from := range []struct{ name, text string }{{"Last-Event-ID", r.Header.Get("Last-Event-ID")}, {"from", v.Get("from")}} {
		if from.text == "" {
			continue
		}
		n, err := strconv.ParseUint(from.text, 10, 64)
		if err != nil {
			return q, badParam(from.name, "write a feed position, as the id of an event bears it")
		}
		q.From = &n
		break
	}
	return q, nil
}

// Bounds of a stream of events.
const (
	feedRetry     = time.Second      // that a reader waits before it reconnects
	feedWriteMost = 15 * time.Second // that a write may take
)

// followFeed streams the feed.
func (g *Gateway) followFeed(w http.ResponseWriter, r *http.Request) {
	q, err := feedRequest(r)
	if err != nil {
		g.failed(r.Context(), err).write(w)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(g.feeds, cancel)()
	tail, err := g.cfg.Feed.Follow(ctx, q)
	if err != nil {
		g.failed(ctx, err).write(w)
		return
	}
	defer tail.Close()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not gather events
	w.WriteHeader(http.StatusOK)
	out := &eventStream{w: w, rc: http.NewResponseController(w), deadline: g.deadline}
	out.text(fmt.Sprintf("retry: %d\n\n", feedRetry.Milliseconds()))
	out.flush()
	for out.err == nil {
		item, err := tail.Next(ctx)
		if err != nil {
			g.endFeed(out, r, err)
			return
		}
		out.item(&item)
		if !tail.Ready() {
			out.flush()
		}
	}
}

// endFeed says why a stream ends; the reader resumes by its last id.
func (g *Gateway) endFeed(out *eventStream, r *http.Request, err error) {
	switch {
	case r.Context().Err() != nil:
		return // the reader went
	case errors.Is(err, ErrFeedSlow):
		out.text(": too slow: events were waiting; resume with Last-Event-ID\n\n")
	case g.feeds.Err() != nil:
		out.text(": the server stops; resume with Last-Event-ID\n\n")
	default:
		g.log.Warn("gateway: feed ended", requestField(r.Context()), errorField(err))
		out.text(": the feed is away; resume with Last-Event-ID\n\n")
	}
	out.flush()
}

// eventStream writes server-sent events until a write fails.
type eventStream struct {
	w        io.Writer
	rc       *http.ResponseController
	deadline func(time.Duration) time.Time
	err      error
}

func (s *eventStream) text(t string) {
	if s.err != nil {
		return
	}
	if err := s.rc.SetWriteDeadline(s.deadline(feedWriteMost)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.err = err
		return
	}
	_, s.err = io.WriteString(s.w, t)
}

func (s *eventStream) flush() {
	if s.err == nil {
		s.err = s.rc.Flush()
	}
}

// item writes one event; within a snapshot it bears no id.
func (s *eventStream) item(i *FeedItem) {
	name, data := "suppression", any(i.Suppression)
	if i.Beat != nil {
		if name, data = "heartbeat", i.Beat; i.Current {
			name = "current"
		}
	}
	body, err := json.Marshal(data)
	if err != nil {
		s.err = fmt.Errorf("gateway write event: %w", err)
		return
	}
	id := ""
	if i.Position > 0 || i.Beat != nil {
		id = "id: " + strconv.FormatUint(i.Position, 10) + "\n"
	}
	s.text("event: " + name + "\n" + id + "data: " + string(body) + "\n\n")
}
