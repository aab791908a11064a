package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
)

// fakeFeed hands out what a test puts into items.
type fakeFeed struct {
	noFeed
	items  chan FeedItem
	fail   error
	mu     sync.Mutex
	asked  []FeedRequest
	closed int
}

func (f *fakeFeed) Follow(_ context.Context, q FeedRequest) (FeedTail, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, q)
	return fakeTail{f}, nil
}

type fakeTail struct{ feed *fakeFeed }

func (t fakeTail) Next(ctx context.Context) (FeedItem, error) {
	select {
	case i, ok := <-t.feed.items:
		if !ok {
			return i, t.feed.fail
		}
		return i, nil
	case <-ctx.Done():
		return FeedItem{}, ctx.Err()
	}
}

func (t fakeTail) Ready() bool { return len(t.feed.items) > 0 }

func (t fakeTail) Close() {
	t.feed.mu.Lock()
	defer t.feed.mu.Unlock()
	t.feed.closed++
}

func (f *fakeFeed) ended() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

// The form of server-sent events: names, ids, one line of data each.
func TestTheFeedAsServerSentEvents(t *testing.T) {
	f := &fakeFeed{items: make(chan FeedItem, 10), fail: fmt.Errorf("tail: %w", ErrFeedSlow)}
	b := start(t, func(c *Config) { c.Feed = f })
	f.items <- FeedItem{Suppression: &events.FeedMessage{Kind: events.FeedRevocation, Effect: events.FeedStop}}
	f.items <- FeedItem{Beat: &events.FeedBeat{Position: 7}, Current: true, Position: 7}
	f.items <- FeedItem{Suppression: &events.FeedMessage{Kind: events.FeedOpposition, Effect: events.FeedResume, Position: 8}, Position: 8}
	f.items <- FeedItem{Beat: &events.FeedBeat{Position: 9}, Position: 9}
	close(f.items)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/v1/feed?controller=A&dialer=d&from=3", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", "5")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"retry: 1000\n\n",
		"event: suppression\ndata: {\"kind\":\"revocation\",\"effect\":\"stop\"",
		"event: current\nid: 7\ndata: {",
		"event: suppression\nid: 8\ndata: {\"position\":8,\"kind\":\"opposition\",\"effect\":\"resume\"",
		"event: heartbeat\nid: 9\ndata: {",
		": too slow",
	}
	rest := string(body)
	for _, w := range want {
		i := strings.Index(rest, w)
		if i < 0 {
			t.Fatalf("%q is missing, or out of order, in\n%s", w, body)
		}
		rest = rest[i+len(w):]
	}
	if resp.Header.Get("Cache-Control") != "no-store" || len(f.asked) != 1 || f.asked[0].From == nil || *f.asked[0].From != 5 || f.ended() != 1 {
		t.Errorf("headers %v, asked %+v, closed %d", resp.Header, f.asked, f.ended())
	}
}

// A stream of the feed ends when the gateway does, and its reader is told; a
// reader that goes away ends its tail.
func TestTheFeedEndsWithTheGateway(t *testing.T) {
	f := &fakeFeed{items: make(chan FeedItem)}
	b := start(t, func(c *Config) { c.Feed = f })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Gateway.Run(ctx, l) }()
	follow := func(ctx context.Context) *bufio.Reader {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.Addr().String()+"/v1/feed?controller=A&dialer=d", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() }) // a stream that has ended
		in := bufio.NewReader(resp.Body)
		if line, err := in.ReadString('\n'); err != nil || line != "retry: 1000\n" {
			t.Fatalf("first line %q, %v", line, err)
		}
		return in
	}
	gone, leave := context.WithCancel(t.Context())
	follow(gone)
	leave()
	for end := time.Now().Add(10 * time.Second); f.ended() < 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the tail of a reader that went is still open")
		}
	}
	in := follow(t.Context())
	stop()
	rest, err := io.ReadAll(in)
	if err != nil || !strings.Contains(string(rest), ": the server stops") {
		t.Errorf("at the end %q, %v", rest, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWithoutAFeed(t *testing.T) {
	b := start(t, nil)
	for _, path := range []string{"/v1/feed?controller=A&dialer=d", "/v1/feed/lag"} {
		if status, _, body := b.get(t, path); status != http.StatusServiceUnavailable || !strings.Contains(string(body), "feed-away") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if p := problemOf(fmt.Errorf("x: %w", ErrFeedAway)); p.retryAfter == 0 || errors.Is(ErrFeedAway, ErrFeedSlow) {
		t.Errorf("problem %+v", p)
	}
}
