package imports

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// server answers POST /v1/events line by line as the i-th script says; beyond
// the script everything is recorded. Words: recorded, duplicate, unavailable,
// accepted, rejected, cut (the answer ends), garbage; or a status code.
type server struct {
	t      *testing.T
	script []string
	seen   [][]string // ids by request
	paused []time.Duration
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/events" || r.Header.Get("Content-Type") != "application/x-ndjson" || r.Header.Get("Authorization") != "Bearer secret" {
		s.t.Errorf("%s %s %v", r.Method, r.URL.Path, r.Header)
	}
	words := ""
	if n := len(s.seen); n < len(s.script) {
		words = s.script[n]
	}
	var ids []string
	in := bufio.NewScanner(r.Body)
	for in.Scan() {
		var ev struct{ ID string }
		if err := json.Unmarshal(in.Bytes(), &ev); err != nil {
			s.t.Error(err)
		}
		ids = append(ids, ev.ID)
	}
	s.seen = append(s.seen, ids)
	var status int
	if _, err := fmt.Sscanf(words, "%d", &status); err == nil {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		return
	}
	answers := strings.Fields(words)
	for i, id := range ids {
		word := "recorded"
		if i < len(answers) {
			word = answers[i]
		}
		switch word {
		case "cut":
			return
		case "garbage":
			fmt.Fprintln(w, "<html>")
			continue
		case "ours", "older":
			at := time.Now().UTC().Add(map[string]time.Duration{"ours": time.Second, "older": -time.Hour}[word])
			fmt.Fprintf(w, `{"index":%d,"id":%q,"result":"duplicate","recordedtime":%q}`+"\n", i, id, at.Format(time.RFC3339Nano))
			continue
		case "rejected":
			fmt.Fprintf(w, `{"index":%d,"id":%q,"result":"rejected","errors":[{"code":"phone_invalid","field":"data.phone","hint":"h"}]}`+"\n", i, id)
			continue
		}
		fmt.Fprintf(w, `{"index":%d,"id":%q,"result":%q}`+"\n", i, id, word)
	}
}

func (s *server) sink(t *testing.T) *HTTPSink {
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return &HTTPSink{URL: srv.URL + "/", Token: "secret", Client: srv.Client(), Pause: func(_ context.Context, d time.Duration) error {
		s.paused = append(s.paused, d)
		return nil
	}}
}

var three = [][]byte{[]byte(`{"id":"a"}`), []byte(`{"id":"b"}`), []byte(`{"id":"c"}`)}

// Only what has no final answer is sent again, under its identity.
func TestSinkSendsAgainWhatIsOpen(t *testing.T) {
	tests := map[string]struct {
		script []string
		seen   string
		want   string
	}{
		"all recorded":   {nil, "[[a b c]]", "[recorded recorded recorded]"},
		"server is full": {[]string{"503", "429"}, "[[a b c] [a b c] [a b c]]", "[recorded recorded recorded]"},
		"server fails":   {[]string{"500"}, "[[a b c] [a b c]]", "[recorded recorded recorded]"},
		"one open":       {[]string{"recorded unavailable rejected"}, "[[a b c] [b]]", "[recorded recorded rejected]"},
		"answer cut":     {[]string{"duplicate cut"}, "[[a b c] [b c]]", "[duplicate recorded recorded]"},
		"not NDJSON":     {[]string{"conflict garbage"}, "[[a b c] [b c]]", "[conflict recorded recorded]"},
		"late receipt":   {[]string{"accepted accepted recorded", "ours older"}, "[[a b c] [a b]]", "[recorded duplicate recorded]"},
		"lost answer":    {[]string{"ours cut", "ours older"}, "[[a b c] [b c]]", "[duplicate recorded duplicate]"},
		"never a receipt": {[]string{"accepted recorded recorded", "accepted", "accepted", "accepted", "accepted", "accepted", "accepted"},
			"[[a b c] [a] [a] [a] [a] [a]]", "[accepted recorded recorded]"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := &server{t: t, script: tc.script}
			out, err := s.sink(t).Send(t.Context(), three)
			if err != nil {
				t.Fatal(err)
			}
			var got []Result
			for _, o := range out {
				got = append(got, o.Result)
				if o.Result == Rejected && (len(o.Errors) != 1 || o.Errors[0].Code != "phone_invalid") {
					t.Errorf("errors %v", o.Errors)
				}
			}
			if fmt.Sprint(got) != tc.want || fmt.Sprint(s.seen) != tc.seen {
				t.Errorf("outcomes %v, requests %v; want %s, %s", got, s.seen, tc.want, tc.seen)
			}
			if len(s.paused) != len(s.seen)-1 {
				t.Errorf("%d pauses for %d requests", len(s.paused), len(s.seen))
			}
			if name == "server is full" && (s.paused[0] < 7*time.Second || s.paused[1] < 7*time.Second) {
				t.Errorf("Retry-After was not kept: %v", s.paused)
			}
		})
	}
}

// A refusal is no reason to send again, and patience ends.
func TestSinkGivesUp(t *testing.T) {
	for _, status := range []string{"400", "401", "403", "413", "415"} {
		s := &server{t: t, script: []string{status}}
		_, err := s.sink(t).Send(t.Context(), three)
		if !errors.Is(err, ErrSink) || !strings.Contains(err.Error(), status) || len(s.seen) != 1 {
			t.Errorf("%s: error %v after %d requests", status, err, len(s.seen))
		}
	}
	s := &server{t: t}
	for range 200 {
		s.script = append(s.script, "503")
	}
	sink := s.sink(t)
	sink.Patience = time.Minute
	if _, err := sink.Send(t.Context(), three); !errors.Is(err, ErrSink) || len(s.seen) < 6 || len(s.seen) > 12 {
		t.Errorf("error %v after %d requests", err, len(s.seen))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sink.Send(ctx, three); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gave %v", err)
	}
}
