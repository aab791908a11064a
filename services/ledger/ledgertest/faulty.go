package ledgertest

import (
	"context"
	"fmt"
	"sync"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/ledger"
)

// Fault is how a call fails.
type Fault uint8

// The faults. Every write can fail in two ways: not done, or done with only the
// answer lost.
const (
	None   Fault = iota
	Absent       // not done: ErrUnavailable
	Stored       // done, the answer lost: ErrAmbiguous, for a beat ErrUnavailable
	Full         // not done: ErrFull
	Half         // of an Append: the first half done with the answer lost, the rest not done; all ErrAmbiguous
)

// Step is a call that can fail.
type Step string

// The steps.
const (
	StepAppend      Step = "append"
	StepLast        Step = "last"
	StepRead        Step = "read"
	StepFollow      Step = "follow"
	StepPublishBeat Step = "publish beat"
	StepBeats       Step = "beats"
)

// Faulty wraps a log whose next calls fail as told.
type Faulty struct {
	ledger.Ledger
	mu     sync.Mutex
	script map[Step][]Fault
	calls  map[Step]int
}

// NewFaulty wraps log; until Fail is called it behaves like log.
func NewFaulty(log ledger.Ledger) *Faulty {
	return &Faulty{Ledger: log, script: map[Step][]Fault{}, calls: map[Step]int{}}
}

// Fail makes the next calls of step end with these faults, one each.
func (f *Faulty) Fail(step Step, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script[step] = append(f.script[step], faults...)
}

// Calls is how often step was called.
func (f *Faulty) Calls(step Step) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[step]
}

func (f *Faulty) next(step Step) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[step]++
	if len(f.script[step]) == 0 {
		return None
	}
	fault := f.script[step][0]
	f.script[step] = f.script[step][1:]
	return fault
}

func (fault Fault) err(step Step) error {
	switch fault {
	case None:
		return nil
	case Stored, Half:
		return fmt.Errorf("%s: %w: the test lost the answer", step, ledger.ErrAmbiguous)
	case Full:
		return fmt.Errorf("%s: %w: the test took the room", step, ledger.ErrFull)
	}
	return fmt.Errorf("%s: %w: the test broke it", step, ledger.ErrUnavailable)
}

// Append implements ledger.Appender.
func (f *Faulty) Append(ctx context.Context, entries []ledger.Entry) ([]ledger.Placed, error) {
	fault := f.next(StepAppend)
	done := 0
	switch fault {
	case None:
		return f.Ledger.Append(ctx, entries)
	case Stored:
		done = len(entries)
	case Half:
		done = len(entries) / 2
	}
	if done > 0 {
		if _, err := f.Ledger.Append(ctx, entries[:done]); err != nil {
			return nil, err
		}
	}
	out := make([]ledger.Placed, len(entries))
	for i := range out {
		out[i] = ledger.Placed{Stream: ledger.StreamOf(entries[i].Contact, f.Partitions()), Err: fault.err(StepAppend)}
	}
	return out, nil
}

// Last implements ledger.Reader.
func (f *Faulty) Last(ctx context.Context) (ledger.Positions, error) {
	if err := f.next(StepLast).err(StepLast); err != nil {
		return nil, err
	}
	return f.Ledger.Last(ctx)
}

// Read implements ledger.Reader.
func (f *Faulty) Read(ctx context.Context, s ledger.Stream, from ledger.Sequence, limit int) ([]ledger.Record, error) {
	if err := f.next(StepRead).err(StepRead); err != nil {
		return nil, err
	}
	return f.Ledger.Read(ctx, s, from, limit)
}

// Follow implements ledger.Reader.
func (f *Faulty) Follow(ctx context.Context, after ledger.Positions) (ledger.Follower, error) {
	if err := f.next(StepFollow).err(StepFollow); err != nil {
		return nil, err
	}
	return f.Ledger.Follow(ctx, after)
}

// PublishBeat implements ledger.Beats.
func (f *Faulty) PublishBeat(ctx context.Context, b ledger.Beat) error {
	fault := f.next(StepPublishBeat)
	if fault == None || fault == Stored {
		if err := f.Ledger.PublishBeat(ctx, b); err != nil {
			return err
		}
	}
	return fault.err(StepPublishBeat)
}

// Beats implements ledger.Beats.
func (f *Faulty) Beats(ctx context.Context) (map[events.Family]ledger.Beat, error) {
	if err := f.next(StepBeats).err(StepBeats); err != nil {
		return nil, err
	}
	return f.Ledger.Beats(ctx)
}
