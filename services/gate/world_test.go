package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/projection/projectiontest"
	"github.com/assenso/assenso/services/rules"
)

func law(t testing.TB) *rules.Engine {
	t.Helper()
	packs, err := rules.LoadPacks(it.Files)
	if err != nil {
		t.Fatal(err)
	}
	return rules.NewEngine(packs)
}

// must reports a failure to a rapid check or a test.
type must interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// plainLog is a log read in the simplest way: all facts in memory. It is the
// gate's index too, and can be told to fail or to lag.
type plainLog struct {
	facts []*contact.Fact
	down  atomic.Bool
	asked atomic.Int64
}

var errDown = errors.New("index down")

func readPlainly(t must, log *projectiontest.Log) *plainLog {
	t.Helper()
	p := &plainLog{}
	for stream, bodies := range log.Streams {
		var running events.Instant
		seen := map[string]bool{}
		for i, body := range bodies {
			e, err := codec.Decode(body)
			if err != nil {
				t.Fatal(err)
			}
			digest, err := codec.Digest(body)
			if err != nil {
				t.Fatal(err)
			}
			running = max(running, e.Recorded)
			e.Recorded = running
			if variant := e.Source + "/" + e.ID + "/" + digest.String(); !seen[variant] {
				seen[variant] = true
				p.facts = append(p.facts, contact.NewFact(e, digest, body, string(stream), uint64(i+1)))
			}
		}
	}
	return p
}

func within(f *contact.Fact, p ledger.Positions) bool {
	return p == nil || ledger.Sequence(f.Sequence) <= p[ledger.Stream(f.Stream)]
}

