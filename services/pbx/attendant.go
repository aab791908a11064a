package pbx

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
)

// Config is what both doors share. Gate and Log are required.
type Config struct {
	Gate Gate
	Log  *zap.Logger
	// Metrics collects the counts; nil = nobody does.
	Metrics *prometheus.Registry
	// Switches are those that are served; none = this machine's, which say
	// themselves for whom they call.
	Switches []Switch
	// Patience is how long the gate may take; 0 = 2 s. A caller hears "trying"
	// meanwhile.
	Patience time.Duration
	// Limit is how many questions may be open at once; 0 = 1024. One more is
	// blocked.
	Limit int
}

// Attendant answers the questions of the switches that it knows. It never
// fails: whatever goes wrong is "block". It is safe for concurrent use.
type Attendant struct {
	gate     Gate
	log      *zap.Logger
	switches []served
	patience time.Duration
	slots    chan struct{}
	meters   *meters
	failing  atomic.Bool // the gate's last answer was none
}

// NewAttendant checks the switches. The error names the entry and the remedy.
func NewAttendant(cfg Config) (*Attendant, error) {
	list := cfg.Switches
	if len(list) == 0 {
		list = []Switch{{From: thisMachine}}
	}
	a := &Attendant{gate: cfg.Gate, log: cfg.Log, patience: cfg.Patience}
	for i, s := range list {
		known, err := s.parse()
		if err != nil {
			return nil, fmt.Errorf("pbx switch %d: %w", i+1, err)
		}
		a.switches = append(a.switches, known)
	}
	if a.patience == 0 {
		a.patience = 2 * time.Second
	}
	limit := cfg.Limit
	if limit == 0 {
		limit = 1024
	}
	a.slots = make(chan struct{}, limit)
	var err error
	a.meters, err = newMeters(cfg.Metrics)
	return a, err
}

// serves reports whether an address belongs to a switch.
func (a *Attendant) serves(addr netip.Addr) bool {
	for i := range a.switches {
		if a.switches[i].has(addr) {
			return true
		}
	}
	return false
}

// find returns the entry for a call from an address: of those with the
// address, the one with the longest prefix of what was dialled. ok is false
// when the address has entries and none for these digits.
func (a *Attendant) find(addr netip.Addr, dialled string) (best *served, ok bool) {
	for i := range a.switches {
		s := &a.switches[i]
		if s.has(addr) && s.dialled(dialled) && (best == nil || len(s.Prefix) > len(best.Prefix)) {
			best = s
		}
	}
	return best, best != nil
}

// call is a question as a door reads it from a switch.
type call struct {
	from    netip.Addr
	dialled string // as the switch sent it, prefix included
	given   []parameter
	// otherwise are used where neither the entry nor given says anything.
	otherwise []parameter
}

// parameter is a name of the table settable and its value.
type parameter struct{ name, value string }

// answer finds the entry of the switch, puts the question together and asks
// the gate. The entry is nil when there is none for the call.
func (a *Attendant) answer(ctx context.Context, door string, c call) (Answer, *served) {
	begin := time.Now()
	s, ok := a.find(c.from, c.dialled)
	var out Answer
	if !ok {
		out = blocked(ReasonSwitch, "no entry of this switch begins with the digits that it dialled: see pbx.switches")
	} else if q, err := s.question(c); err != nil {
		out = refusal(err)
	} else {
		out = a.ask(ctx, q)
	}
	if ctx.Err() != nil { // the caller gave up, or the process stops: nobody hears it
		return out, s
	}
	a.meters.observe(door, &out, time.Since(begin))
	switch first := out.First(); first {
	case ReasonQuestion, ReasonSwitch, ReasonBusy:
		a.log.Warn("pbx: blocked in doubt", zap.String("door", door), zap.String("rule", first), zap.String("reason", out.Reasons[0].Sentence))
	default:
		a.log.Debug("pbx: answered", zap.String("door", door), zap.String("verdict", string(out.Verdict)), zap.String("rule", first))
	}
	return out, s
}

// refuse counts and returns the answer to a call whose question could not even
// be read.
func (a *Attendant) refuse(door string, err error) Answer {
	out := refusal(err)
	a.meters.observe(door, &out, 0)
	a.log.Warn("pbx: blocked in doubt", zap.String("door", door), zap.String("rule", out.First()), zap.String("reason", err.Error()))
	return out
}

// refusal is the answer to a question that is not put to the gate.
func refusal(err error) Answer {
	switch {
	case errors.Is(err, errFixed):
		return blocked(ReasonSwitch, err.Error())
	case errors.Is(err, errBusy):
		return blocked(ReasonBusy, err.Error())
	}
	return blocked(ReasonQuestion, err.Error())
}

// isRefusal reports whether the gate finds the asker at fault.
func isRefusal(err error) bool {
	var r *events.Refusal
	return errors.As(err, &r)
}

// errBusy: there is no slot for one more question.
var errBusy = errors.New("too many questions at once")

// ask turns whatever the gate does into an answer.
func (a *Attendant) ask(ctx context.Context, q events.Question) Answer {
	out, err := a.mayCall(ctx, q)
	switch {
	case isRefusal(err), errors.Is(err, errBusy):
		return refusal(err)
	case err != nil:
		if ctx.Err() == nil && !a.failing.Swap(true) {
			a.log.Error("pbx: the gate does not answer, every call is blocked", zap.String("reason", err.Error()))
		}
		return blocked(ReasonGate, "the gate did not answer: ask again")
	}
	if a.failing.CompareAndSwap(true, false) {
		a.log.Info("pbx: the gate answers again")
	}
	if out.Verdict == events.VerdictBlock || out.Allows() {
		return out
	}
	return blocked(ReasonGate, "the gate's answer cannot be read")
}

// mayCall asks the gate, and waits no longer than Patience even for a gate
// that does not heed its context.
func (a *Attendant) mayCall(ctx context.Context, q events.Question) (Answer, error) {
	select {
	case a.slots <- struct{}{}:
	default:
		return Answer{}, errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	type reply struct {
		answer Answer
		err    error
	}
	got := make(chan reply, 1)
	go func() {
		defer func() { <-a.slots }()
		var r reply
		defer func() {
			if cause := recover(); cause != nil {
				r = reply{err: fmt.Errorf("pbx ask gate: panic: %T", cause)}
			}
			got <- r
		}()
		r.answer, r.err = a.gate.MayCall(ctx, q)
	}()
	select {
	case r := <-got:
		return r.answer, r.err
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("pbx ask gate: %w", ctx.Err())
	}
}
