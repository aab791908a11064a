package recorder

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/worker"
)

// chunk is how many events go to the vault, and then to the ledger, together:
// while one chunk is appended the next is sealed.
const chunk = 4000

// item is one message on its way through a batch.
type item struct {
	msg    *worker.Message
	source string // of the subject, hence of the credential
	sub    *events.Submission
	faults []events.Fault
	poison error // decoding it panicked

	key  events.ContactKey
	rec  *events.Recordable
	hash events.IdentityHash

	copyOf  *Variant // this very payload is in the log
	twin    *item    // or earlier in this batch
	before  []Variant
	sibling *item // earlier in this batch, same identity, other payload
	own     bool  // an Append of this message was begun before
	placed  Variant
	again   bool // the broker knew the message id
	reject  Reject
}

func (i *item) valid() bool { return i.rec != nil }

// Handle records one batch of queued submissions. It returns nil when every
// submission is in the ledger or among the rejects, durably, and its receipt
// was sent. After an error nothing may be relied upon; the same batch, or any
// part of it, may be handled again. It is not safe for concurrent use: the
// order of the queue is the order of the ledger.
func (r *Recorder) Handle(ctx context.Context, batch []worker.Message) error {
	items, err := r.decode(ctx, batch)
	if err != nil {
		return err
	}
	if err := r.refuse(ctx, items); err != nil {
		return err
	}
	r.compare(ctx, items)
	if err := r.store(ctx, items); err != nil {
		return err
	}
	r.horizon.settle()
	r.answer(ctx, items)
	for i := range items {
		delete(r.attempted, items[i].msg.Sequence)
		delete(r.refused, items[i].msg.Sequence)
	}
	return nil
}

// refuse keeps the invalid submissions and raises the alarms. What an earlier
// try of this batch has kept is not kept again.
func (r *Recorder) refuse(ctx context.Context, items []item) error {
	var fresh []*item
	var refusals []Refusal
	for n := range items {
		i := &items[n]
		if i.valid() {
			continue
		}
		if done, ok := r.refused[i.msg.Sequence]; ok {
			i.reject = done
			continue
		}
		fresh = append(fresh, i)
		refusals = append(refusals, Refusal{
			Reject: idOf(i.msg), Source: i.source, ID: i.sub.ID, Type: string(i.sub.Type), Errors: i.faults, Body: i.msg.Body,
		})
	}
	if len(fresh) == 0 {
		return nil
	}
	defer r.step("reject")()
	kept, err := r.cfg.Rejects.Reject(ctx, refusals)
	if err != nil {
		return fmt.Errorf("record %s: %w", r.cfg.Family, err)
	}
	for n, i := range fresh {
		i.reject = kept[n]
		r.refused[i.msg.Sequence] = kept[n]
		if r.leavesCallable(i.sub.Type) {
			r.raise(Alarm{Reason: AlarmRejected, Source: kept[n].Source, Type: kept[n].Type, Ref: kept[n].Reject})
		}
	}
	return nil
}

// leavesCallable judges a type by its own family, an unreadable one by ours.
func (r *Recorder) leavesCallable(t events.Type) bool {
	if f, ok := families[t.Family()]; ok {
		return f.restricts(t)
	}
	return r.family.restricts("")
}

// compare finds duplicates and conflicts, in the log as far as it is known and
// within the batch, and the contacts of corrections' targets.
func (r *Recorder) compare(ctx context.Context, items []item) {
	defer r.step("compare")()
	answers := r.ask(ctx, items)
	seen := make(map[events.IdentityHash][]*item, len(items))
	for n := range items {
		i := &items[n]
		if !i.valid() {
			continue
		}
		_, i.own = r.attempted[i.msg.Sequence]
		known := merge(r.recent.get(i.hash), answers[i.hash])
		i.before = known
		for k := range known {
			if known[k].Digest == i.rec.Digest {
				i.copyOf, i.before = &known[k], known[:k]
				break
			}
		}
		if i.copyOf == nil {
			for _, former := range seen[i.hash] {
				if former.rec.Digest == i.rec.Digest {
					i.twin = former
				} else if i.sibling == nil {
					i.sibling = former
				}
			}
		}
		if i.copyOf == nil && i.twin == nil {
			seen[i.hash] = append(seen[i.hash], i)
			r.target(i, answers)
		}
	}
}

