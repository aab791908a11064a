package inquiry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Scan visits every contact; the selections only make it faster.
func (s *stored) Scan(ctx context.Context, _ view.Selection, asOf view.Positions, yield func(view.History) error) error {
	seen := map[events.ContactKey]bool{}
	for _, e := range s.events {
		if e.Contact.IsZero() || seen[e.Contact] {
			continue
		}
		seen[e.Contact] = true
		h, err := s.History(ctx, e.Contact, asOf)
		if err == nil {
			err = yield(h)
		}
		if err != nil && !errors.Is(err, view.ErrUnknown) {
			return err
		}
	}
	return nil
}

// Disputed: nothing is corrected or in conflict.
func (s *stored) Disputed(context.Context, view.Positions) ([]view.Event, error) { return nil, nil }

// told makes recorded events, each at its own minute of 5 March.
type told struct {
	*stored
	n uint64
}

func (l *told) add(typ, controller, id, subject, data string) {
	l.n++
	when := fmt.Sprintf("2026-03-05T10:%02d:00.000Z", l.n)
	who, campaign := "", ""
	if subject != "" {
		who = `"subject":"` + subject + `",`
	}
	if typ == "call.concluded.v1" || typ == "campaign.opened.v1" {
		campaign = `"campaign":"K-A",`
	}
	if controller != "" {
		controller = `"controller":"` + controller + `",`
	}
	body := fmt.Sprintf(`{%s%s"data":%s,"id":"%s","receivedtime":"%s","recordedtime":"%s","source":"s","specversion":"1.0",%s"time":"%s","type":"%s"}`,
		campaign, controller, strings.ReplaceAll(data, "NOW", when), id, when, when, who, when, typ)
	stream := "LEDGER_00"
	if subject == "" {
		stream = view.Reference
	}
	l.events = append(l.events, record(stream, l.n, at(when), body))
}

const person = "07000000000000000000000000000000"

// sale is a campaign with one call that led to a contract.
func sale() *told {
	l := &told{stored: &stored{}}
	l.add("code.adhered.v1", "A", "code", "", `{"from":"2024-09-28"}`)
	l.add("campaign.opened.v1", "A", "k", "", `{"channels":["operator_call"],"clis":["+390844100100"],"lists":["L-A"],"purpose":"marketing","sector":"telecom"}`)
	l.add("caller_id.declared.v1", "", "cli", "", `{"clis":["+390844100100"],"from":"2020-01-01","holder":"P1"}`)
	l.add("caller_id.declared.v1", "", "old", "", `{"clis":["+390844100109"],"from":"2020-01-01","holder":"P2","to":"2020-12-31"}`)
	l.add("decision.issued.v1", "A", "d", person, `{"attempt":"a","expires_at":"2026-03-05T12:00:00.000Z","line":"mobile","pack":"it","positions":{},"reasons":[],"verdict":"allow"}`)
	l.add("call.concluded.v1", "A", "a", person, `{"agent":"op-1","channel":"operator_call","cli":"+390844100100","decision":"d","dialled_at":"NOW","disposition":"sale","line":"mobile","processor":"P1","purpose":"marketing"}`)
	l.add("contract.concluded.v1", "A", "c", person, `{"brought_by":"P1","channel":"phone","continuous":true,"contract":"C","line":"mobile","origin":"a","started_on":"2026-03-05"}`)
	l.add("contract.concluded.v1", "A", "c0", person, `{"channel":"phone","continuous":true,"contract":"C0","line":"mobile","started_on":"2026-03-05"}`)
	for _, controller := range []string{"A", "B"} {
		l.add("contract.concluded.v1", controller, "c2"+controller, person, `{"channel":"shop","continuous":true,"contract":"C2","line":"mobile","started_on":"2026-03-05"}`)
	}
	l.add("commission.paid.v1", "A", "paid", "", `{"contract":"C","processor":"P1"}`)
	return l
}

func italian(t *testing.T) *rules.Engine {
	t.Helper()
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	return rules.NewEngine(packs)
}

