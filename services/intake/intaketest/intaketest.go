// Package intaketest is the conformance suite of the intake port: one case for
// each sentence of intake.go. A backend joins with a Harness.
package intaketest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
)

// Harness is one fresh intake of a backend.
type Harness struct {
	Port   intake.Port
	Sender intake.Sender
	// Queued returns the first n submissions of a family's queue, as a
	// recorder gets them, after waiting for them.
	Queued func(t *testing.T, f events.Family, n int) []intake.Submission
	// Fill leaves no room in the queue of a family.
	Fill func(t *testing.T, f events.Family)
	// Cut makes the intake unreachable.
	Cut func(t *testing.T)
}

// Run runs every case against a fresh harness.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"Submit stores in the queue of the family, in order", order},
		{"Submit carries source, type, token, reference, trace and body", carries},
		{"Submit returns one error for each in the same order", errorsInOrder},
		{"Submit takes the same identity as often as it comes", repeats},
		{"Submit of nothing is nothing", nothing},
		{"ErrFull: refused, never dropped", full},
		{"ErrFull of one family delays no other", fullAlone},
		{"ErrUnavailable when the queue cannot be reached", unavailable},
		{"ErrUnavailable when ctx has ended", ended},
		{"ErrRefused for what no queue takes", refused},
		{"Await brings the receipts of all sources under the token", await},
		{"Await brings no receipt of another token", otherToken},
		{"Await tells receipts of one identity apart by their reference", references},
		{"Await: the channel is closed by stop", stops},
		{"Await refuses what is no token", badToken},
		{"Send without anybody awaiting is no error", nobody},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// Grant returns a submission to the grants queue.
func Grant(id string) intake.Submission {
	return intake.Submission{
		Family: events.FamilyGrants, Source: "crm.a.example", Type: events.TypeConsentGranted,
		Body: []byte(`{"id":"` + id + `"}`),
	}
}

func revocation(id string) intake.Submission {
	s := Grant(id)
	s.Family, s.Type = events.FamilyRevocations, events.TypeConsentRevoked
	return s
}

func must(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("submission %d: %v", i, err)
		}
	}
}

func order(t *testing.T, h Harness) {
	var batch, grants, revocations []intake.Submission
	for i := range 60 {
		g, r := Grant(fmt.Sprint("g", i)), revocation(fmt.Sprint("r", i))
		batch, grants, revocations = append(batch, g, r), append(grants, g), append(revocations, r)
	}
	must(t, h.Port.Submit(deadline(t), batch))
	for f, want := range map[events.Family][]intake.Submission{events.FamilyGrants: grants, events.FamilyRevocations: revocations} {
		if diff := cmp.Diff(want, h.Queued(t, f, len(want))); diff != "" {
			t.Errorf("%s (-submitted +queued):\n%s", f, diff)
		}
	}
}

func carries(t *testing.T, h Harness) {
	s := revocation("w-7")
	s.Source, s.Token, s.Ref = "dialer.p1.example/node 3%", "door-1", "ref=7;ü"
	s.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	bare := revocation("w-8")
	bare.Source = ""
	must(t, h.Port.Submit(deadline(t), []intake.Submission{s, bare}))
	if diff := cmp.Diff([]intake.Submission{s, bare}, h.Queued(t, s.Family, 2)); diff != "" {
		t.Errorf("(-submitted +queued):\n%s", diff)
	}
}

func errorsInOrder(t *testing.T, h Harness) {
	bad := Grant("bad")
	bad.Family = "gifts"
	errs := h.Port.Submit(deadline(t), []intake.Submission{Grant("1"), bad, revocation("2"), bad, Grant("3")})
	for i, err := range errs {
		if wantBad := i == 1 || i == 3; errors.Is(err, intake.ErrRefused) != wantBad || (err == nil) == wantBad {
			t.Errorf("submission %d: error %v", i, err)
		}
	}
	h.Queued(t, events.FamilyGrants, 2)
	h.Queued(t, events.FamilyRevocations, 1)
}

func repeats(t *testing.T, h Harness) {
	must(t, h.Port.Submit(deadline(t), []intake.Submission{Grant("1"), Grant("1")}))
	must(t, h.Port.Submit(deadline(t), []intake.Submission{Grant("1")}))
	if got := len(h.Queued(t, events.FamilyGrants, 3)); got != 3 {
		t.Errorf("%d of 3 queued: the retry that brings a missed receipt was swallowed", got)
	}
}

func nothing(t *testing.T, h Harness) {
	if errs := h.Port.Submit(deadline(t), nil); len(errs) != 0 {
		t.Errorf("got %v", errs)
	}
}

func full(t *testing.T, h Harness) {
	must(t, h.Port.Submit(deadline(t), []intake.Submission{Grant("first")}))
	h.Fill(t, events.FamilyGrants)
	if err := h.Port.Submit(deadline(t), []intake.Submission{Grant("late")})[0]; !errors.Is(err, intake.ErrFull) {
		t.Errorf("error %v, want ErrFull", err)
	}
	if got := h.Queued(t, events.FamilyGrants, 1); string(got[0].Body) != string(Grant("first").Body) {
		t.Error("an old submission was dropped for a new one")
	}
}