// target stamps the contact of a correction's target, where it is known.
func (r *Recorder) target(i *item, answers map[events.IdentityHash][]Variant) {
	id, ok := r.family.target(i.sub)
	if !ok {
		return
	}
	for _, v := range answers[id.Hash()] {
		if v.Contact.IsZero() {
			continue
		}
		if rec, fault := i.sub.Record(i.key, v.Contact); fault == nil {
			i.rec = rec // the digest is the same: it leaves the target's contact out
		}
		return
	}
}

// store writes what is new to the vault and then to the ledger, chunk by chunk:
// the vault is one chunk ahead. An event in the log thus always has its number
// in the vault, and a number whose event was never appended is only an entry
// that nothing points to.
func (r *Recorder) store(ctx context.Context, items []item) error {
	var fresh []*item
	for n := range items {
		if i := &items[n]; i.valid() && i.copyOf == nil && i.twin == nil {
			fresh = append(fresh, i)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sealed := make(chan error, 1)
	seal := func(part []*item) { sealed <- r.seal(ctx, part) }
	cut := func(from int) []*item { return fresh[from:min(from+chunk, len(fresh))] }
	go seal(cut(0))
	var failed error
	for from := 0; from < len(fresh); from += chunk {
		if err := <-sealed; err != nil {
			return fmt.Errorf("record %s: %w", r.cfg.Family, err)
		}
		more := from+chunk < len(fresh)
		if more {
			go seal(cut(from + chunk))
		}
		if failed = r.append(ctx, cut(from)); failed != nil {
			if more {
				cancel()
				_ = <-sealed // the goroutine ends before the items are looked at again; its batch failed already
			}
			return fmt.Errorf("record %s: %w", r.cfg.Family, failed)
		}
	}
	return nil
}

// seal upserts numbers and evidence in one transaction.
func (r *Recorder) seal(ctx context.Context, part []*item) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("seal: panic of type %T in the vault", v) // the value may quote a number
		}
	}()
	defer r.step("vault")()
	entries := make([]vault.Entry, 0, len(part))
	for _, i := range part {
		number := i.sub.Phone.E164()
		if number == "" && i.sub.Evidence == nil {
			continue
		}
		e := vault.Entry{Contact: i.key, Controller: i.sub.Controller, Number: vault.NewNumber(number), OccurredAt: i.sub.Time}
		if i.sub.Evidence != nil {
			e.Evidence, e.Digest = i.sub.Evidence, evidenceDigest(i.sub.Evidence)
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return nil
	}
	if err := r.cfg.Vault.Upsert(ctx, entries); err != nil {
		return fmt.Errorf("seal numbers and evidence: %w", err)
	}
	return nil
}

// append hands a part to the ledger in one call and remembers what was stored.
// A fault that repeating helps goes before one that it does not, so that a
// message is parked only when the fate of all others is known.
func (r *Recorder) append(ctx context.Context, part []*item) error {
	defer r.step("ledger")()
	entries := make([]ledger.Entry, len(part))
	for n, i := range part {
		entries[n] = ledger.Entry{
			Subject: events.LedgerSubject(r.partition(i.key), i.rec.Type, i.sub.Controller), Contact: i.key,
			MessageID: i.rec.MessageID, Head: i.rec.Head, Tail: i.rec.Tail, Trace: i.msg.Get(intake.HeaderTrace),
		}
		r.attempted[i.msg.Sequence] = struct{}{}
	}
	r.horizon.begin()
	placed, err := r.cfg.Ledger.Append(ctx, entries)
	var fatal error
	for n, i := range part[:min(len(part), len(placed))] {
		p := &placed[n]
		switch {
		case p.Err == nil:
			r.remember(i, p)
		case Transient(p.Err):
			if err == nil {
				err = p.Err
			}
		case fatal == nil:
			fatal = p.Err
		}
	}
	if err == nil && len(placed) < len(part) {
		err = fmt.Errorf("%d of %d entries have an outcome: %w", len(placed), len(part), ledger.ErrAmbiguous)
	}
	// An entry that is refused for now may have been stored by the try before,
	// of which the answer was lost: only a success, or a refusal for good,
	// settles it.
	r.horizon.end(err == nil)
	if err == nil {
		err = fatal
	}
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	return nil
}