func TestAContractIsFollowedToTheConsent(t *testing.T) {
	l, engine := sale(), italian(t)
	ask := func(q OriginQuestion) (Origin, error) {
		q.AsOf = noon
		return TraceContract(context.Background(), l.stored, events.Decode, engine, q)
	}
	o, err := ask(OriginQuestion{Contract: "C", Objects: []rules.Finding{{Rule: "IT-CDC-10", Object: "C", Controller: "A"}, {Rule: "IT-ENE-03", Object: "C", Controller: "B"}}})
	if err != nil {
		t.Fatal(err)
	}
	var links []string
	for _, k := range o.Chain {
		links = append(links, fmt.Sprintf("%s %v %s", k.Link, k.Found, k.ID))
	}
	if want := []string{"contract true C", "call true a", "operator true op-1", "campaign true K-A", "list false ", "consent false "}; !slices.Equal(links, want) {
		t.Errorf("chain %q, want %q", links, want)
	}
	if o.Missing != "list" || !o.Withhold || !slices.Equal(o.Paid, []string{"P1"}) || o.Contact != key {
		t.Errorf("%+v", o)
	}
	broken := map[string]bool{}
	for _, f := range o.Findings {
		broken[f.Rule] = true
	}
	if !broken["IT-CDC-10"] || !broken["IT-LST-01"] || broken["IT-ENE-03"] {
		t.Errorf("findings %v", broken)
	}
	if o, err = ask(OriginQuestion{Contract: "C0"}); err != nil || o.Missing != "call" || o.Withhold {
		t.Errorf("without origin: %+v, %v", o, err)
	}
	if _, err = ask(OriginQuestion{Contract: "C2"}); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("two controllers: %v", err)
	}
	if o, err = ask(OriginQuestion{Contract: "C2", Controller: "B"}); err != nil || o.Controller != "B" {
		t.Errorf("one of two: %+v, %v", o, err)
	}
	if _, err = ask(OriginQuestion{Contract: "C9"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
}

func TestACaseFileTellsWhoCalled(t *testing.T) {
	l, engine := sale(), italian(t)
	for _, c := range []struct {
		q        CaseQuestion
		attempts int
		others   int
		declared string // holder and whether valid
		summary  string
	}{
		{CaseQuestion{Contact: key}, 1, 0, "", "1 attempts to this number"},
		{CaseQuestion{Contact: key, CLI: "+390844100100", ClaimedAt: noon}, 1, 0, "", "1 of 1 recorded attempts presented"},
		{CaseQuestion{Contact: key, ClaimedAt: at("2026-02-01T10:00:00Z")}, 0, 1, "", "No attempt"},
		{CaseQuestion{Contact: key, CLI: "+390844100109", ClaimedAt: noon}, 1, 0, "P2 false", "but not for that day"},
		{CaseQuestion{Contact: events.ContactKey{9}, CLI: "+390844100100"}, 0, 0, "P1 true", "declared by the holders"},
		{CaseQuestion{Contact: key, CLI: "+390299999999"}, 1, 0, "", "nobody ever declared it"},
	} {
		c.q.AsOf = noon
		got, err := CaseFile(context.Background(), l.stored, events.Decode, engine, c.q)
		if err != nil {
			t.Fatal(err)
		}
		var declared []string
		for _, d := range got.Declared {
			declared = append(declared, fmt.Sprintf("%s %v", d.Holder, d.Valid))
		}
		if len(got.Attempts) != c.attempts || got.Others != c.others || strings.Join(declared, ";") != c.declared || !strings.Contains(got.Summary, c.summary) {
			t.Errorf("%+v: %d attempts, %d others, declared %v, %q", c.q, len(got.Attempts), got.Others, declared, got.Summary)
		}
		for _, a := range got.Attempts {
			if a.Gate == nil || a.Gate.Verdict != events.VerdictAllow || a.Gate.Event.ID != "d" || len(a.Findings) == 0 || len(a.State) == 0 {
				t.Errorf("%+v: attempt %+v", c.q, a)
			}
		}
	}
}

func TestADraftChangesWhatItNames(t *testing.T) {
	l, engine := sale(), italian(t)
	packs, err := rules.LoadDraft(it.Files, rules.Draft{Name: "draft", Text: []byte("parameters:\n  hours.weekday_close:\n    - {value: \"11:00\", tag: U, source: x}\n")})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(draft Replayer, q WhatIfQuestion) WhatIf {
		q.Campaign, q.AsOf = kA, noon
		got, err := Replay(context.Background(), l.stored, events.Decode, engine, draft, q)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := ask(rules.NewEngine(packs), WhatIfQuestion{Limit: 10}) // the call was dialled at 11:06 in Rome
	if got.Attempts != 1 || got.Changed != 1 || len(got.List) != 1 || got.More {
		t.Fatalf("%+v", got)
	}
	if want := []RuleChange{{Rule: "IT-CDC-01", ReasonsAdded: 1, FindingsAdded: 1}}; !slices.Equal(got.Rules, want) {
		t.Errorf("rules %+v, want %+v", got.Rules, want)
	}
	if x := ask(rules.NewEngine(packs), WhatIfQuestion{}); !x.More || len(x.List) != 0 || x.Changed != 1 {
		t.Errorf("without room: %+v", x)
	}
	if x := ask(engine, WhatIfQuestion{Limit: 10}); x.Attempts != 1 || x.Changed != 0 {
		t.Errorf("the same pack: %+v", x)
	}
	if x := ask(engine, WhatIfQuestion{To: at("2026-03-05T10:05:00Z")}); x.Attempts != 0 {
		t.Errorf("before the call: %+v", x)
	}
	if x := ask(engine, WhatIfQuestion{From: at("2026-03-05T10:05:00Z")}); x.Attempts != 1 {
		t.Errorf("from the call on: %+v", x)
	}
}

func TestPositionsNameTheirInstant(t *testing.T) {
	d, _ := desk(func(*Desk, *stored, map[events.Family]Beat) {})
	r, p, err := d.FinalAt(context.Background(), AsOf{Positions: view.Positions{view.Reference: 1}})
	if err != nil || r != at("2026-03-01T08:00:00Z") || p["LEDGER_00"] != 0 {
		t.Errorf("the campaign alone: %s, %v, %v", r, p, err)
	}
	if r, _, err = d.FinalAt(context.Background(), AsOf{Positions: view.Positions{view.Reference: 1, "LEDGER_00": 1}}); err != nil || r != at("2026-03-04T09:00:00Z") {
		t.Errorf("both: %s, %v", r, err)
	}
}
