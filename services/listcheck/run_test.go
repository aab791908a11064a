package listcheck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/numbers"
	"github.com/assenso/assenso/services/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// byKey answers from the contact key alone.
type byKey struct {
	fail  atomic.Int64 // fails at this call; 0 = never
	calls atomic.Int64
}

var errOracle = errors.New("oracle silent")

func (l *byKey) Answer(_ context.Context, keys []events.ContactKey, out []Answer) error {
	if n := l.calls.Add(1); n == l.fail.Load() {
		return errOracle
	}
	for i, k := range keys {
		out[i] = oracle(k)
	}
	return nil
}

func oracle(k events.ContactKey) Answer {
	a := Answer{Ruling: rules.Ruling{Verdict: events.VerdictAllow, ValidUntil: instant(int(k[1]))}}
	switch k[0] % 4 {
	case 1:
		a.Verdict, a.Warns = events.VerdictWarn, rules.SetOf("IT-CON-08")
	case 2:
		a.Verdict, a.Blocks, a.Warns = events.VerdictBlock, rules.SetOf("IT-RPO-02")|rules.SetOf("IT-CON-05"), rules.SetOf("IT-LST-06")
	case 3:
		return InDoubt(Unsettled, instant(0))
	}
	if k[2]%2 == 0 {
		a.RegisterUntil = instant(1000 + int(k[2]))
	}
	return a
}

func instant(minutes int) events.Instant {
	return events.InstantFromUnixMicro(1_772_700_000_000_000 + int64(minutes)*60_000_000)
}

// keyed makes a key that tells numbers apart.
func keyed(p events.Phone) (k events.ContactKey) {
	for i, c := range []byte(p.E164()) {
		k[i%16] = k[i%16]*31 + c
	}
	k[15] = 1
	return k
}

func runOver(list List, text string, chunk int, write func([]byte) error) *Run {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return &Run{List: list, Normalise: numbers.Normalise, Key: keyed, Country: "IT", At: instant(0), Workers: 3, Write: write,
		Read: func(c *Chunk) error {
			for len(lines) > 0 && !c.Full() && c.Len() < chunk {
				c.Add([]byte(strings.TrimSuffix(lines[0], "\n")))
				lines = lines[1:]
			}
			if len(lines) == 0 {
				return io.EOF
			}
			return nil
		}}
}

// Every line is answered in its place as its contact is, whatever the chunks,
// and anybody can recompute the root from what was written.
func TestRunAnswersEveryLineInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		type want struct {
			number, ref string
			bad         bool
		}
		var all []want
		for range rapid.IntRange(0, 60).Draw(t, "lines") {
			n := fmt.Sprintf("34%08d", rapid.IntRange(0, 1<<25).Draw(t, "number"))
			w := want{number: "+39" + n}
			switch rapid.IntRange(0, 7).Draw(t, "form") {
			case 0:
				fmt.Fprintf(&text, "  +39 %s\t\r\n", n)
			case 1:
				fmt.Fprintf(&text, "%q\n", n)
			case 2:
				w.ref = rapid.SampledFrom([]string{"7", "è \"x\" <>\u2028", "\x7f"}).Draw(t, "ref")
				ref, _ := json.Marshal(w.ref)
				fmt.Fprintf(&text, `{"number":"%s","country":"IT","ref":%s,"more":1}`+"\n", n, ref)
			case 3:
				fmt.Fprintf(&text, `{"contact":"%s"}`+"\n", keyed(events.NewPhone(w.number, events.LineMobile)))
			case 4:
				w.bad = true
				fmt.Fprintf(&text, "%s\n", rapid.SampledFrom([]string{"", "x", "{", `{"number":1}`, `{"number":"12"}`, `{"contact":"zz"}`, strings.Repeat("3", MaxLine+9)}).Draw(t, "bad"))
			default:
				fmt.Fprintf(&text, "%s\n", n)
			}
			all = append(all, w)
		}
		var out bytes.Buffer
		run := runOver(&byKey{}, text.String(), rapid.IntRange(1, 20).Draw(t, "chunk"), func(b []byte) error {
			_, err := out.Write(b)
			return err
		})
		totals, err := run.Do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Split(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n"))
		if len(all) == 0 {
			lines = nil
		}
		if len(lines) != len(all) || totals.Count != len(all) || totals.Allow+totals.Warn+totals.Block != len(all) {
			t.Fatalf("%d answers, totals %+v, want %d", len(lines), totals, len(all))
		}
		var again Recount
		for i, text := range lines {
			if canonical, err := events.CanonicalJSON(text); err != nil || !bytes.Equal(canonical, text) {
				t.Fatalf("line %s is not in its RFC 8785 form %s (%v)", text, canonical, err)
			}
			g, _, err := ParseAnswer(text)
			if err != nil {
				t.Fatal(err)
			}
			var more struct {
				Ref    string
				Errors []events.Fault
			}
			if err := json.Unmarshal(text, &more); err != nil {
				t.Fatal(err)
			}
			w := all[i]
			expect, contact := InDoubt(Unreadable, run.At), ""
			if !w.bad {
				key := keyed(events.NewPhone(w.number, events.LineMobile))
				expect, contact = oracle(key), key.String()
			}
			if g.Index != uint64(i) || g.Contact != contact || g.Verdict != expect.Verdict || more.Ref != w.ref || w.bad != (len(more.Errors) > 0) ||
				fmt.Sprint(g.Reasons) != fmt.Sprint(expect.Rules()) || g.ValidUntil != expect.ValidUntil.String() {
				t.Fatalf("line %d is %s, want contact %s, %+v, ref %q", i, text, contact, expect, w.ref)
			}
			again.Add(g)
		}
		if got := again.Totals(); got.Root != totals.Root || got.Count != totals.Count || got.Block != totals.Block {
			t.Fatalf("recomputed %+v, want %+v", got, totals)
		}
	})
}