func fullAlone(t *testing.T, h Harness) {
	h.Fill(t, events.FamilyGrants)
	errs := h.Port.Submit(deadline(t), []intake.Submission{Grant("1"), revocation("2")})
	if !errors.Is(errs[0], intake.ErrFull) || errs[1] != nil {
		t.Errorf("errors %v", errs)
	}
}

func unavailable(t *testing.T, h Harness) {
	h.Cut(t)
	if err := h.Port.Submit(deadline(t), []intake.Submission{Grant("1")})[0]; !errors.Is(err, intake.ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
}

func ended(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(deadline(t))
	cancel()
	if err := h.Port.Submit(ctx, []intake.Submission{Grant("1")})[0]; !errors.Is(err, intake.ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
}

func refused(t *testing.T, h Harness) {
	for name, change := range map[string]func(*intake.Submission){
		"family":         func(s *intake.Submission) { s.Family = "gifts" },
		"no type":        func(s *intake.Submission) { s.Type = "" },
		"type":           func(s *intake.Submission) { s.Type = "consent.> .v1" },
		"body":           func(s *intake.Submission) { s.Body = make([]byte, intake.MaxBody+1) },
		"token":          func(s *intake.Submission) { s.Token = "a.b" },
		"reference":      func(s *intake.Submission) { s.Ref = "a\r\nNats-Msg-Id: 7" },
		"long reference": func(s *intake.Submission) { s.Ref = strings.Repeat("x", intake.MaxRef+1) },
	} {
		s := Grant("1")
		change(&s)
		if err := h.Port.Submit(deadline(t), []intake.Submission{s})[0]; !errors.Is(err, intake.ErrRefused) {
			t.Errorf("%s: error %v, want ErrRefused", name, err)
		}
	}
	largest := Grant("1")
	largest.Body = make([]byte, intake.MaxBody)
	must(t, h.Port.Submit(deadline(t), []intake.Submission{largest}))
}

func receipt(source, id, ref string) intake.Receipt {
	return intake.Receipt{
		Source: source, ID: id, Ref: ref, Result: intake.Conflict, Stream: "LEDGER_01", Sequence: 7,
		RecordedTime: events.InstantFromUnixMicro(1_767_225_600_000_001), Contact: "3f0c9a5d1e7744b2a0c6d2f1908b7e55",
		Other: &intake.Position{Stream: "LEDGER_02", Sequence: 3}, Errors: []events.Fault{{Code: "x", Field: "y", Hint: "z"}},
	}
}

func listen(t *testing.T, h Harness, token string) <-chan intake.Receipt {
	t.Helper()
	got, stop, err := h.Port.Await(deadline(t), token)
	if err != nil {
		t.Fatalf("await: %v", err)
	}
	t.Cleanup(stop)
	return got
}

func send(t *testing.T, h Harness, token string, receipts ...intake.Receipt) {
	t.Helper()
	var all []intake.Addressed
	for _, r := range receipts {
		all = append(all, intake.Addressed{Token: token, Receipt: r})
	}
	if err := h.Sender.Send(deadline(t), all); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func expect(t *testing.T, got <-chan intake.Receipt, want ...intake.Receipt) {
	t.Helper()
	for _, w := range want {
		select {
		case r := <-got:
			if diff := cmp.Diff(w, r); diff != "" {
				t.Errorf("(-sent +received):\n%s", diff)
			}
		case <-deadline(t).Done():
			t.Fatal("no receipt came")
		}
	}
}

func await(t *testing.T, h Harness) {
	got, again := listen(t, h, "door-1"), listen(t, h, "door-1")
	a, b := receipt("crm.a.example", "1", "r1"), receipt("dialer/node 3", "2", "")
	send(t, h, "door-1", a, b)
	expect(t, got, a, b)
	expect(t, again, a, b)
}

func otherToken(t *testing.T, h Harness) {
	mine, none := listen(t, h, "door-1"), listen(t, h, "_")
	send(t, h, "door-2", receipt("s", "1", ""))
	send(t, h, "", receipt("s", "2", ""))
	send(t, h, "not a.token", receipt("s", "3", ""))
	send(t, h, "door-1", receipt("s", "4", ""))
	expect(t, mine, receipt("s", "4", ""))
	expect(t, none, receipt("s", "2", ""), receipt("s", "3", ""))
}

func references(t *testing.T, h Harness) {
	got := listen(t, h, "door-1")
	a, b := receipt("s", "1", "first"), receipt("s", "1", "second")
	send(t, h, "door-1", a, b)
	expect(t, got, a, b)
}

func stops(t *testing.T, h Harness) {
	got, stop, err := h.Port.Await(deadline(t), "door-1")
	if err != nil {
		t.Fatalf("await: %v", err)
	}
	stop()
	stop()
	send(t, h, "door-1", receipt("s", "1", ""))
	if _, open := <-got; open {
		t.Error("a receipt came after stop")
	}
}

func badToken(t *testing.T, h Harness) {
	for _, token := range []string{"", "a.b", "*", ">", "a b"} {
		if _, _, err := h.Port.Await(deadline(t), token); !errors.Is(err, intake.ErrRefused) {
			t.Errorf("token %q: error %v, want ErrRefused", token, err)
		}
	}
}

func nobody(t *testing.T, h Harness) { send(t, h, "nobody", receipt("s", "1", "")) }
