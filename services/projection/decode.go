package projection

import (
	"sync"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/view"
)

// decoded is one entry before its running maximum is known.
type decoded struct {
	event    events.Event
	digest   events.Digest
	identity events.IdentityHash
	err      error
}

// decodeChunk is how many entries one goroutine decodes at once.
const decodeChunk = 256

// decode reads the entries of one batch side by side.
func decode(in []ledger.Record, parallel int) []decoded {
	out := make([]decoded, len(in))
	if len(in) <= decodeChunk || parallel < 2 {
		decodeInto(out, in)
		return out
	}
	var wg sync.WaitGroup
	gate := make(chan struct{}, parallel)
	for from := 0; from < len(in); from += decodeChunk {
		to := min(from+decodeChunk, len(in))
		gate <- struct{}{}
		wg.Go(func() {
			decodeInto(out[from:to], in[from:to])
			<-gate
		})
	}
	wg.Wait()
	return out
}

func decodeInto(out []decoded, in []ledger.Record) {
	for i := range in {
		d := &out[i]
		if d.event, d.err = codec.Decode(in[i].Body); d.err != nil {
			continue
		}
		if d.digest, d.err = codec.Digest(in[i].Body); d.err != nil {
			continue
		}
		d.identity = d.event.Identity().Hash()
	}
}

// run makes records of decoded entries and moves the mark of their stream.
func (d batch) run(projection string, mark view.Mark) (Run, view.Mark, error) {
	run := Run{Stream: string(d.entries[0].Stream), First: uint64(d.entries[0].Sequence), Records: make([]Record, len(d.entries))}
	for i := range d.entries {
		e, in := &d.decoded[i], &d.entries[i]
		if e.err != nil {
			return Run{}, mark, &EntryError{projection, run.Stream, uint64(in.Sequence), e.err}
		}
		if uint64(in.Sequence) != mark.Sequence+1 {
			return Run{}, mark, &EntryError{projection, run.Stream, mark.Sequence + 1, ledger.ErrGone}
		}
		mark.Sequence++
		mark.Recorded = max(mark.Recorded, e.event.Recorded)
		e.event.Recorded = mark.Recorded
		run.Records[i] = Record{Fact: contact.NewFact(e.event, e.digest, in.Body, run.Stream, uint64(in.Sequence)), Identity: e.identity}
	}
	return run, mark, nil
}

// FactOf decodes a row of the event index.
func FactOf(e *view.Event) (*contact.Fact, error) {
	ev, err := codec.Decode(e.Body)
	if err != nil {
		return nil, err
	}
	ev.Recorded = e.Recorded
	return contact.NewFact(ev, e.Digest, e.Body, e.Stream, e.Sequence), nil
}