// A writer that does not take the answers stops the reading: memory is bounded.
func TestRunWaitsForASlowWriter(t *testing.T) {
	release := make(chan struct{})
	var read atomic.Int64
	full := make(chan struct{}, 1)
	run := runOver(&byKey{}, "", 1, func([]byte) error { <-release; return nil })
	window := int64(2*run.Workers + 2)
	const most = 500
	run.Read = func(c *Chunk) error {
		c.Add([]byte("+393401234567"))
		switch n := read.Add(1); n {
		case window:
			full <- struct{}{} // every chunk there is has been handed out
		case most:
			return io.EOF
		}
		return nil
	}
	done := make(chan error, 1)
	go func() {
		_, err := run.Do(t.Context())
		done <- err
	}()
	<-full
	if n := read.Load(); n > window {
		t.Errorf("%d chunks were read while nothing was written, want at most %d", n, window)
	}
	close(release)
	if err := <-done; err != nil || read.Load() != most {
		t.Errorf("error %v after %d chunks", err, read.Load())
	}
}

// A fault of the list, of reading, of writing or the caller's end ends the run
// with it, without totals.
func TestRunEndsWithTheFirstFault(t *testing.T) {
	text := strings.Repeat("+393401234567\n", 200)
	fault := errors.New("broken")
	for name, change := range map[string]func(r *Run, l *byKey, cancel func()) error{
		"answer": func(_ *Run, l *byKey, _ func()) error { l.fail.Store(7); return errOracle },
		"write":  func(r *Run, _ *byKey, _ func()) error { r.Write = func([]byte) error { return fault }; return fault },
		"read": func(r *Run, _ *byKey, _ func()) error {
			n, read := 0, r.Read
			r.Read = func(c *Chunk) error {
				if n++; n > 5 {
					return fault
				}
				return read(c)
			}
			return fault
		},
		"caller": func(r *Run, _ *byKey, cancel func()) error {
			r.Write = func([]byte) error { cancel(); return nil }
			return context.Canceled
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		list := &byKey{}
		run := runOver(list, text, 3, func([]byte) error { return nil })
		want := change(run, list, cancel)
		if totals, err := run.Do(ctx); !errors.Is(err, want) || totals.Count != 0 {
			t.Errorf("%s: totals %+v and error %v, want none and %v", name, totals, err, want)
		}
		cancel()
	}
}

// A changed, moved, added or missing answer is found, and so is a changed question.
func TestRecountFindsChanges(t *testing.T) {
	var out bytes.Buffer
	run := runOver(&byKey{}, "+393401234567\n+393401234568\n+393401234569\nx\n", 2, func(b []byte) error { out.Write(b); return nil })
	totals, err := run.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := Attempt(&events.Question{Controller: "A", Campaign: "K"})
	head := Head{Asked: Asked(&a), Begun: instant(0), Instant: instant(0), Pack: "it/2026-03", Positions: map[string]uint64{"LEDGER_REF": 7}}
	sum, err := Summarise(&head, &totals, map[string]uint64{"LEDGER_REF": 8})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(sum)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	check := func(lines []string, text string) error {
		var r Recount
		for _, l := range lines {
			g, _, err := ParseAnswer([]byte(l))
			if err != nil {
				return err
			}
			r.Add(g)
		}
		_, s, err := ParseAnswer([]byte(text))
		if err != nil {
			return err
		}
		return r.Check(s)
	}
	if err := check(lines, string(text)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		lines []string
		text  string
		want  error
	}{
		"a verdict":  {append([]string{strings.Replace(lines[0], `"verdict":"`, `"verdict":"x`, 1)}, lines[1:]...), string(text), ErrAnswers},
		"an order":   {[]string{lines[1], lines[0], lines[2], lines[3]}, string(text), ErrAnswers},
		"a line out": {lines[:3], string(text), ErrAnswers},
		"a line in":  {append(lines[:4:4], lines[0]), string(text), ErrAnswers},
		"campaign":   {lines, strings.Replace(string(text), `"campaign":"K"`, `"campaign":"L"`, 1), ErrQuestion},
		"a plan":     {lines, strings.Replace(string(text), `"plan":false`, `"plan":true`, 1), ErrQuestion},
		"no JSON":    {append(lines[:3:3], "x"), string(text), ErrAnswers},
	} {
		if err := check(c.lines, c.text); !errors.Is(err, c.want) {
			t.Errorf("%s changed: error %v, want %v", name, err, c.want)
		}
	}
	// the record is that of the summary
	body, err := sum.Event()
	if err != nil {
		t.Fatal(err)
	}
	sub, faults := events.Validate(body, events.ValidateOptions{Family: events.FamilyOutcomes, Now: instant(1), Normalise: numbers.Normalise})
	if len(faults) > 0 || sub.ID != sum.Record.ID || sub.Source != events.GateSource {
		t.Errorf("event %s: faults %v", body, faults)
	}
	recorded := events.DecisionBatchIssued{Batch: sum.Batch, Count: sum.Count, Root: sum.Root, Allow: sum.Allow, Warn: sum.Warn, Block: sum.Block, Pack: sum.Pack, ExpiresAt: sum.ExpiresAt}
	if err := sum.CheckRecord(&recorded); err != nil {
		t.Error(err)
	}
	recorded.Block++
	if err := sum.CheckRecord(&recorded); !errors.Is(err, ErrAnswers) {
		t.Errorf("another record: %v", err)
	}
}

// Every fault of a question is told at once, and none quotes a value.
func TestParseQuestionTellsEveryFault(t *testing.T) {
	_, _, faults := ParseQuestion([]byte(`{"number":"+393401234567","purpose":"fun","channel":"fax","at":"now","country":"Italy","basis":"x","mode":"y"}`))
	var codes []string
	for _, f := range faults {
		codes = append(codes, f.Code+" "+f.Field)
		if strings.Contains(f.Hint, "340") || strings.Contains(f.Hint, "Italy") {
			t.Errorf("the hint quotes a value: %s", f.Hint)
		}
	}
	want := "question_invalid number|controller_missing controller|campaign_missing campaign|value_unknown purpose|value_unknown channel|value_unknown mode|value_unknown basis|value_unknown country|time_invalid at"
	if got := strings.Join(codes, "|"); got != want {
		t.Errorf("faults %s\n  want %s", got, want)
	}
	q, at, faults := ParseQuestion([]byte(`{"controller":"A","campaign":"K","at":"2026-03-05T10:00:00+01:00"}`))
	if len(faults) > 0 || at.String() != "2026-03-05T09:00:00.000Z" {
		t.Errorf("at %s, faults %v", at, faults)
	}
	if a := Attempt(&q); a.Purpose != events.PurposeMarketing || a.Channel != events.ChannelOperatorCall || a.Processor != "A" || a.OriginCountry != "IT" {
		t.Errorf("defaults missing: %+v", a)
	}
	if _, _, faults := ParseQuestion([]byte("+393401234567")); len(faults) != 1 || faults[0].Code != "json_invalid" {
		t.Errorf("a list without a question: %v", faults)
	}
}

func FuzzParseLine(f *testing.F) {
	for _, s := range []string{"+393401234567", `"340 1234567"`, `{"number":"340","country":"IT","ref":"7"}`, "", " ", "{", `{"ref":"x"}`, "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, fault := ParseLine(s)
		if fault == nil && (l.Number == "") == (l.Contact == "") {
			t.Errorf("%q reads as %+v without a fault", s, l)
		}
		if len(l.Ref) > MaxRef {
			t.Errorf("a ref of %d bytes was taken", len(l.Ref))
		}
		var e encoder
		out := e.append(nil, &line{index: 3, ref: l.Ref, errors: []events.Fault{{Code: "c", Hint: "h"}}}, &Answer{}, true)
		if canonical, err := events.CanonicalJSON(out); err != nil || !bytes.Equal(canonical, out) {
			t.Errorf("%q gives the line %s, which is not canonical (%v)", s, out, err)
		}
	})
}
