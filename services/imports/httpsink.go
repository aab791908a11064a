package imports

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/assenso/assenso/events"
)

// HTTPSink hands submissions to a running server: each batch is one
// POST /v1/events of NDJSON. What the server does not answer for, or answers
// with 429, 503 or "unavailable", is sent again under its identity, with a
// growing pause or the one that Retry-After asks. The zero value with a URL is
// usable, by several goroutines at once.
type HTTPSink struct {
	URL    string       // of the server, for example http://127.0.0.1:8440
	Token  string       // bearer token; "" = none
	Client *http.Client // nil = http.DefaultClient
	// Patience ends the tries of one batch; 0 = 10 minutes. Then Send returns
	// an error that wraps ErrSink.
	Patience time.Duration
	// Settle is how often what the server has only accepted is asked for again
	// (sending it again brings its receipt); 0 = 5, negative = never. What is
	// still without a receipt then counts as accepted: it is durable there.
	Settle int
	// Pause waits between tries; nil = a timer. It returns early with ctx.
	Pause func(ctx context.Context, d time.Duration) error
}

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 10 * time.Second
)

// refused is an answer that sending again does not mend.
type refused struct{ status int }

// Error implements error.
func (r refused) Error() string {
	hint := "check the address and the program's version there"
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		hint = "check the token: it must cover the source and its controllers"
	}
	return fmt.Sprintf("the server answers %d to POST /v1/events: %s", r.status, hint)
}

// Send implements Sink.
func (s *HTTPSink) Send(ctx context.Context, batch [][]byte) ([]Outcome, error) {
	out := make([]Outcome, len(batch))
	open := make([]int, len(batch)) // what has no final answer yet
	for i := range open {
		open[i] = i
	}
	pause, asked := firstPause, 0
	var waited time.Duration
	var first time.Time // by the server's clock, when it first took the batch in
	for {
		wait, err := s.post(ctx, batch, open, out, &first)
		var no refused
		if errors.As(err, &no) {
			return nil, fmt.Errorf("imports send: %w: %w", ErrSink, no)
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("imports send: %w", ctx.Err())
		}
		left, accepted := unsettled(open, out)
		if len(left) > 0 && len(left) < len(open) {
			pause, waited = firstPause, 0 // it moves: be patient
		}
		open = left
		switch {
		case len(open) == 0:
			return out, nil
		case accepted == len(open):
			if asked++; asked > s.settle() {
				return out, nil
			}
		case waited >= s.patience():
			if err == nil {
				err = errors.New("it takes nothing in for now")
			}
			return nil, fmt.Errorf("imports send: %w: gave up after waiting %s: %w", ErrSink, waited.Round(time.Second), err)
		}
		d := max(wait, pause+rand.N(pause/4))
		if err := s.pause(ctx, d); err != nil {
			return nil, fmt.Errorf("imports send: %w", err)
		}
		waited += d
		pause = min(2*pause, maxPause)
	}
}

// unsettled returns what is to be sent again and how many of it are accepted.
func unsettled(open []int, out []Outcome) (left []int, accepted int) {
	for _, i := range open {
		switch out[i].Result {
		case Accepted:
			accepted++
			left = append(left, i)
		case "":
			left = append(left, i)
		}
	}
	return left, accepted
}

// post sends the open submissions in one request and notes their outcomes. wait
// is the pause that the server asks for. An error leaves outcomes unknown. first
// is set with the first answer.
func (s *HTTPSink) post(ctx context.Context, batch [][]byte, open []int, out []Outcome, first *time.Time) (wait time.Duration, err error) {
	var body bytes.Buffer
	for _, i := range open {
		body.Write(batch[i])
		body.WriteByte('\n')
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(s.URL, "/")+"/v1/events", &body)
	if err != nil {
		return 0, fmt.Errorf("address of the server: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Accept", "application/x-ndjson")
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.Token)
	}
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() {
		// Draining lets the connection serve again; what it says does not matter.
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		_ = resp.Body.Close()
	}()
	switch {
	case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusAccepted:
		again := !first.IsZero()
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && !again {
			*first = date
		}
		return 0, readAnswers(resp.Body, open, out, again, events.InstantOf(*first))
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
			wait = min(time.Duration(n)*time.Second, time.Minute)
		}
		return wait, fmt.Errorf("the server answers %d", resp.StatusCode)
	}
	return 0, refused{resp.StatusCode}
}

// answer is one line of the server's answer.
type answer struct {
	Result       string         `json:"result"`
	RecordedTime events.Instant `json:"recordedtime"`
	Errors       []events.Fault `json:"errors"`
	// Contact is text of the server's: an unreadable one is as good as none.
	Contact string `json:"contact"`
}

// readAnswers reads one line for each open submission, in order. The stream may
// end early; what has no line stays unknown. When the batch is sent again, a
// duplicate that was recorded since the first time is our own copy.
func readAnswers(r io.Reader, open []int, out []Outcome, again bool, first events.Instant) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for _, i := range open {
		text, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(text)) == 0 {
			return fmt.Errorf("the server's answer ends early: %w", err)
		}
		var a answer
		if err := json.Unmarshal(text, &a); err != nil {
			return errors.New("the server's answer is not NDJSON")
		}
		r := Result(a.Result)
		if again && r == Duplicate && a.RecordedTime >= first {
			r = Recorded
		}
		switch r {
		case Recorded, Duplicate, Conflict, Rejected, Accepted:
			key, err := events.ParseContactKey(a.Contact)
			if err != nil {
				key = events.ContactKey{}
			}
			out[i] = Outcome{Result: r, Errors: a.Errors, Contact: key}
		}
	}
	return nil
}

func (s *HTTPSink) patience() time.Duration {
	if s.Patience > 0 {
		return s.Patience
	}
	return 10 * time.Minute
}

func (s *HTTPSink) settle() int {
	if s.Settle == 0 {
		return 5
	}
	return max(s.Settle, 0)
}

func (s *HTTPSink) pause(ctx context.Context, d time.Duration) error {
	if s.Pause != nil {
		return s.Pause(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