func (r *Recorder) remember(i *item, p *ledger.Placed) {
	i.placed = Variant{Digest: i.rec.Digest, Stream: p.Stream, Sequence: p.Sequence, RecordedAt: p.RecordedAt, Contact: i.key}
	i.again = p.Duplicate
	known := i.before
	if i.sibling != nil {
		known = r.recent.get(i.hash)
	}
	r.recent.put(i.hash, known, i.placed)
}

// partition is the token of a key's partition in a subject: "00" …, or "ref".
func (r *Recorder) partition(key events.ContactKey) string {
	if key.IsZero() {
		return "ref"
	}
	return r.tokens[key.Partition(len(r.tokens))]
}

// answer sends the receipts. They may be missed, so a fault is only counted.
func (r *Recorder) answer(ctx context.Context, items []item) {
	defer r.step("receipts")()
	out := make([]intake.Addressed, len(items))
	counts := make(map[intake.Result]int, 4)
	for n := range items {
		i := &items[n]
		out[n] = intake.Addressed{Token: i.msg.Get(intake.HeaderToken), Receipt: i.receipt()}
		counts[out[n].Receipt.Result]++
		if i.valid() && i.sub.Future && i.copyOf == nil && i.twin == nil {
			r.raise(Alarm{Reason: AlarmFuture, Source: i.source, Type: i.sub.Type, Ref: clean(i.sub.ID)})
		}
	}
	for result, n := range counts {
		r.metrics.results.WithLabelValues(string(r.cfg.Family), string(result)).Add(float64(n))
	}
	if err := r.cfg.Receipts.Send(ctx, out); err != nil {
		r.metrics.receipts.WithLabelValues(string(r.cfg.Family)).Inc()
		r.log.Warn("receipts not sent: senders ask again with the same identity", zap.Int("count", len(out)), zap.Error(err))
	}
}

// receipt says what became of the submission (design.md 5). A copy that an
// earlier try of this very message stored is no duplicate.
func (i *item) receipt() intake.Receipt {
	out := intake.Receipt{Source: i.source, ID: i.sub.ID, Ref: ref(i.msg)}
	if !i.valid() {
		out.Result, out.Reject, out.RejectedAt, out.Errors = intake.Rejected, i.reject.Reject, i.reject.RejectedAt, i.faults
		return out
	}
	at := i.placed
	switch {
	case i.copyOf != nil:
		at = *i.copyOf
	case i.twin != nil:
		at = i.twin.placed
	}
	out.Stream, out.Sequence, out.RecordedTime, out.Contact = string(at.Stream), uint64(at.Sequence), at.RecordedAt, i.key.String()
	switch stored := i.copyOf != nil || i.twin != nil || i.again; {
	case stored && !i.own:
		out.Result = intake.Duplicate
	case len(i.before) > 0:
		out.Result, out.Other = intake.Conflict, position(i.before[0])
	case i.sibling != nil:
		out.Result, out.Other = intake.Conflict, position(i.sibling.placed)
	default:
		out.Result = intake.Recorded
	}
	return out
}

func position(v Variant) *intake.Position {
	return &intake.Position{Stream: string(v.Stream), Sequence: uint64(v.Sequence)}
}

// ref is what the sender wants back; a foreign one too long is cut off whole.
func ref(m *worker.Message) string {
	if s := m.Get(intake.HeaderRef); len(s) <= intake.MaxRef {
		return s
	}
	return ""
}
