package house

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/client"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/gateway"
)

// listener is a dialer that follows the feed over server-sent events.
type listener struct {
	t      *testing.T
	url    string
	events chan event
	stop   func()
}

// event is one server-sent event.
type event struct {
	name, id string
	message  events.FeedMessage
	beat     events.FeedBeat
}

func (r *running) listen(t *testing.T, dialer, lastID string) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/v1/feed?controller=A&dialer="+dialer, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("follow: %s %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	l := &listener{t: t, url: r.url, events: make(chan event, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(l.events)
		l.read(bufio.NewScanner(resp.Body))
	}()
	l.stop = func() {
		cancel()
		_ = resp.Body.Close() // ends the read
		<-done
	}
	t.Cleanup(l.stop)
	return l
}

func (l *listener) read(in *bufio.Scanner) {
	in.Buffer(nil, 1<<20)
	var e event
	for in.Scan() {
		field, value, _ := strings.Cut(in.Text(), ": ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			into := any(&e.beat)
			if e.name == "suppression" {
				into = &e.message
			}
			if err := json.Unmarshal([]byte(value), into); err != nil {
				l.t.Errorf("data of %s: %v", e.name, err)
			}
		case "":
			if e.name != "" && in.Text() == "" {
				l.events <- e
			}
			e = event{}
		}
	}
}

// until returns the next event that fits.
func (l *listener) until(what string, fits func(event) bool) event {
	l.t.Helper()
	end := time.After(20 * time.Second)
	for {
		select {
		case e, ok := <-l.events:
			if !ok {
				l.t.Fatalf("the stream ended before %s", what)
			}
			if fits(e) {
				return e
			}
		case <-end:
			l.t.Fatalf("not in time: %s", what)
		}
	}
}

func (l *listener) current() event {
	l.t.Helper()
	return l.until("current", func(e event) bool { return e.name == "current" && e.beat.At != 0 })
}

const opposition = `{"specversion":"1.0","id":"o-%d","source":"dialer.p1.example","type":"opposition.registered.v1","time":"%s","controller":"A",
 "data":{"phone":"+39340123%04d","medium":"in_call","received_by":"P1"}}`

func (r *running) oppose(t *testing.T, n int) gateway.Item {
	t.Helper()
	at := time.Now().Add(-time.Second).UTC().Format(time.RFC3339Nano)
	_, body := r.do(t, http.MethodPost, "/v1/events", "application/json", fmt.Sprintf(opposition, n, at, n))
	item := decode[gateway.Item](t, body)
	if item.Result != gateway.Recorded {
		t.Fatalf("%s", body)
	}
	return item
}

// A dialer over HTTP hears what stands, then what comes; what it acknowledges
// is recorded for every opposition, once, also across a restart.
func TestADialerFollowsOverHTTP(t *testing.T) {
	cfg := quick(t)
	r := startWith(t, cfg, Options{})
	first := r.oppose(t, 1)
	r.told(t)
	l := r.listen(t, "d1", "")
	e := l.until("what stands", func(e event) bool { return e.name == "suppression" })
	if m := e.message; e.id != "" || m.Effect != events.FeedStop || m.Kind != events.FeedOpposition || m.Phone != "+393401230001" || m.Contact.String() != first.Contact || m.Position != 0 {
		t.Errorf("snapshot: %+v", e)
	}
	l.current()
	r.oppose(t, 2)
	e = l.until("what comes", func(e event) bool { return e.name == "suppression" })
	if m := e.message; m.Phone != "+393401230002" || e.id != strconv.FormatUint(m.Position, 10) {
		t.Errorf("tail: %+v", e)
	}
	beat := l.until("a heartbeat behind it", func(e event) bool { return e.name == "heartbeat" && e.beat.At != 0 })
	if beat.id == "" || beat.beat.Position < e.message.Position {
		t.Errorf("heartbeat %+v after position %d", beat, e.message.Position)
	}
	r.acknowledge(t, "d1", e.message.Position)
	r.untilAcknowledged(t, first.Contact)
	l.stop()

	r.oppose(t, 3) // while the dialer is away
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = startWith(t, cfg, Options{})
	l = r.listen(t, "d1", "")
	e = l.until("what came meanwhile", func(e event) bool { return e.name == "suppression" })
	if e.message.Phone != "+393401230003" {
		t.Errorf("after the restart the cursor gives %+v", e)
	}
	again := r.listen(t, "d2", e.id)
	if e := again.current(); e.id == "" {
		t.Errorf("current without a position: %+v", e)
	}
	lag := r.lag(t)
	if len(lag) != 1 || lag[0].Dialer != "d1" || lag[0].Behind != 1 || lag[0].Processor != "P1" {
		t.Errorf("lag %+v", lag)
	}
	r.acknowledge(t, "d1", e.message.Position)
	if lag = r.lag(t); lag[0].Behind != 0 || lag[0].Slowest == nil || lag[0].Slowest.Event.ID != "o-3" {
		t.Errorf("lag after the acknowledgement %+v", lag)
	}
}

