package recorder

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/worker"
)

// parallelFrom is the smallest batch that is worth more than one goroutine.
const parallelFrom = 64

// decode validates all messages, on all cores where it pays: this is the only
// step of a batch that is pure computing.
func (r *Recorder) decode(ctx context.Context, batch []worker.Message) ([]item, error) {
	defer r.step("decode")()
	items := make([]item, len(batch))
	now := r.cfg.Clock()
	workers := r.workers
	if len(batch) < parallelFrom {
		workers = 1
	}
	var group sync.WaitGroup
	size := (len(batch) + workers - 1) / workers
	for from := 0; from < len(batch); from += size {
		part := items[from:min(from+size, len(batch))]
		for n := range part {
			part[n].msg = &batch[from+n]
		}
		group.Go(func() {
			var last parsedSubject
			for n := range part {
				r.read(ctx, &part[n], last.parse(part[n].msg.Subject), now)
			}
		})
	}
	group.Wait()
	for n := range items {
		if items[n].poison != nil {
			return nil, items[n].poison
		}
	}
	return items, nil
}

// parsedSubject is a subject taken apart. Neighbours in a queue mostly have the
// same, so the last one is kept.
type parsedSubject struct {
	text   string
	source string
	typ    events.Type
	err    error
}

func (p *parsedSubject) parse(subject string) parsedSubject {
	if p.text != subject || subject == "" {
		*p = parsedSubject{text: subject}
		if _, p.source, p.typ, p.err = events.ParseIntakeSubject(subject); p.err != nil {
			p.source, p.typ = "", ""
		}
	}
	return *p
}

// read turns one message into a recordable event, or its faults.
func (r *Recorder) read(ctx context.Context, i *item, subject parsedSubject, now events.Instant) {
	defer func() {
		if v := recover(); v != nil {
			i.poison = fmt.Errorf("record %s: decode: panic of type %T", r.cfg.Family, v) // the value may quote the message
		}
	}()
	i.source = subject.source
	i.sub, i.faults = events.Validate(i.msg.Body, events.ValidateOptions{
		Now: now, Family: r.cfg.Family, Normalise: r.cfg.Normalise, AllowSubject: r.cfg.SendsSubject(subject.source),
	})
	i.faults = append(i.faults, bound(i.sub, subject)...)
	if len(i.faults) == 0 && r.cfg.Permit != nil {
		i.faults = r.cfg.Permit(ctx, i.sub)
	}
	if len(i.faults) > 0 {
		return
	}
	i.key = i.sub.Subject
	if e164 := i.sub.Phone.E164(); e164 != "" {
		i.key = r.cfg.Vault.Key(vault.NewNumber(e164))
	}
	rec, fault := i.sub.Record(i.key, events.ContactKey{})
	if fault != nil {
		i.faults = append(i.faults, *fault)
		return
	}
	i.rec, i.hash = rec, rec.Identity.Hash()
}

// bound checks that the submission is what its subject says: the credential of
// a publisher covers subjects, so a body that claims another source or type
// claims what nobody granted (design.md 4, 11).
func bound(s *events.Submission, subject parsedSubject) []events.Fault {
	if subject.err != nil {
		return []events.Fault{{Code: "not_permitted", Field: "source", Hint: "publish to intake.<family>.<source>.<type>, the source escaped as one token"}}
	}
	var faults []events.Fault
	if s.Source != "" && s.Source != subject.source {
		faults = append(faults, events.Fault{Code: "not_permitted", Field: "source", Hint: "the source is not that of the subject, to which the credential is bound"})
	}
	if s.Type != "" && s.Type != subject.typ {
		faults = append(faults, events.Fault{Code: "not_permitted", Field: "type", Hint: "the type is not that of the subject, to which the credential is bound"})
	}
	return faults
}

// evidenceDigest is the name of evidence in the vault and in the log.
func evidenceDigest(canonical []byte) events.Digest { return sha256.Sum256(canonical) }

// lookup rests after a fault, each time twice as long, so that a port that is
// down or slow does not cost every batch its timeout.
type lookup struct {
	rest      time.Duration
	restUntil time.Time
}

// Bounds of the rest, and what one identity adds to the timeout.
const (
	restFirst, restMost = time.Second, 30 * time.Second
	askEach             = 200 * time.Microsecond
)

func (l *lookup) failed() {
	l.rest = max(restFirst, min(2*l.rest, restMost))
	l.restUntil = time.Now().Add(l.rest)
}

// ask looks up the identities that were not recorded lately in the same form,
// and the targets of corrections. Without an answer the map is empty.
func (r *Recorder) ask(ctx context.Context, items []item) map[events.IdentityHash][]Variant {
	if r.cfg.Identities == nil || time.Now().Before(r.lookup.restUntil) {
		return nil
	}
	hashes := make([]events.IdentityHash, 0, len(items))
	for n := range items {
		i := &items[n]
		if !i.valid() {
			continue
		}
		if find(r.recent.get(i.hash), i.rec.Digest) == nil {
			hashes = append(hashes, i.hash)
		}
		if id, ok := r.family.target(i.sub); ok {
			hashes = append(hashes, id.Hash())
		}
	}
	if len(hashes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.IdentitiesTimeout+time.Duration(len(hashes))*askEach)
	defer cancel()
	answers, err := r.cfg.Identities.Lookup(ctx, hashes)
	if err != nil || len(answers) != len(hashes) {
		r.lookup.failed()
		r.metrics.identities.WithLabelValues(string(r.cfg.Family), "failed").Inc()
		r.log.Warn("identities not known: recording goes on, receipts may say recorded for a duplicate", zap.Error(err))
		return nil
	}
	r.lookup.rest = 0
	r.metrics.identities.WithLabelValues(string(r.cfg.Family), "answered").Inc()
	out := make(map[events.IdentityHash][]Variant)
	for n, v := range answers {
		if len(v) > 0 {
			out[hashes[n]] = v
		}
	}
	return out
}
