package scenario

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
)

const explainUsage = `usage: assenso scenario explain ID FILE…

Prints of one scenario the timeline, and for each attempt the state of the contact, what the
gate answers and what the report finds, rule by rule, and why. Times are those of Rome.
Exit code: 0 explained, 1 the scenario does not meet its expectations, 2 no such scenario.`

// explain is the command `scenario explain`.
func explain(ctx context.Context, args []string, stdout, stderr io.Writer, engine *rules.Engine) int {
	if len(args) < 2 || strings.HasPrefix(args[0], "-") {
		fmt.Fprintln(stderr, explainUsage)
		return ExitUnusable
	}
	var found *Scenario
	for _, file := range args[1:] {
		all, err := Load(file)
		if err != nil {
			fmt.Fprintln(stderr, err)
			return ExitUnusable
		}
		if i := slices.IndexFunc(all, func(s *Scenario) bool { return s.ID == args[0] }); i >= 0 {
			found = all[i]
		}
	}
	if found == nil {
		fmt.Fprintf(stderr, "scenario explain: no scenario %q in these files\n", args[0])
		return ExitUnusable
	}
	var out bytes.Buffer
	met, err := Explain(ctx, &out, found, engine)
	if err == nil {
		_, err = stdout.Write(out.Bytes())
	}
	if err != nil {
		fmt.Fprintf(stderr, "scenario explain %s: %v\n", found.ID, err)
		return ExitUnusable
	}
	if !met {
		return ExitFailed
	}
	return ExitPassed
}

// Explain writes the timeline of a scenario, the states, and each rule's
// verdict with its reason, as the pure functions give them. It reports whether
// the expectations are met. Times are those of Europe/Rome.
func Explain(ctx context.Context, w io.Writer, s *Scenario, engine *rules.Engine) (met bool, err error) {
	p := NewPure(engine)
	facts, rejected, err := p.record(s)
	if err != nil {
		return false, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s · %s\n", s.ID, s.Title)
	if len(s.Law) > 0 {
		fmt.Fprintf(&b, "about %s\n", strings.Join(s.Law, ", "))
	}
	fmt.Fprintf(&b, "judged as of %s\n\nTimeline\n", clock(s.AsOf))
	for _, r := range rejected {
		fmt.Fprintf(&b, "  %s\n", r)
	}
	e := &explanation{b: &b, engine: engine, scenario: s, world: newWorld(facts)}
	e.timeline(facts)
	for i := range s.Attempts {
		if err := e.attempt(&s.Attempts[i]); err != nil {
			return false, err
		}
	}
	if err := e.objects(); err != nil {
		return false, err
	}
	r, err := p.Play(ctx, s)
	if err != nil {
		return false, err
	}
	differences := Compare(s, r)
	if len(differences) == 0 {
		b.WriteString("\nAll expectations are met.\n")
	}
	for _, d := range differences {
		fmt.Fprintf(&b, "\nNOT MET  %s\n", d)
	}
	_, err = io.WriteString(w, b.String())
	return len(differences) == 0, err
}

// explanation writes one scenario.
type explanation struct {
	b        *strings.Builder
	engine   *rules.Engine
	scenario *Scenario
	world    *world
}

func clock(i events.Instant) string {
	t := i.Time().In(events.Rome)
	if t.Nanosecond() != 0 {
		return t.Format("2006-01-02 15:04:05.000000")
	}
	return t.Format("2006-01-02 15:04:05")
}

// timeline lists the events by legal time, then by when they were recorded.
func (e *explanation) timeline(facts []*contact.Fact) {
	list := slices.Clone(facts)
	slices.SortFunc(list, func(a, b *contact.Fact) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Recorded, b.Recorded), cmp.Compare(a.ID, b.ID))
	})
	for _, f := range list {
		name := strings.TrimSuffix(string(f.Type), ".v1")
		fmt.Fprintf(e.b, "  %s  %-28s %s", clock(f.Time), name, f.ID)
		for _, part := range []string{f.Controller, f.Campaign} {
			if part != "" {
				fmt.Fprintf(e.b, " %s", part)
			}
		}
		if f.Received != f.Time {
			fmt.Fprintf(e.b, "; known %s", clock(f.Received))
		}
		if f.Recorded != f.Received {
			fmt.Fprintf(e.b, "; recorded %s", clock(f.Recorded))
		}
		e.b.WriteString("\n")
	}
}