// told waits until the feed has said everything that is recorded now.
func (r *running) told(t *testing.T) {
	t.Helper()
	now := r.Now()
	for end := time.Now().Add(20 * time.Second); r.feed.Status().At <= now; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the feed does not become current: %+v", r.feed.Status())
		}
	}
}

func (r *running) acknowledge(t *testing.T, dialer string, position uint64) {
	t.Helper()
	status, body := r.do(t, http.MethodPost, "/v1/feed/acks", "application/json", fmt.Sprintf(`{"controller":"A","dialer":%q,"processor":"P1","position":%d}`, dialer, position))
	if got := decode[events.FeedAcked](t, body); status != http.StatusOK || got.Position != position {
		t.Fatalf("acknowledge %d: %d %s", position, status, body)
	}
}

func (r *running) lag(t *testing.T) []gateway.FeedDialer {
	t.Helper()
	status, body := r.do(t, http.MethodGet, "/v1/feed/lag", "", "")
	if status != http.StatusOK {
		t.Fatalf("lag: %d %s", status, body)
	}
	return decode[gateway.FeedLag](t, body).Dialers
}

// untilAcknowledged waits until the state of the contact bears an
// acknowledgement of its opposition by P1.
func (r *running) untilAcknowledged(t *testing.T, key string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, body := r.do(t, http.MethodGet, "/v1/contacts/"+key, "", "")
		var c struct{ State contact.State }
		if err := json.Unmarshal(body, &c); err != nil {
			t.Fatal(err)
		}
		if a := c.State.Acknowledgments; len(a) == 1 && a[0].Opposition == "o-1" && a[0].Processor == "P1" && a[0].Source == "feed" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the opposition is not acknowledged: %s", body)
		}
	}
}

// What a dialer asks wrongly is told, and a position of the future is none.
func TestFeedRequestsThatCannotBe(t *testing.T) {
	r := start(t, nil)
	r.settle(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{http.MethodGet, "/v1/feed?dialer=d", "", 400, "controller"},
		{http.MethodGet, "/v1/feed?controller=A", "", 400, "dialer"},
		{http.MethodGet, "/v1/feed?controller=A&dialer=d&from=x", "", 400, "position"},
		{http.MethodPost, "/v1/feed/acks", `{"controller":"A","dialer":"d","position":99}`, 422, "position"},
		{http.MethodPost, "/v1/feed/acks", `{"controller":"A","dialer":"d","processor":"+","position":0}`, 422, "processor"},
	} {
		status, body := r.do(t, c.method, c.path, "application/json", c.body)
		if status != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, status, body)
		}
	}
}

