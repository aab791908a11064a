package gate

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/rules"
)

// queue takes submissions, or fails: without storing, or having stored.
type queue struct {
	mu     sync.Mutex
	taken  []string // identities in order
	faulty func(n int) (stored bool, err error)
	calls  int
}

func (q *queue) Submit(_ context.Context, batch []intake.Submission) []error {
	q.mu.Lock()
	defer q.mu.Unlock()
	errs := make([]error, len(batch))
	for i, s := range batch {
		stored, err := true, error(nil)
		if q.faulty != nil {
			stored, err = q.faulty(q.calls)
		}
		q.calls++
		if errs[i] = err; stored {
			var e struct{ ID, Source string }
			if json.Unmarshal(s.Body, &e) != nil || e.Source != events.GateSource || s.Family != events.FamilyOutcomes {
				errs[i] = intake.ErrRefused
			}
			q.taken = append(q.taken, e.ID)
		}
	}
	return errs
}

func (q *queue) identities() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := map[string]int{}
	for _, id := range q.taken {
		out[id]++
	}
	return out
}

func issuing(t *testing.T, q *queue) *Issuer {
	t.Helper()
	log := permitted().Log()
	g, stop := started(t, Config{Ledger: &logLedger{Log: log, clock: noon}, Index: readPlainly(t, log), Engine: law(t), Clock: noon})
	t.Cleanup(stop)
	past := func(_ context.Context, a rules.Attempt) (Decision, error) {
		return Decision{Decision: rules.Decision{Verdict: events.VerdictWarn}, Attempt: a, At: a.DialledAt}, nil
	}
	i, err := NewIssuer(IssuerConfig{
		Gate: g, Key: ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize))), Log: zap.NewNop(), Intake: q, Past: past,
		Normalise: func(phone, country string) (events.Phone, string) {
			if phone[0] != '+' {
				return events.Phone{}, "country_missing"
			}
			return events.NewPhone(phone, events.LineMobile), ""
		},
		Contact: func(events.Phone) events.ContactKey { return projectiontest.Contact(0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

var question = events.Question{Number: "+393401234567", Controller: "A", Campaign: "K-A", CLI: "+390844100100"}

// Every receipt that was handed out is recorded under its identity, though the
// queue fails now and then, before or after it stored.
func TestReceiptsAreRecordedThroughFaults(t *testing.T) {
	q := &queue{faulty: func(n int) (bool, error) {
		switch n % 3 {
		case 0:
			return false, intake.ErrUnavailable
		case 1:
			return true, intake.ErrUnavailable // stored, the answer was lost
		}
		return true, nil
	}}
	i := issuing(t, q)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- i.Run(ctx) }()
	var issued []string
	for range 20 {
		r, err := i.Ask(t.Context(), question)
		if err != nil || r.Verdict != events.VerdictAllow {
			t.Fatalf("%+v %v", r, err)
		}
		if err := r.Verify(i.PublicKey()); err != nil {
			t.Fatal(err)
		}
		if r.Asked.Number != "" || r.Asked.Attempt != r.Decision || r.ExpiresAt != min(r.ValidUntil, r.At.Add(Lifetime)) {
			t.Fatalf("receipt %+v", r)
		}
		issued = append(issued, r.Decision)
	}
	for end := time.Now().Add(20 * time.Second); i.Unrecorded() > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	taken := q.identities()
	for _, id := range issued {
		if taken[id] == 0 {
			t.Errorf("receipt %s was not recorded", id)
		}
	}
	if len(taken) != len(issued) {
		t.Errorf("%d identities recorded, %d issued", len(taken), len(issued))
	}
}

// What was issued just before a stop is recorded by the stop.
func TestAStopRecordsWhatWasIssued(t *testing.T) {
	q := &queue{}
	i := issuing(t, q)
	r, err := i.Ask(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if q.identities()[r.Decision] != 1 {
		t.Errorf("recorded %v, want %s", q.identities(), r.Decision)
	}
}

// While nothing can be recorded for long, nothing is allowed.
func TestNothingIsAllowedThatCannotBeRecorded(t *testing.T) {
	i := issuing(t, &queue{})
	i.waiting = make([]intake.Submission, maxWaiting)
	r, err := i.Ask(t.Context(), question)
	if err != nil || r.Verdict != events.VerdictBlock || r.Reasons[len(r.Reasons)-1].Rule != rules.Unrecorded {
		t.Errorf("%+v %v", r, err)
	}
	if len(i.Ready()) == 0 {
		t.Error("ready with a full queue of receipts")
	}
}

// Whatever is asked is refused or answered, and every answer can be recorded.
func TestEveryAnswerCanBeRecorded(t *testing.T) {
	i := issuing(t, &queue{})
	texts := func(usual ...string) *rapid.Generator[string] {
		return rapid.OneOf(rapid.SampledFrom(append(usual, "")), rapid.String(), rapid.StringN(0, 300, -1), rapid.StringMatching(`[A-Za-z0-9._-]{1,70}`))
	}
	answered := 0
	rapid.Check(t, func(t *rapid.T) {
		q := events.Question{Number: "+393401234567", Controller: texts("A").Draw(t, "controller"), Campaign: texts("K-A").Draw(t, "campaign"),
			Attempt: texts("a-1").Draw(t, "attempt"), Purpose: texts("marketing").Draw(t, "purpose"), Channel: texts("operator_call").Draw(t, "channel"),
			Processor: texts("P1").Draw(t, "processor"), CLI: texts("+390844100100").Draw(t, "cli"), OriginCountry: texts("IT").Draw(t, "origin"),
			AgentCountry: texts("IT").Draw(t, "agent's"), Mode: texts("preview").Draw(t, "mode"), Agent: texts("g-1").Draw(t, "agent"),
			Basis: texts("consent").Draw(t, "basis"), Grant: texts("grant-a").Draw(t, "grant"), Request: texts("r-1").Draw(t, "request"),
			Batch: texts("B-A").Draw(t, "batch"), Product: texts("p").Draw(t, "product")}
		r, err := i.Ask(t.Context(), q)
		var refusal *events.Refusal
		switch {
		case errors.As(err, &refusal):
			if len(refusal.Errors) == 0 {
				t.Fatal("a refusal without a fault")
			}
		case err != nil:
			t.Fatal(err)
		default:
			answered++
			recorded(t, &r)
		}
	})
	if answered == 0 {
		t.Error("no question was answered")
	}
}

// A question that cannot be read is refused with every fault, and quotes nothing.
func TestQuestionsThatCannotBeRead(t *testing.T) {
	i := issuing(t, &queue{})
	for name, c := range map[string]struct {
		q    events.Question
		want string
	}{
		"nothing":     {events.Question{}, "number: phone_missing; controller: controller_missing; campaign: campaign_missing"},
		"both":        {events.Question{Number: "+391", Contact: "ab", Controller: "A", Campaign: "K"}, "number: phone_missing"},
		"bad key":     {events.Question{Contact: "3401234567", Controller: "A", Campaign: "K"}, "contact: field_type"},
		"no country":  {events.Question{Number: "3401234567", Controller: "A", Campaign: "K"}, "number: country_missing"},
		"closed sets": {events.Question{Number: "+391", Controller: "A", Campaign: "K", Purpose: "profiling", Channel: "fax", Basis: "luck", Mode: "fast"}, "purpose: value_unknown; channel: value_unknown; basis: value_unknown; mode: value_unknown"},
		"bad instant": {events.Question{Number: "+391", Controller: "A", Campaign: "K", At: "3401234567"}, "at: time_invalid"},
	} {
		_, err := i.Ask(t.Context(), c.q)
		var refusal *events.Refusal
		if !errors.As(err, &refusal) || err.Error() != "read question: "+c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "340") {
			t.Errorf("%s: the error quotes the number: %v", name, err)
		}
	}
}

// A question about another instant is answered from history: no signature, no
// identity, nothing recorded.
func TestThePastIsNotSigned(t *testing.T) {
	q := &queue{}
	i := issuing(t, q)
	about := question
	about.At = "2026-03-05T11:00:00+01:00"
	r, err := i.Ask(t.Context(), about)
	if err != nil || r.Signature != "" || r.Decision != "" || r.Verdict != events.VerdictWarn || r.At.String() != "2026-03-05T10:00:00.000Z" {
		t.Errorf("%+v %v", r, err)
	}
	if i.Unrecorded() != 0 {
		t.Error("an answer about the past is recorded")
	}
}

// A key is made once, kept, and refused when others can read it.
func TestKey(t *testing.T) {
	folder := t.TempDir()
	key, err := OpenKey(folder)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenKey(folder)
	if err != nil || !key.Equal(again) {
		t.Errorf("opened again: %v", err)
	}
	text, err := PublicPEM(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if public, err := ReadPublicKey(text); err != nil || !public.Equal(key.Public()) {
		t.Errorf("public key read back: %v", err)
	}
	spoil(t, folder)
	if _, err := OpenKey(folder); !errors.Is(err, ErrKey) {
		t.Errorf("a key that others can read: %v, want ErrKey", err)
	}
}
