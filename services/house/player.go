package house

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/scenario"
	"github.com/assenso/assenso/services/vault"
)

// Player plays scenarios through the whole pipeline (scenarios.md 6): a fresh
// house in a temporary folder for each, one simulated clock for everything,
// submissions through intake and recorders, answers from the projections. It
// may be used from several goroutines.
type Player struct {
	// Log receives the lines of the houses; nil = none.
	Log *zap.Logger
	// Shuffle, where not nil, is the seed of a random order among what is
	// recorded at one instant, and of the order in which the projections read
	// the streams.
	Shuffle *uint64
	// Engine judges; it is shared by all scenarios.
	Engine *rules.Engine
}

// simulated is a clock that stands until it is set.
type simulated struct{ now atomic.Int64 }

func (s *simulated) read() events.Instant { return events.Instant(s.now.Load()) }

// set moves the clock forward; it never goes back.
func (s *simulated) set(t events.Instant) { s.now.Store(max(s.now.Load(), int64(t))) }

// performance is one scenario being played.
type performance struct {
	*House
	clock  *simulated
	script *scenario.Scenario
	result *scenario.Result
	seed   *uint64

	receipts <-chan intake.Receipt
	token    string
}

// Play implements scenario.Player.
func (p *Player) Play(ctx context.Context, s *scenario.Scenario) (_ *scenario.Result, err error) {
	folder, err := os.MkdirTemp("", "assenso-scenario-")
	if err != nil {
		return nil, fmt.Errorf("play scenario %s: %w", s.ID, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := fixedKeys(folder); err != nil {
		return nil, fmt.Errorf("play scenario %s: %w", s.ID, err)
	}
	cfg := Default()
	cfg.Data, cfg.Ledger.Durability, cfg.Ledger.Partitions = folder, ledger.Fast, 2
	cfg.Gate.Patience = time.Minute // the clock stands meanwhile
	cfg.Only = slices.DeleteFunc(slices.Clone(Services), func(name string) bool { return name == ServiceGateway || name == ServiceFeed })
	log := p.Log
	if log == nil {
		log = zap.NewNop()
	}
	clock := &simulated{}
	clock.set(begin(s))
	h, err := Open(ctx, cfg, Options{Log: log, Clock: clock.read, Engine: p.Engine, Shuffle: p.Shuffle})
	if err != nil {
		return nil, fmt.Errorf("play scenario %s: %w", s.ID, err)
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- h.Run(running) }()
	act := &performance{House: h, clock: clock, script: s, result: &scenario.Result{}, seed: p.Shuffle, token: "scenario"}
	playErr := act.play(running)
	stop()
	return act.result, errors.Join(playErr, <-done)
}

// fixedKeys puts the pepper of scenarios where the vault looks for one.
func fixedKeys(folder string) error {
	for _, name := range []string{vault.PepperFile, vault.SealFile} {
		key := sha256.Sum256(append([]byte(name), scenario.Pepper...))
		if err := os.WriteFile(filepath.Join(folder, name), []byte(hex.EncodeToString(key[:])+"\n"), 0o600); err != nil {
			return err
		}
	}
	return os.Chmod(folder, 0o700)
}

// begin is an instant before anything in the scenario is recorded.
func begin(s *scenario.Scenario) events.Instant {
	first := s.AsOf
	for _, e := range s.Events {
		first = min(first, e.Recorded)
	}
	for _, a := range s.Attempts {
		first = min(first, a.GateAt)
	}
	return first.Add(-time.Hour)
}

// moment is something that happens when the clock stands at an instant.
type moment struct {
	at       events.Instant
	events   []scenario.Event
	attempts []int
}

// moments puts submissions and questions in the order of the clock; what is
// recorded at an instant comes before what is asked at it.
func (p *performance) moments() []moment {
	byInstant := map[events.Instant]*moment{}
	get := func(t events.Instant) *moment {
		if byInstant[t] == nil {
			byInstant[t] = &moment{at: t}
		}
		return byInstant[t]
	}
	for _, e := range p.script.Events {
		m := get(e.Recorded)
		m.events = append(m.events, e)
	}
	for i, a := range p.script.Attempts {
		m := get(a.GateAt)
		m.attempts = append(m.attempts, i)
	}
	out := make([]moment, 0, len(byInstant))
	for _, m := range byInstant {
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	if p.seed != nil {
		random := rand.New(rand.NewPCG(*p.seed, 0))
		for _, m := range out {
			random.Shuffle(len(m.events), func(i, j int) { m.events[i], m.events[j] = m.events[j], m.events[i] })
		}
	}
	return out
}

func (p *performance) play(ctx context.Context) error {
	receipts, stop, err := p.intake.Await(ctx, p.token)
	if err != nil {
		return fmt.Errorf("play scenario %s: %w", p.script.ID, err)
	}
	defer stop()
	p.receipts = receipts
	p.result.Attempts = make([]scenario.AttemptResult, len(p.script.Attempts))
	last := p.script.AsOf
	for _, m := range p.moments() {
		p.clock.set(m.at)
		last = max(last, m.at)
		if err := p.submit(ctx, m.events); err != nil {
			return fmt.Errorf("play scenario %s at %s: %w", p.script.ID, m.at, err)
		}
		for _, i := range m.attempts {
			if err := p.ask(ctx, i); err != nil {
				return fmt.Errorf("play scenario %s, attempt %s: %w", p.script.ID, p.script.Attempts[i].ID, err)
			}
		}
	}
	p.clock.set(last + 1) // so that the log is final as of R
	if err := p.beat(ctx); err != nil {
		return err
	}
	return p.conclude(ctx)
}

// submit hands events to the intake and waits for every receipt.
func (p *performance) submit(ctx context.Context, list []scenario.Event) error {
	if len(list) == 0 {
		return nil
	}
	batch := make([]intake.Submission, len(list))
	for i, e := range list {
		batch[i] = intake.Submission{Family: e.Type.Family(), Source: e.Source, Type: e.Type, Ref: fmt.Sprint(i), Token: p.token, Body: e.Submission}
	}
	if err := errors.Join(p.intake.Submit(ctx, batch)...); err != nil {
		return err
	}
	for range list {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-p.receipts:
			if r.Result == intake.Rejected {
				p.result.Rejected = append(p.result.Rejected, rejection(r))
			}
		}
	}
	return nil
}

func rejection(r intake.Receipt) string {
	text := r.ID + ":"
	for _, f := range r.Errors {
		text += " " + f.Error() + ";"
	}
	return text
}

// beat lets every recorder report, as it would within a second.
func (p *performance) beat(ctx context.Context) error {
	for _, f := range events.Families {
		if err := p.recorders[f].Beat(ctx); err != nil {
			return err
		}
	}
	return nil
}

// attempt is a hypothetical attempt under this ledger's pepper.
func (p *performance) attempt(i int) rules.Attempt {
	a := p.script.Attempts[i].Attempt
	a.Contact = p.vault.Key(vault.NewNumber(p.script.Attempts[i].Phone))
	return a
}

// ask puts the question of an attempt to the gate.
func (p *performance) ask(ctx context.Context, i int) error {
	if err := p.beat(ctx); err != nil {
		return err
	}
	if err := p.gate.Refresh(ctx); err != nil {
		return err
	}
	d := p.gate.Decide(ctx, p.attempt(i))
	for _, why := range d.Reasons {
		if why.Rule == rules.StaleLedger || why.Rule == rules.Behind || why.Rule == rules.Unsettled {
			return fmt.Errorf("the gate is in doubt: %s: %s", why.Rule, why.Sentence)
		}
	}
	if d.At != p.script.Attempts[i].GateAt {
		return fmt.Errorf("the gate judged at %s, its clock stands at %s", d.At, p.script.Attempts[i].GateAt)
	}
	r := &p.result.Attempts[i]
	verdict, reasons := lawful(&d)
	r.ID, r.Gate, r.Reasons = p.script.Attempts[i].ID, verdict, []string{}
	for _, reason := range reasons {
		r.Reasons = append(r.Reasons, reason.Rule)
	}
	return nil
}

// conclude asks for the findings and the objects as of R.
func (p *performance) conclude(ctx context.Context) error {
	r, positions, err := p.desk.Final(ctx, p.script.AsOf)
	if err != nil {
		return fmt.Errorf("play scenario %s as of R: %w", p.script.ID, err)
	}
	for i := range p.script.Attempts {
		a := p.attempt(i)
		found, err := inquiry.Assess(ctx, p.view, codec.Decode, p.engine, a, positions, r)
		if err != nil {
			return fmt.Errorf("play scenario %s, attempt %s: %w", p.script.ID, a.ID, err)
		}
		p.result.Attempts[i].Findings = []scenario.Finding{}
		for _, f := range found.Findings {
			p.result.Attempts[i].Findings = append(p.result.Attempts[i].Findings, scenario.Finding{Rule: f.Rule, Kind: f.Kind})
		}
	}
	objects, err := inquiry.Objects(ctx, p.view, codec.Decode, p.engine, positions, r)
	if err != nil {
		return fmt.Errorf("play scenario %s, objects: %w", p.script.ID, err)
	}
	p.result.Objects = scenario.ObjectFindings(objects)
	return nil
}