// The client of the contract follows the feed of the program: it may call, then
// it may not, and its acknowledgement is recorded.
func TestTheClientFollowsTheFeed(t *testing.T) {
	r := start(t, func(c *Config) { c.NATS.Listen = "127.0.0.1:0" })
	first := r.oppose(t, 1)
	r.told(t)
	conn, err := nats.Connect(r.broker.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stops := make(chan events.FeedMessage, 100)
	set, err := client.Follow(t.Context(), conn, client.FollowOptions{Controller: "A", Dialer: "d", Processor: "P1", OnStop: func(m events.FeedMessage) { stops <- m },
		OnError: func(err error) { t.Log(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := set.WaitCurrent(ctx); err != nil {
		t.Fatal(err)
	}
	call := func(n int) client.Call {
		return client.Call{Phone: fmt.Sprintf("+39340123%04d", n), Purpose: events.PurposeMarketing, Channel: events.ChannelOperatorCall, Campaign: "K", Lists: []string{"L"}}
	}
	if v := set.MayCall(call(1)); v.Allowed || len(v.Reasons) != 1 || v.Reasons[0].Kind != events.FeedOpposition {
		t.Errorf("who opposed before the dialer came: %+v", v)
	}
	if v := set.MayCall(call(2)); !v.Allowed {
		t.Errorf("who did not oppose: %+v", v)
	}
	service := call(1)
	service.Purpose = events.PurposeService
	if v := set.MayCall(service); !v.Allowed {
		t.Errorf("an opposition stops a service call: %+v", v)
	}
	r.oppose(t, 2)
	for told := ""; told != call(2).Phone; {
		select {
		case m := <-stops: // the first one too, if it was not in the snapshot yet
			told = m.Phone
		case <-ctx.Done():
			t.Fatal("the dialer is not told")
		}
	}
	if v := set.MayCall(call(2)); v.Allowed {
		t.Error("the dialer may call who opposed")
	}
	r.untilAcknowledged(t, first.Contact)
}

// What a dialer acknowledges is in the report's part 4.
func TestTheReportShowsHowFastDialersObey(t *testing.T) {
	r := start(t, nil)
	at := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339Nano)
	for _, e := range []string{
		`{"specversion":"1.0","id":"k-1","source":"crm.a.example","type":"campaign.opened.v1","time":"2026-01-10T12:00:00+01:00","controller":"A","campaign":"K-A","data":{"purpose":"marketing","channels":["operator_call"],"sector":"telecom","lists":["L-A"],"clis":["+390844100100"]}}`,
		fmt.Sprintf(`{"specversion":"1.0","id":"c-1","source":"dialer.p1.example","type":"call.concluded.v1","time":%q,"controller":"A","campaign":"K-A","data":{"phone":"+393401230001","dialled_at":%q,"purpose":"marketing","channel":"operator_call","processor":"P1","cli":"+390844100100","disposition":"no_answer"}}`, at, at),
	} {
		if _, body := r.do(t, http.MethodPost, "/v1/events", "application/json", e); decode[gateway.Item](t, body).Result != gateway.Recorded {
			t.Fatalf("%s", body)
		}
	}
	opposed := r.oppose(t, 1)
	r.told(t)
	l := r.listen(t, "d1", "")
	position := l.current().beat.Position
	r.acknowledge(t, "d1", position)
	r.untilAcknowledged(t, opposed.Contact)
	r.settle(t)
	status, body := r.do(t, http.MethodGet, "/v1/campaigns/K-A/report?format=json", "", "")
	var report struct {
		Oppositions struct {
			ToAcknowledge struct {
				Count int   `json:"count"`
				Max   int64 `json:"max_ms"`
			} `json:"received_to_acknowledged"`
		} `json:"oppositions"`
	}
	if err := json.Unmarshal(body, &report); err != nil {
		t.Fatal(err)
	}
	if a := report.Oppositions.ToAcknowledge; status != http.StatusOK || a.Count != 1 || a.Max < 1000 || a.Max > 60_000 {
		t.Errorf("%d: received to acknowledged %+v", status, a)
	}
}