// bearing returns the facts that bear on a contact within p.
func (l *plainLog) bearing(key events.ContactKey, p ledger.Positions) []*contact.Fact {
	ids := map[events.Identity]bool{}
	for _, f := range l.facts {
		if f.Subject == key && within(f, p) {
			ids[f.Identity()] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, f := range l.facts {
			if c, ok := f.Data.(*events.EventCorrected); ok && ids[c.Target] && !ids[f.Identity()] && within(f, p) {
				ids[f.Identity()], grown = true, true
			}
		}
	}
	var out []*contact.Fact
	for _, f := range l.facts {
		if ids[f.Identity()] && within(f, p) {
			out = append(out, f)
		}
	}
	return out
}

func (l *plainLog) disputed(p ledger.Positions) (variants map[events.Identity]int, corrected map[events.Identity]bool) {
	variants, corrected = map[events.Identity]int{}, map[events.Identity]bool{}
	for _, f := range l.facts {
		if !within(f, p) {
			continue
		}
		variants[f.Identity()]++
		if c, ok := f.Data.(*events.EventCorrected); ok {
			corrected[c.Target] = true
		}
	}
	return variants, corrected
}

// reference is the reference state of everything within p.
func (l *plainLog) reference(p ledger.Positions) *rules.Reference {
	ref := rules.NewReference()
	variants, corrected := l.disputed(p)
	for _, f := range l.facts {
		switch {
		case !within(f, p):
		case f.Subject.IsZero():
			ref.Add(f)
		case f.Type == events.TypeCallConcluded && (variants[f.Identity()] > 1 || corrected[f.Identity()]):
			ref.Dispute(f)
		case f.Type == events.TypeCallConcluded:
			ref.AddCall(f)
		case variants[f.Identity()] > 1:
			ref.Add(f)
		}
	}
	return ref
}

func (l *plainLog) fault() error {
	if l.down.Load() {
		return errDown
	}
	return nil
}

// Await implements Index.
func (l *plainLog) Await(ctx context.Context, _ ledger.Positions) error {
	if err := l.fault(); err != nil {
		return err
	}
	return ctx.Err()
}

// Variants implements Index.
func (l *plainLog) Variants(_ context.Context, ids []events.IdentityHash) (map[events.IdentityHash][]Variant, error) {
	l.asked.Add(1)
	out := map[events.IdentityHash][]Variant{}
	for _, f := range l.facts {
		if id := f.Identity().Hash(); slices.Contains(ids, id) {
			out[id] = append(out[id], Variant{f.Digest, ledger.Stream(f.Stream), ledger.Sequence(f.Sequence), f.Subject})
		}
	}
	return out, l.fault()
}

// History implements Index.
func (l *plainLog) History(_ context.Context, key events.ContactKey, p ledger.Positions) (*contact.History, error) {
	return contact.NewHistory(key, l.bearing(key, p)), l.fault()
}

// Disputed implements Index.
func (l *plainLog) Disputed(context.Context) ([]*contact.Fact, error) {
	variants, corrected := l.disputed(nil)
	var out []*contact.Fact
	for _, f := range l.facts {
		if !f.Subject.IsZero() && (variants[f.Identity()] > 1 || corrected[f.Identity()]) {
			out = append(out, f)
		}
	}
	return out, l.fault()
}

// logLedger is a finished log with beats.
type logLedger struct {
	*projectiontest.Log
	clock func() events.Instant
	stale atomic.Bool
	ahead atomic.Bool // the beats promise more than there is
}

// Partitions implements Ledger.
func (*logLedger) Partitions() int { return projectiontest.Partitions }

// Read implements Ledger; a shuffled log withholds the reference
// stream, but for single records.
func (l *logLedger) Read(ctx context.Context, s ledger.Stream, from ledger.Sequence, limit int) ([]ledger.Record, error) {
	if s == ledger.Reference && limit > 1 {
		return l.Log.Read(ctx, s, from, limit)
	}
	return l.Shuffled(0).Read(ctx, s, from, limit)
}

// Beats implements Ledger.
func (l *logLedger) Beats(ctx context.Context) (map[events.Family]ledger.Beat, error) {
	last, err := l.Last(ctx)
	if l.ahead.Load() {
		last[ledger.Partition(0)]++
	}
	at := l.clock()
	if l.stale.Load() {
		at = at.Add(-6e9)
	}
	out := map[events.Family]ledger.Beat{}
	for _, f := range events.Families {
		out[f] = ledger.Beat{Family: f, Instant: at, Positions: last}
	}
	return out, err
}

// started runs a gate over the log until it has applied everything and knows
// the beats: a test whose gate has no patience must not come before them.
func started(t must, cfg Config) (*Gate, func()) {
	t.Helper()
	cfg.Log = zap.NewNop()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	last, err := cfg.Ledger.Last(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for {
		moved := g.waiting()
		g.mu.RLock()
		done := g.covers(last)
		g.mu.RUnlock()
		if done {
			break
		}
		select {
		case <-moved:
		case err := <-ended:
			t.Fatal(err)
		}
	}
	g.readBeats(ctx)
	return g, func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

// draw makes a random log: few contacts, controllers, ids and instants, so that
// everything meets everything. The clock of the end is returned.
func draw(t *rapid.T) (*projectiontest.Log, events.Instant) {
	b := projectiontest.Build()
	now := projectiontest.DayStart
	oneOf := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	number := func(name string, below int) int { return rapid.IntRange(0, below-1).Draw(t, name) }
	foundation(b)
	for range rapid.IntRange(1, 40).Draw(t, "events") {
		now = now.Add(1e9 * 60 * 10 * int64Duration(number("step", 4)))
		b.At(now)
		d := drawn{t: t, oneOf: oneOf, number: number, now: now}
		d.put(b)
	}
	return b.Log(), now
}

// foundation is what makes allowed calls possible.
func foundation(b *projectiontest.Builder) {
	start := projectiontest.DayStart.Add(-48 * 3600e9)
	put := func(id, typ, controller, campaign string, data map[string]any) {
		b.Put(id, "crm."+controller, typ, controller, campaign, start, events.ContactKey{}, data)
	}
	for _, c := range []string{"A", "B"} {
		put("k-"+c, "campaign.opened", c, "K-"+c, map[string]any{"purpose": "marketing", "channels": []string{"operator_call"}, "sector": "telecom",
			"lists": []string{"L-" + c}, "clis": []string{"+390844100100", "+390612345678"}})
		put("n-"+c, "notice.published", c, "", map[string]any{"notice": "N", "version": "1", "sha256": sha, "effective_from": "2025-01-01"})
		put("s-"+c, "script.published", c, "K-"+c, map[string]any{"script": "S", "sha256": sha, "third_party_intro": true})
		put("l-"+c, "list.activated", c, "", map[string]any{"list": "L-" + c})
		put("b-"+c, "register.screening_completed", c, "", map[string]any{"batch": "B-" + c, "list": "L-" + c, "snapshot_at": start.String()})
		b.Put("d-"+c, "roc", "caller_id.declared", "", "", start, events.ContactKey{}, map[string]any{"holder": c, "clis": []string{"+390844100100", "+390612345678"}, "from": "2025-01-01"})
	}
	b.Put("t", "roc", "caller_id.tested", "", "", start, events.ContactKey{}, map[string]any{"cli": "+390844100100", "ok": true})
}

const sha = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// drawn draws one event.
type drawn struct {
	t      *rapid.T
	oneOf  func(name string, of ...string) string
	number func(name string, below int) int
	now    events.Instant
}

func (d *drawn) put(b *projectiontest.Builder) {
	c := d.oneOf("controller", "A", "A", "B")
	key := projectiontest.Contact(d.number("contact", 3))
	at := d.now.Add(-600e9 * int64Duration(d.number("age", 20))).Add(700e9 * int64Duration(d.number("ahead", 2))) // some 10 min ahead
	id := fmt.Sprintf("e%d", d.number("id", 60))
	typ := d.oneOf("type", "consent.granted", "consent.granted", "consent.revoked", "consent.refused", "consent.invalidated", "consent.reverified",
		"opposition.registered", "register.listed", "register.delisted", "register.selectively_revoked", "register.screened", "register.screened", "register.screened",
		"call.concluded", "call.concluded", "callback.requested", "call.inbound", "contract.concluded", "contract.ended", "list.contact_added", "list.contact_added",
		"list.contact_removed", "directory.extracted", "number.reassigned", "erasure.executed", "event.corrected", "complaint.received", "order.issued", "script.published")
	campaign := ""
	data := map[string]any{}
	switch typ {
	case "call.concluded":
		campaign = "K-" + c
		d.call(at, data)
	case "event.corrected", "order.issued", "script.published":
		key = events.ContactKey{}
		campaign = d.reference(typ, c, data)
	default:
		d.payload(typ, at, c, data)
	}
	b.Put(id, d.oneOf("source", "crm", "web"), typ, c, campaign, at, key, data)
}

func (d *drawn) reference(typ, c string, data map[string]any) (campaign string) {
	switch typ {
	case "event.corrected":
		data["target"] = map[string]any{"source": d.oneOf("target source", "crm", "web"), "id": fmt.Sprintf("e%d", d.number("target", 60))}
		data["action"], data["reason"] = "void", "wrong"
		if d.number("amend", 2) == 0 {
			data["action"], data["new_time"] = "amend", d.now.Add(-3600e9).String()
		}
	case "order.issued":
		data["authority"], data["number"], data["kind"], data["from"] = "garante", "1", "prohibition", "2026-01-01"
		data["scope"] = map[string]any{"sources": []string{d.oneOf("order source", "web form", "none")}}
	case "script.published":
		data["script"], data["sha256"], data["third_party_intro"] = "S", sha, d.number("intro", 2) == 0
		return "K-" + c
	}
	return ""
}

func (d *drawn) call(end events.Instant, data map[string]any) {
	dialled := end.Add(-30e9 * int64Duration(d.number("length", 3)))
	data["dialled_at"], data["purpose"], data["channel"], data["cli"] = dialled.String(), "marketing", "operator_call", "+390844100100"
	data["disposition"] = d.oneOf("disposition", "no_answer", "silent", "not_interested", "sale")
	if d.number("answered", 2) == 0 {
		data["answered_at"] = dialled.String()
	}
	if b := d.oneOf("basis", "", "request", "consent"); b != "" {
		data["basis"] = b
	}
	data["released_at"] = end.String()
}

func (d *drawn) payload(typ string, at events.Instant, c string, data map[string]any) {
	day := func(name string) string {
		return d.oneOf(name, "2026-03-01", "2026-03-19", "2026-03-20", "2026-03-21")
	}
	grant := fmt.Sprintf("e%d", d.number("grant", 60))
	switch typ {
	case "consent.granted":
		d.grant(at, data)
	case "consent.revoked", "consent.refused", "opposition.registered":
		if d.number("scoped", 2) == 0 {
			data["channels"] = []string{d.oneOf("channel", "operator_call", "sms", "email")}
		}
		if typ == "opposition.registered" && d.number("also", 3) == 0 {
			data["also_controllers"] = []string{"A", "B"}
		}
	case "consent.invalidated":
		data["grant"], data["reason"] = grant, d.oneOf("reason", "bundled", "tainted", "fake", "wrong_number")
	case "consent.reverified":
		data["grant"], data["result"] = grant, d.oneOf("result", "confirmed", "not_confirmed")
	case "register.listed":
		data["listed_on"] = day("listed")
	case "register.delisted":
		data["delisted_on"] = day("delisted")
	case "register.selectively_revoked":
		data["from"], data["to"] = "2026-03-01", day("to")
	case "register.screened":
		data["batch"], data["answer"] = d.oneOf("batch", "B-A", "B-B", "B-1", "B-2", "B-3"), d.oneOf("answer", "clear", "clear", "opposed", "selective", "invalid")
		data["snapshot_at"] = at.Add(-60e9).String()
		if data["answer"] == "selective" {
			data["selective_to"] = day("selective to")
		}
	case "callback.requested":
		if d.number("product", 2) == 0 {
			data["product"] = "fibre"
		}
	case "contract.concluded":
		data["contract"], data["continuous"], data["started_on"], data["channel"] = d.oneOf("contract", "C1", "C2"), d.number("continuous", 2) == 0, "2026-02-01", "web"
		data["email_notice"] = d.number("notice", 2) == 0
	case "contract.ended":
		data["contract"], data["ended_on"] = d.oneOf("contract", "C1", "C2"), day("ended")
	case "list.contact_added":
		data["list"] = d.oneOf("list", "L-A", "L-B")
		if d.number("complete", 3) > 0 {
			data["source"], data["collector"], data["acquired_on"] = "web form", "C9", "2026-01-15"
		}
		if v := d.oneOf("vendor", "", "V", "B"); v != "" {
			data["vendor"] = v
		}
		if d.number("legal", 4) == 0 {
			data["holder"] = "legal"
		}
	case "list.contact_removed":
		data["list"] = d.oneOf("list", "L-A", "L-B")
	case "directory.extracted":
		data["in_directory"], data["extracted_on"] = d.number("in", 2) == 0, day("extracted")
	}
}

func (d *drawn) grant(at events.Instant, data map[string]any) {
	data["purposes"], data["channels"] = []string{"marketing", d.oneOf("purpose", "service", "third_party_disclosure")}, []string{d.oneOf("channel", "operator_call", "operator_call", "sms")}
	if d.number("complete", 4) > 0 {
		proof := map[string]any{"kind": d.oneOf("kind", "double_opt_in", "signed_form"), "sha256": sha, "immutable": true}
		proof["confirmed_at"] = at.Add(300e9 * int64Duration(d.number("confirmed", 5))).String()
		data["proof"], data["source_ref"] = proof, fmt.Sprintf("https://a.example/%d", d.number("form", 50))
		data["notice"] = map[string]any{"id": "N", "version": "1", "sha256": sha}
	}
	if d.number("contract of", 4) == 0 {
		data["contract"] = d.oneOf("contract", "C1", "C2")
	}
	if d.number("in a call", 6) == 0 {
		data["collection_attempt"] = fmt.Sprintf("e%d", d.number("call", 60))
	}
	if d.number("recipients", 3) == 0 {
		data["recipients"] = map[string]any{"controllers": []string{"A", "B"}}
	}
	if d.number("valid", 5) == 0 {
		data["valid_to"] = d.oneOf("valid to", "2026-03-19", "2026-03-20")
	}
}

func (d *drawn) attempt() rules.Attempt {
	c := d.oneOf("asked controller", "A", "A", "B")
	return rules.Attempt{
		ID: "q", Contact: projectiontest.Contact(d.number("asked contact", 4)), Controller: c, Campaign: d.oneOf("asked campaign", "K-"+c, "K-"+c, "K-"+c, "K-none"),
		Purpose: events.Purpose(d.oneOf("asked purpose", "marketing", "marketing", "service")),
		CLI:     d.oneOf("asked cli", "+390844100100", "+390612345678"), // the second was never tested
		Channel: events.Channel(d.oneOf("asked channel", "operator_call", "operator_call", "automated_call", "sms", "email", "paper_mail")),
		Basis:   events.Basis(d.oneOf("asked basis", "", "consent", "request", "directory")), Grant: d.oneOf("asked grant", "", "e3"),
		Batch: d.oneOf("asked batch", "", "B-B"), AgentReserved: d.number("reserved", 2) == 0,
	}.Normalised()
}
