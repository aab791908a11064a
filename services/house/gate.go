package house

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/gate"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/numbers"
	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// snapshotFile is the gate's snapshot in the data folder.
const snapshotFile = "gate.snapshot"

// openGate wires the gate, its signatures and its NATS door, if this house runs
// it.
func (h *House) openGate(context.Context) error {
	if !h.cfg.Runs(ServiceGate) {
		return nil
	}
	var source gate.Ledger = h.ledger
	var from gate.Index = index{h.view, h.indexed}
	snapshot := filepath.Join(h.cfg.Data, snapshotFile)
	if h.gateLedger != nil {
		source, from = h.gateLedger(h.contactKey)
		snapshot = ""
	}
	if h.shuffle != nil {
		source, snapshot = gateShuffled{h.ledger, shuffled{h.ledger, *h.shuffle}}, ""
	}
	var err error
	h.gate, err = gate.New(gate.Config{
		Ledger: source, Index: from, Engine: h.engine, Clock: h.clock, Log: h.log,
		Snapshot: snapshot, SnapshotEvery: h.cfg.Gate.SnapshotEvery, Patience: h.cfg.Gate.Patience,
	})
	if err != nil {
		return err
	}
	key, err := gate.OpenKey(h.cfg.Data)
	if err != nil {
		return fatal(err, "restore the key file, or remove it together with its public half to make a new one; old receipts still verify with the old public key")
	}
	h.issuer, err = gate.NewIssuer(gate.IssuerConfig{
		Gate: h.gate, Key: key, Normalise: numbers.Normalise, Contact: h.contactKey, Past: h.past, Intake: h.intake, Log: h.log,
	})
	if err != nil {
		return err
	}
	conn, err := h.doorConn()
	if err != nil {
		return err
	}
	door := gate.Door{Conn: conn, Issuer: h.issuer, Log: h.log}
	h.running = append(h.running, service{ServiceGate, h.gate.Run}, service{ServiceGate + ".receipts", h.issuer.Run}, service{ServiceGate + ".door", door.Run})
	return nil
}

// doorConn is a connection for questions alone, so that none waits behind a
// batch that is being stored.
func (h *House) doorConn() (*nats.Conn, error) {
	if h.broker == nil {
		return h.conn, nil
	}
	conn, err := h.broker.Bulk()
	if err != nil {
		return nil, fatal(err, "nothing was started")
	}
	h.onClose(closeConn(conn))
	return conn, nil
}

// gateShuffled is a ledger that is read in random order.
type gateShuffled struct {
	ledger.Ledger
	order shuffled
}

// Read implements gate.Ledger.
func (s gateShuffled) Read(ctx context.Context, stream ledger.Stream, from ledger.Sequence, limit int) ([]ledger.Record, error) {
	return s.order.Read(ctx, stream, from, limit)
}

// Follow implements gate.Ledger.
func (s gateShuffled) Follow(ctx context.Context, after ledger.Positions) (ledger.Follower, error) {
	return s.order.Follow(ctx, after)
}

// index is the event index of consentstate in the words of the gate.
type index struct {
	view  view.Reader
	await func(context.Context, view.Positions) error
}

// Await implements gate.Index.
func (i index) Await(ctx context.Context, p ledger.Positions) error {
	return i.await(ctx, positions(p))
}

// Variants implements gate.Index.
func (i index) Variants(ctx context.Context, ids []events.IdentityHash) (map[events.IdentityHash][]gate.Variant, error) {
	found, err := i.view.Identities(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("house look up identities: %w", err)
	}
	out := make(map[events.IdentityHash][]gate.Variant, len(found))
	for id, list := range found {
		for _, v := range list {
			out[id] = append(out[id], gate.Variant{Digest: v.Digest, Stream: ledger.Stream(v.Stream), Sequence: ledger.Sequence(v.Sequence), Contact: v.Contact})
		}
	}
	return out, nil
}

// History implements gate.Index.
func (i index) History(ctx context.Context, key events.ContactKey, p ledger.Positions) (*contact.History, error) {
	stored, err := i.view.History(ctx, key, positions(p))
	if errors.Is(err, view.ErrUnknown) {
		return contact.NewHistory(key, nil), nil
	}
	if err != nil {
		return nil, fmt.Errorf("house read history: %w", err)
	}
	facts, err := factsOf(stored.Events)
	if err != nil {
		return nil, err
	}
	return contact.NewHistory(key, facts), nil
}

// Disputed implements gate.Index.
func (i index) Disputed(ctx context.Context) ([]*contact.Fact, error) {
	stored, err := i.view.Disputed(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("house read disputed events: %w", err)
	}
	return factsOf(stored)
}