func (e *explanation) attempt(a *Attempt) error {
	h := e.world.history(a.Contact)
	fmt.Fprintf(e.b, "\nAttempt %s · %s · %s for %s, campaign %s, at %s\n", a.ID, a.Purpose, a.Channel, a.Controller, a.Campaign, clock(a.DialledAt))
	if err := e.state(h, a.GateAt); err != nil {
		return err
	}
	d := e.engine.Gate(h, e.world.ref, a.Attempt, a.GateAt)
	fmt.Fprintf(e.b, "  Gate, asked at %s under pack %s: %s\n", clock(a.GateAt), d.Pack, d.Verdict)
	for _, r := range d.Reasons {
		e.rule(string(r.Effect), r.Rule, r.Clause, r.Evidence)
	}
	e.proof(d.Proof)
	assessed := e.engine.Assess(h, e.world.ref, a.Attempt, e.scenario.AsOf)
	fmt.Fprintf(e.b, "  Report, as of %s: %d findings\n", clock(e.scenario.AsOf), len(assessed.Findings))
	hit := map[string]bool{}
	for _, f := range assessed.Findings {
		hit[f.Rule] = true
		e.rule(string(f.Kind)+" "+string(f.Severity), f.Rule, f.Clause, f.Evidence)
	}
	for _, r := range d.Reasons {
		hit[r.Rule] = true
	}
	e.silent(d, hit)
	return nil
}

// state prints the registers of rules.md 2 that hold something.
func (e *explanation) state(h *contact.History, at events.Instant) error {
	raw, err := json.Marshal(contact.Fold(contact.View(h, contact.Gate(at))))
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	registers := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &registers); err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	e.b.WriteString("  State of the contact when the gate is asked\n")
	empty := true
	for _, name := range slices.Sorted(maps.Keys(registers)) {
		for _, entry := range entries(registers[name]) {
			fmt.Fprintf(e.b, "    %-12s %s\n", name, entry)
			empty = false
		}
	}
	if empty {
		e.b.WriteString("    nothing is known\n")
	}
	return nil
}

// entries brings a register into lines: one a member of a list, without what
// only machines need; none for an empty register.
func entries(raw json.RawMessage) []string {
	var list []map[string]any
	if json.Unmarshal(raw, &list) != nil {
		if v := string(raw); v == "null" || v == "{}" || v == `""` || v == "0" || v == "false" {
			return nil
		}
		return []string{string(raw)}
	}
	var out []string
	for _, m := range list {
		for _, noise := range []string{"digest", "source"} {
			delete(m, noise)
		}
		for _, later := range []string{"received", "recorded"} {
			if m[later] == m["time"] {
				delete(m, later)
			}
		}
		if b, err := json.Marshal(m); err == nil {
			out = append(out, string(b))
		}
	}
	return out
}

// rule prints one hit and why.
func (e *explanation) rule(what, id, clause string, ev rules.Evidence) {
	meta, _ := e.engine.Packs().Rule(id)
	fmt.Fprintf(e.b, "    %-18s %s  %s (%s)\n", what, id, meta.Title.EN, clause)
	var why []string
	for _, d := range ev.Details {
		why = append(why, d.Name+" = "+d.Value)
	}
	for _, i := range ev.Events {
		why = append(why, "event "+i.ID)
	}
	if len(why) > 0 {
		fmt.Fprintf(e.b, "    %-18s because %s\n", "", strings.Join(why, "; "))
	}
}

func (e *explanation) proof(p rules.Proof) {
	basis := string(p.Basis)
	if basis == "" {
		basis = "none"
	}
	fmt.Fprintf(e.b, "    basis: declared %s, proven %s", cmp.Or(string(p.Declared), "none"), basis)
	if p.Grant.ID != "" {
		fmt.Fprintf(e.b, "; grant %s of %s", p.Grant.ID, p.GrantedOn)
	}
	if len(p.Defects) > 0 {
		fmt.Fprintf(e.b, ", defects %s", strings.Join(p.Defects, ", "))
	}
	fmt.Fprintf(e.b, "; register %s\n", cmp.Or(string(p.RegisterStatus), "unknown"))
}

// silent lists the rules that were evaluated and say nothing, and those that a
// service call does not have.
func (e *explanation) silent(d rules.Decision, hit map[string]bool) {
	var quiet []string
	for _, id := range d.Passed {
		if !hit[id] {
			quiet = append(quiet, id)
		}
	}
	e.b.WriteString("  No hit, neither at the gate nor in the report\n")
	for len(quiet) > 0 {
		n := min(len(quiet), 9)
		fmt.Fprintf(e.b, "    %s\n", strings.Join(quiet[:n], " "))
		quiet = quiet[n:]
	}
}

func (e *explanation) objects() error {
	found, err := e.engine.Objects(e.world, e.scenario.AsOf)
	if err != nil {
		return fmt.Errorf("evaluate objects: %w", err)
	}
	fmt.Fprintf(e.b, "\nObjects, as of %s: %d findings\n", clock(e.scenario.AsOf), len(found))
	for _, f := range found {
		e.rule(string(f.Kind)+" "+string(f.Severity), f.Rule, f.Object+"; "+f.Clause, f.Evidence)
	}
	return nil
}
