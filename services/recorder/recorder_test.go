package recorder

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/events/eventstest"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/ledger"
)

// TestEveryFamily: submissions of every type reach the ledger through the
// recorder of their family.
func TestEveryFamily(t *testing.T) {
	for _, f := range events.Families {
		t.Run(string(f), func(t *testing.T) {
			r := newRig(t, f)
			r.clock.now = start.Add(50 * 365 * 24 * time.Hour) // behind whatever the generator makes up
			g := eventstest.NewGenerator(7)
			r.run(func(c *Config) { c.SendsSubject = func(string) bool { return true } })
			var list []intake.Submission
			var types []events.Type
			for _, info := range events.Types {
				if info.Family != f {
					continue
				}
				body := g.Submission(info.Type)
				id, _, err := events.Peek(body)
				if err != nil {
					t.Fatalf("%s: %v", info.Type, err)
				}
				list = append(list, intake.Submission{Family: f, Source: id.Source, Type: info.Type, Token: token, Body: body})
				types = append(types, info.Type)
			}
			r.submit(list...)
			for _, got := range r.receipts(len(list)) {
				if got.Result != intake.Recorded || got.Sequence == 0 || got.RecordedTime.IsZero() {
					t.Errorf("receipt %+v", got)
				}
			}
			var recorded []events.Type
			for _, e := range r.log.events() {
				recorded = append(recorded, e.Type)
			}
			slices.Sort(types)
			slices.Sort(recorded)
			if !slices.Equal(types, recorded) {
				t.Errorf("recorded %v, want %v", recorded, types)
			}
		})
	}
}

// TestResults: the four results of design.md 5 and the positions they bear.
func TestResults(t *testing.T) {
	r := newRig(t, events.FamilyRevocations)
	r.run(nil)
	other := revoke("1", "+393401234568")
	r.submit(revoke("1", "+393401234567"), revoke("1", "3401234567"), revoke("1", "+393401234567"), other, revoke("2", "+393401234567"))
	got := r.receipts(5)
	first := got[0]
	if first.Result != intake.Recorded || first.Contact == "" || first.Ref != "ref-1" {
		t.Errorf("first: %+v", first)
	}
	if got[1].Result != intake.Rejected || got[1].Errors[0].Code != "country_missing" || got[1].Reject == "" || got[1].RejectedAt.IsZero() {
		t.Errorf("without country: %+v", got[1])
	}
	if d := got[2]; d.Result != intake.Duplicate || d.Sequence != first.Sequence || d.Stream != first.Stream || d.RecordedTime != first.RecordedTime {
		t.Errorf("duplicate in the batch: %+v, first %+v", d, first)
	}
	if c := got[3]; c.Result != intake.Conflict || c.Other == nil || c.Other.Stream != first.Stream || c.Other.Sequence != first.Sequence || c.Sequence == 0 {
		t.Errorf("conflict in the batch: %+v, first %+v", c, first)
	}
	r.settled()

	// The same again in a later batch.
	r.submit(revoke("1", "+393401234567"), other)
	again := r.receipts(2)
	if again[0].Result != intake.Duplicate || again[0].Sequence != first.Sequence || again[0].RecordedTime != first.RecordedTime {
		t.Errorf("duplicate later: %+v", again[0])
	}
	if again[1].Result != intake.Duplicate || again[1].Sequence != got[3].Sequence || again[1].Stream != got[3].Stream {
		t.Errorf("duplicate of the other variant: %+v, want the place of %+v", again[1], got[3])
	}
	r.settled()
	r.check([]string{"1", "1", "2"}, 1)
}

// TestIdentities: what the log held before this recorder lived is known through
// the port, and recording goes on without it.
func TestIdentities(t *testing.T) {
	r := newRig(t, events.FamilyRevocations)
	_, stop := r.run(nil)
	r.submit(revoke("1", "+393401234567"))
	first := r.receipts(1)[0]
	r.settled()
	stop()

	e := r.log.events()[0]
	digest, err := events.PayloadDigest(r.log.streams[ledger.Stream(first.Stream)][first.Sequence-1])
	if err != nil {
		t.Fatal(err)
	}
	port := &fakeIdentities{known: map[events.IdentityHash][]Variant{
		e.Identity().Hash(): {{Digest: digest, Stream: ledger.Stream(first.Stream), Sequence: 1, RecordedAt: e.Recorded, Contact: e.Subject}},
	}}
	r.log.window = map[string]ledger.Placed{} // the broker's window has closed
	_, stop = r.run(func(c *Config) { c.Identities = port })
	r.submit(revoke("1", "+393401234567"), revoke("1", "+393401234568"))
	got := r.receipts(2)
	if got[0].Result != intake.Duplicate || got[0].RecordedTime != first.RecordedTime || got[1].Result != intake.Conflict || got[1].Other.Sequence != 1 {
		t.Errorf("with the port: %+v", got)
	}
	r.settled()
	stop()
	r.check([]string{"1", "1"}, 0)

	for name, break_ := range map[string]func(){"down": func() { port.down = true }, "late": func() { port.down, port.late = false, true }} {
		break_()
		r.log.window = map[string]ledger.Placed{}
		_, stop = r.run(func(c *Config) { c.Identities, c.IdentitiesTimeout = port, 10*time.Millisecond })
		r.submit(revoke("new-"+name, "+393401234567"))
		if got := r.receipts(1)[0]; got.Result != intake.Recorded {
			t.Errorf("port %s: %+v", name, got)
		}
		r.settled()
		stop()
	}
}