func factsOf(stored []view.Event) ([]*contact.Fact, error) {
	out := make([]*contact.Fact, len(stored))
	for n := range stored {
		f, err := projection.FactOf(&stored[n])
		if err != nil {
			return nil, fmt.Errorf("house read %s:%d: %w", stored[n].Stream, stored[n].Sequence, err)
		}
		out[n] = f
	}
	return out, nil
}

// past answers a question about another instant than now, from history.
func (h *House) past(ctx context.Context, a rules.Attempt) (gate.Decision, error) {
	d, err := h.desk.Decide(ctx, a)
	if err != nil {
		return gate.Decision{}, err
	}
	a.Contact = d.Contact
	return gate.Decision{Decision: d.Decision, Attempt: a.Normalised(), At: d.At, Positions: d.Positions}, nil
}

// asked is the gate as the HTTP door sees it: that of this house, or whichever
// answers over NATS.
type asked struct{ house *House }

// Ask implements gateway.Gate.
func (a asked) Ask(ctx context.Context, q events.Question) (events.Receipt, error) {
	if a.house.issuer != nil {
		return a.house.issuer.Ask(ctx, q)
	}
	body, err := json.Marshal(q)
	if err != nil {
		return events.Receipt{}, fmt.Errorf("house ask gate: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, remotePatience)
	defer cancel()
	m, err := a.house.conn.RequestWithContext(ctx, events.DecideSubject(q.Controller), body)
	if err != nil {
		return events.Receipt{}, fmt.Errorf("%w: no gate answers: %w", gateway.ErrNoGate, err)
	}
	return readReceipt(m)
}

// remotePatience is how long the door waits for a gate in another process.
const remotePatience = 2 * time.Second

func readReceipt(m *nats.Msg) (events.Receipt, error) {
	var answer struct {
		events.Receipt
		Errors []events.Fault `json:"errors"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return events.Receipt{}, fmt.Errorf("%w: its answer cannot be read: %w", gateway.ErrNoGate, err)
	}
	if len(answer.Errors) > 0 {
		return events.Receipt{}, &events.Refusal{Errors: answer.Errors}
	}
	return answer.Receipt, nil
}

// PublicKeys implements gateway.Gate.
func (a asked) PublicKeys() []ed25519.PublicKey {
	if a.house.issuer == nil {
		return nil
	}
	return []ed25519.PublicKey{a.house.issuer.PublicKey()}
}

// Recompute implements gateway.Gate: the answer that the law gives as of the
// positions of a receipt.
func (a asked) Recompute(ctx context.Context, r events.Receipt) (rules.Decision, error) {
	attempt, err := gate.AttemptOf(&r)
	if err != nil {
		return rules.Decision{}, fmt.Errorf("%w: %w", gateway.ErrReceipt, err)
	}
	p := view.Positions(r.Positions)
	if _, _, err := a.house.desk.FinalAt(ctx, inquiry.AsOf{Positions: p}); err != nil {
		return rules.Decision{}, err
	}
	return inquiry.Recompute(ctx, a.house.view, codec.Decode, a.house.engine, attempt, r.At, p)
}

// Gate is the gate of this house, nil if it runs none; Issuer signs its answers.
func (h *House) Gate() *gate.Gate { return h.gate }

// Issuer signs and records what the gate answers; nil if this house runs none.
func (h *House) Issuer() *gate.Issuer { return h.issuer }

// ContactKey is the contact key of a number under this ledger's pepper.
func (h *House) ContactKey(p events.Phone) events.ContactKey { return h.contactKey(p) }

// BrokerURL is where the embedded broker takes other connections; "" where the
// broker runs elsewhere or takes none.
func (h *House) BrokerURL() string {
	if h.broker == nil || h.cfg.NATS.Listen == "" {
		return ""
	}
	return h.broker.URL()
}

// gateReady says why the gate of this house would block everything.
func (h *House) gateReady() []string {
	if h.gate == nil {
		return nil
	}
	return append(h.gate.Ready(), h.issuer.Ready()...)
}

// lawful is what the law alone says of a decision: without the gate's doubts.
func lawful(d *gate.Decision) (events.Verdict, []rules.Reason) {
	verdict, out := events.VerdictAllow, []rules.Reason{}
	for _, r := range d.Reasons {
		if strings.HasPrefix(r.Rule, rules.DoubtPrefix) {
			continue
		}
		if r.Effect == events.VerdictBlock || verdict == events.VerdictAllow {
			verdict = r.Effect
		}
		out = append(out, r)
	}
	return verdict, out
}