// TestCorrectionTarget: a correction bears the contact of its target where the
// log knows it (events.md 1).
func TestCorrectionTarget(t *testing.T) {
	r := newRig(t, events.FamilyCampaigns)
	target := events.Identity{Source: "crm.a.example", ID: "g-100"}
	contact := r.vault.Key(vaultNumber("+393401234567"))
	port := &fakeIdentities{known: map[events.IdentityHash][]Variant{target.Hash(): {{Stream: "LEDGER_01", Sequence: 3, Contact: contact}}}}
	r.run(func(c *Config) { c.Identities = port })
	void := func(id, of string) intake.Submission {
		return submission(events.TypeEventCorrected, id, `{"target":{"source":"crm.a.example","id":"`+of+`"},"action":"void","reason":"typed wrong"}`)
	}
	r.submit(void("x-1", "g-100"), void("x-2", "nobody"))
	got := r.receipts(2)
	if got[0].Result != intake.Recorded || got[1].Result != intake.Recorded || got[0].Stream != string(ledger.Reference) {
		t.Fatalf("receipts %+v", got)
	}
	list := r.log.events()
	if list[0].Target != contact || !list[1].Target.IsZero() {
		t.Errorf("targets %v and %v, want %v and none", list[0].Target, list[1].Target, contact)
	}
}

// TestRefused: bad input never stops the service; each is answered with its
// codes, kept whole in the vault and named in the stream.
func TestRefused(t *testing.T) {
	r := newRig(t, events.FamilyGrants)
	r.run(func(c *Config) {
		c.Permit = func(_ context.Context, s *events.Submission) []events.Fault {
			if s.Controller == "Z" {
				return []events.Fault{{Code: "not_permitted", Field: "controller", Hint: "the key covers other controllers"}}
			}
			return nil
		}
	})
	good := `{"phone":"+393401234567","purposes":["marketing"],"channels":["operator_call"],"evidence":{"ip":"192.0.2.7"}}`
	grant := func(id string, change func(*intake.Submission)) intake.Submission {
		s := submission(events.TypeConsentGranted, id, good)
		change(&s)
		return s
	}
	replace := func(old, with string) func(*intake.Submission) {
		return func(s *intake.Submission) { s.Body = []byte(strings.Replace(string(s.Body), old, with, 1)) }
	}
	cases := []struct {
		sub  intake.Submission
		code string
	}{
		{grant("ok-1", func(*intake.Submission) {}), ""},
		{grant("bad-json", func(s *intake.Submission) { s.Body = []byte(`{"id":`) }), "json_invalid"},
		{grant("bad-phone", replace("+393401234567", "+39340")), "phone_invalid"},
		{grant("bad-scope", replace(`["marketing"]`, `["*"]`)), "scope_too_wide"},
		{grant("bad-time", replace("2026-03-04", "2027-03-04")), "time_in_future"},
		{grant("bad-hash", replace(`"purposes"`, `"notice":{"id":"n","version":"1","sha256":"zz"},"purposes"`)), "hash_invalid"},
		{grant("bad-source", replace("crm.a.example", "crm.b.example")), "not_permitted"},
		{grant("bad-controller", replace(`"controller":"A"`, `"controller":"Z"`)), "not_permitted"},
		{grant("bad-type", replace("consent.granted.v1", "consent.eaten.v1")), "type_unknown"},
		{grant("bad-subject", func(s *intake.Submission) { s.Type = events.TypeConsentRefused }), "not_permitted"},
		{grant("+393401234567", func(*intake.Submission) {}), "personal_data_in_log"},
		{grant("bad-family", func(s *intake.Submission) {
			s.Type = events.TypeConsentRevoked
			replace("consent.granted.v1", "consent.revoked.v1")(s)
		}), "family_mismatch"},
		{grant("too-large", func(s *intake.Submission) {
			replace(`"purposes"`, `"source_ref":"`+strings.Repeat("x", 70_000)+`","purposes"`)(s)
		}), "record_too_large"},
		{grant("ok-2", func(*intake.Submission) {}), ""},
	}
	var list []intake.Submission
	for _, c := range cases {
		list = append(list, c.sub)
	}
	r.submit(list...)
	rejected := 0
	for i, got := range r.receipts(len(list)) {
		want := cases[i].code
		if (want == "") != (got.Result == intake.Recorded) {
			t.Errorf("%d: receipt %+v, want code %q", i, got, want)
			continue
		}
		if want == "" {
			continue
		}
		rejected++
		if !slices.ContainsFunc(got.Errors, func(f events.Fault) bool { return f.Code == want && f.Hint != "" }) {
			t.Errorf("%d: errors %v, want %s", i, got.Errors, want)
		}
		original, err := r.cfg.Rejects.Original(context.Background(), got.Reject)
		if err != nil || string(original) != string(cases[i].sub.Body) {
			t.Errorf("%d: the original is not kept whole: %v", i, err)
		}
	}
	r.settled()
	r.check([]string{"ok-1", "ok-2"}, rejected)

	// Pages, the oldest first.
	var ids []string
	for cursor := ""; ; {
		page, next, err := r.cfg.Rejects.List(context.Background(), "crm.a.example", cursor, 5)
		if err != nil || len(page) > 5 {
			t.Fatalf("list: %d of 5, %v", len(page), err)
		}
		for _, one := range page {
			ids = append(ids, one.ID)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if want := []string{"", "bad-phone", "bad-scope", "bad-time", "bad-hash", "bad-source", "bad-controller", "bad-type", "bad-subject", "", "bad-family", "too-large"}; !slices.Equal(ids, want) {
		t.Errorf("pages name %q, want %q", ids, want)
	}
	if _, _, err := r.cfg.Rejects.List(context.Background(), "", "x", 5); err == nil {
		t.Error("a cursor that is none was taken")
	}
}

// TestAlarms: what leaves somebody callable is told at once.
func TestAlarms(t *testing.T) {
	r := newRig(t, events.FamilyOppositions)
	r.run(nil)
	opposition := func(id, phone, time string) intake.Submission {
		s := submission(events.TypeOppositionRegistered, id, `{"phone":"`+phone+`"}`)
		s.Body = []byte(strings.Replace(string(s.Body), "2026-03-04T09:00:00+01:00", time, 1))
		return s
	}
	lifting := submission(events.TypeRegisterDelisted, "lifts", `{"phone":"nobody","delisted_on":"2026-03-01"}`)
	r.submit(
		opposition("bad", "nobody", "2026-03-04T09:00:00+01:00"),
		opposition("future", "+393401234567", "2027-03-04T09:00:00+01:00"),
		lifting,
	)
	got := r.receipts(3)
	if got[0].Result != intake.Rejected || got[1].Result != intake.Recorded || got[2].Result != intake.Rejected {
		t.Fatalf("receipts %+v", got)
	}
	r.settled()
	close(r.alarms)
	var reasons []AlarmReason
	for a := range r.alarms {
		if a.Family != events.FamilyOppositions || a.Type != events.TypeOppositionRegistered || a.Source != "crm.a.example" || a.Ref == "" {
			t.Errorf("alarm %+v", a)
		}
		reasons = append(reasons, a.Reason)
	}
	if want := []AlarmReason{AlarmRejected, AlarmFuture}; !slices.Equal(reasons, want) {
		t.Errorf("alarms %v, want %v", reasons, want)
	}
	if n := r.logs.FilterMessageSnippet("alarm").Len(); n != 2 {
		t.Errorf("%d alarms in the log, want 2", n)
	}
	r.check([]string{"future"}, 2)
}

// TestLargeBatches: more than one chunk and all cores, in order.
func TestLargeBatches(t *testing.T) {
	r := newRig(t, events.FamilyRevocations)
	var list []intake.Submission
	var ids []string
	for i := range 2*chunk + 100 {
		id := fmt.Sprintf("w-%05d", i)
		list, ids = append(list, revoke(id, fmt.Sprintf("+39340123%04d", i%500))), append(ids, id)
	}
	r.submit(list...)
	r.run(nil)
	for i, got := range r.receipts(len(list)) {
		if got.ID != ids[i] || got.Result != intake.Recorded {
			t.Fatalf("receipt %d: %+v", i, got)
		}
	}
	r.settled()
	r.check(ids, 0)
	for s, stream := range r.log.streams {
		for i := 1; i < len(stream); i++ {
			a, errA := events.Decode(stream[i-1])
			b, errB := events.Decode(stream[i])
			if errA != nil || errB != nil || a.ID >= b.ID {
				t.Fatalf("%s: %s before %s", s, a.ID, b.ID)
			}
		}
	}
}
