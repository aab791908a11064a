package pbx

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"
	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
)

var here = netip.MustParseAddr("127.0.0.1")

// dial is a call of a switch that says everything itself.
func dial(number string) call {
	return call{from: here, dialled: number, given: []parameter{{"controller", "A"}, {"campaign", "K-A"}}}
}

func TestInDoubtTheAnswerIsBlock(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	for _, c := range []struct {
		name string
		gate func(context.Context, events.Question) (Answer, error)
		want string
	}{
		{"error", func(context.Context, events.Question) (Answer, error) { return Answer{}, errors.New("disk full") }, ReasonGate},
		{"error beside an allow", func(context.Context, events.Question) (Answer, error) {
			return Answer{Verdict: events.VerdictAllow, Number: free}, errors.New("late")
		}, ReasonGate},
		{"panic", func(context.Context, events.Question) (Answer, error) { panic("nil map") }, ReasonGate},
		{"late", func(ctx context.Context, _ events.Question) (Answer, error) { <-ctx.Done(); return Answer{}, ctx.Err() }, ReasonGate},
		{"deaf to its context", func(context.Context, events.Question) (Answer, error) { <-block; return Answer{}, nil }, ReasonGate},
		{"nothing", func(context.Context, events.Question) (Answer, error) { return Answer{}, nil }, ReasonGate},
		{"a verdict of tomorrow", func(context.Context, events.Question) (Answer, error) {
			return Answer{Verdict: "allow_later", Number: free}, nil
		}, ReasonGate},
		{"allow for no number", func(context.Context, events.Question) (Answer, error) {
			return Answer{Verdict: events.VerdictAllow}, nil
		}, ReasonGate},
		{"no number at all", func(context.Context, events.Question) (Answer, error) {
			return Answer{}, &events.Refusal{Errors: []events.Fault{{Code: "phone_invalid", Field: "number"}}}
		}, ReasonQuestion},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := open(t, func(cfg *Config) { cfg.Patience = 20 * time.Millisecond })
			o.gate.instead = c.gate
			a, _ := o.answer(t.Context(), doorSIP, dial(free))
			if a.Verdict != events.VerdictBlock || a.Allows() || a.First() != c.want {
				t.Errorf("answer %+v, want block for %s", a, c.want)
			}
			if n := o.count(t, "assenso_pbx_answers_total", doorSIP, "block"); n != 1 {
				t.Errorf("%v blocked calls were counted", n)
			}
			if n := o.count(t, "assenso_pbx_doubts_total", doorSIP, c.want); n != 1 {
				t.Errorf("%v doubts were counted", n)
			}
		})
	}
}

func TestAFailingGateIsToldOnceAndSoIsItsReturn(t *testing.T) {
	o := open(t, nil)
	o.gate.instead = func(context.Context, events.Question) (Answer, error) { return Answer{}, errors.New("down") }
	for range 3 {
		o.answer(t.Context(), doorSIP, dial(free))
	}
	o.gate.instead = nil
	for range 2 {
		if a, _ := o.answer(t.Context(), doorSIP, dial(free)); !a.Allows() {
			t.Errorf("the gate is back: %+v", a)
		}
	}
	if n := o.logs.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 1 {
		t.Errorf("the failure was logged %d times", n)
	}
	if n := o.logs.FilterMessage("pbx: the gate answers again").Len(); n != 1 {
		t.Errorf("the return was logged %d times", n)
	}
}

func TestACallerThatGivesUpIsNoFaultOfTheGate(t *testing.T) {
	o := open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	o.gate.instead = func(ctx context.Context, _ events.Question) (Answer, error) {
		cancel()
		<-ctx.Done()
		return Answer{}, ctx.Err()
	}
	if a, _ := o.answer(ctx, doorSIP, dial(free)); a.Allows() {
		t.Errorf("answer %+v", a)
	}
	if n := o.logs.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 0 {
		t.Errorf("%d errors were logged", n)
	}
}

func TestOneQuestionTooManyIsBlocked(t *testing.T) {
	o := open(t, func(cfg *Config) { cfg.Limit = 1 })
	asked, block := make(chan struct{}), make(chan struct{})
	o.gate.instead = func(context.Context, events.Question) (Answer, error) {
		close(asked)
		<-block
		return Answer{Verdict: events.VerdictAllow, Number: free}, nil
	}
	first := make(chan Answer, 1)
	go func() {
		a, _ := o.answer(context.Background(), doorSIP, dial(free))
		first <- a
	}()
	<-asked
	if a, _ := o.answer(t.Context(), doorSIP, dial(free)); a.First() != ReasonBusy {
		t.Errorf("second: %+v", a)
	}
	close(block)
	if a := <-first; !a.Allows() {
		t.Errorf("first: %+v", a)
	}
	o.gate.instead = nil
	await(t, "the slot to be free again", func() bool { a, _ := o.answer(t.Context(), doorSIP, dial(free)); return a.Allows() })
}

func TestTheQuestionIsPutTogether(t *testing.T) {
	for _, c := range []struct {
		name string
		list []Switch
		call call
		want events.Question // zero = none is asked
		rule string          // of a blocked call
	}{
		{name: "everything from the call",
			call: call{from: here, dialled: free, given: []parameter{
				{"controller", "A"}, {"campaign", "K-A"}, {"processor", "P"}, {"cli", "+390844100100"}, {"country", "IT"}, {"attempt", "a-1"},
				{"purpose", "service"}, {"channel", "automated_call"}, {"basis", "contract_consent"}, {"mode", "predictive"}, {"agent", "7"},
				{"agent_reserved", "true"}, {"roaming", "false"}, {"grant", "g"}, {"request", "r"}, {"batch", "b"}, {"product", "fibre"},
				{"origin_country", "AL"}, {"agent_country", "RO"}}},
			want: events.Question{Number: free, Country: "IT", Controller: "A", Campaign: "K-A", Processor: "P", Attempt: "a-1", Purpose: "service",
				Channel: "automated_call", Basis: "contract_consent", CLI: "+390844100100", OriginCountry: "AL", AgentCountry: "RO",
				Mode: "predictive", Agent: "7", AgentReserved: true, Grant: "g", Request: "r", Batch: "b", Product: "fibre"}},
		{name: "defaults", call: dial(free),
			want: events.Question{Number: free, Controller: "A", Campaign: "K-A", Purpose: "marketing", Channel: "operator_call"}},
		{name: "the entry decides, the prefix chooses it and falls off",
			list: []Switch{
				{From: []string{"127.0.0.1"}, Controller: "A", Campaign: "K-0"},
				{From: []string{"127.0.0.1"}, Prefix: "77", Controller: "A", Campaign: "K-77"},
				{From: []string{"127.0.0.0/8"}, Prefix: "771", Controller: "B", Campaign: "K-771", Country: "IT", Processor: "P", Purpose: "service", Channel: "sms", CLI: "+39081"},
				{From: []string{"10.0.0.1"}, Prefix: "7713", Controller: "C", Campaign: "K-C"}},
			call: call{from: here, dialled: "7713401234567", given: []parameter{{"campaign", "K-771"}}, otherwise: []parameter{{"cli", "+39082"}, {"attempt", "u-1"}}},
			want: events.Question{Number: "3401234567", Country: "IT", Controller: "B", Campaign: "K-771", Processor: "P", Attempt: "u-1", Purpose: "service", Channel: "sms", CLI: "+39081"}},
		{name: "IPv4 behind IPv6", list: []Switch{{From: []string{"10.1.2.3"}, Controller: "A", Campaign: "K-A"}},
			call: call{from: netip.MustParseAddr("::ffff:10.1.2.3"), dialled: free},
			want: events.Question{Number: free, Controller: "A", Campaign: "K-A", Purpose: "marketing", Channel: "operator_call"}},
		{name: "no entry for the digits", list: []Switch{{From: []string{"127.0.0.1"}, Prefix: "77"}}, call: dial(free), rule: ReasonSwitch},
		{name: "another controller than the entry's", list: []Switch{{From: []string{"127.0.0.1"}, Controller: "B"}}, call: dial(free), rule: ReasonSwitch},
		{name: "said twice", call: call{from: here, dialled: free, given: []parameter{{"campaign", "K"}, {"campaign", "L"}}}, rule: ReasonSwitch},
		{name: "no campaign", call: call{from: here, dialled: free, given: []parameter{{"controller", "A"}}}, rule: ReasonQuestion},
		{name: "no number", call: dial(""), rule: ReasonQuestion},
		{name: "nothing but the prefix", list: []Switch{{From: []string{"127.0.0.1"}, Prefix: "77", Controller: "A", Campaign: "K"}}, call: call{from: here, dialled: "77"}, rule: ReasonQuestion},
		{name: "endless number", call: dial("+" + strings.Repeat("3", 40)), rule: ReasonQuestion},
		{name: "unknown parameter", call: call{from: here, dialled: free, given: []parameter{{"colour", "red"}}}, rule: ReasonQuestion},
		{name: "unknown purpose", call: call{from: here, dialled: free, given: []parameter{{"purpose", "profiling"}}}, rule: ReasonQuestion},
		{name: "neither true nor false", call: call{from: here, dialled: free, given: []parameter{{"roaming", "1"}}}, rule: ReasonQuestion},
		{name: "too long", call: call{from: here, dialled: free, given: []parameter{{"controller", strings.Repeat("A", 65)}}}, rule: ReasonQuestion},
		{name: "a line break", call: call{from: here, dialled: free, given: []parameter{{"campaign", "K\nA"}}}, rule: ReasonQuestion},
		{name: "no UTF-8", call: call{from: here, dialled: free, given: []parameter{{"campaign", "K\xff"}}}, rule: ReasonQuestion},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := open(t, func(cfg *Config) { cfg.Switches = c.list })
			o.gate.instead = func(context.Context, events.Question) (Answer, error) {
				return Answer{Verdict: events.VerdictAllow, Number: free}, nil
			}
			a, _ := o.answer(t.Context(), doorSIP, c.call)
			if c.rule != "" {
				if a.Allows() || a.First() != c.rule || len(o.gate.questions()) != 0 {
					t.Errorf("answer %+v after %d questions, want block for %s after none", a, len(o.gate.questions()), c.rule)
				}
				return
			}
			if d := cmp.Diff([]events.Question{c.want}, o.gate.questions()); d != "" || !a.Allows() {
				t.Errorf("question differs (-want +got):\n%s\nanswer %+v", d, a)
			}
		})
	}
}

func TestEntriesThatServeNobodyOrEverybodyAreRefused(t *testing.T) {
	for _, c := range []struct {
		entry Switch
		want  string
	}{
		{Switch{}, "from is empty"},
		{Switch{From: []string{"0.0.0.0/0"}}, "everybody"},
		{Switch{From: []string{"::/0"}}, "everybody"},
		{Switch{From: []string{"pbx.example"}}, "neither an address nor a network"},
		{Switch{From: []string{"127.0.0.1"}, Prefix: "7-7"}, "what can be dialled"},
		{Switch{From: []string{"127.0.0.1"}, Purpose: "fun"}, "purpose"},
		{Switch{From: []string{"127.0.0.1"}, Country: "ITA"}, "country"},
		{Switch{From: []string{"127.0.0.1"}, Trunk: "sbc:5060;transport=pigeon"}, "trunk"},
	} {
		_, err := NewAttendant(Config{Gate: &stub{}, Switches: []Switch{{From: []string{"10.0.0.1"}}, c.entry}})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "switch 2") {
			t.Errorf("%+v: %v, want %q of switch 2", c.entry, err, c.want)
		}
	}
}

// TestOnlyTheGateAllows: whatever the switch says, an answer that allows comes
// from the gate, for the number that it judged.
func TestOnlyTheGateAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		verdict := rapid.SampledFrom([]events.Verdict{events.VerdictAllow, events.VerdictWarn, events.VerdictBlock, "", "maybe"}).Draw(t, "verdict")
		phone := rapid.SampledFrom([]string{free, ""}).Draw(t, "judged")
		fails := rapid.Bool().Draw(t, "fails")
		asked := 0
		gate := &stub{instead: func(context.Context, events.Question) (Answer, error) {
			asked++
			if fails {
				return Answer{Verdict: verdict, Number: phone}, errors.New("no")
			}
			return Answer{Verdict: verdict, Number: phone}, nil
		}}
		var given []parameter
		for range rapid.IntRange(0, 5).Draw(t, "parameters") {
			given = append(given, parameter{rapid.SampledFrom(append(names(), "x")).Draw(t, "name"), rapid.SampledFrom([]string{"A", "K-A", "true", "marketing", "sms", "IT", "\x00"}).Draw(t, "value")})
		}
		a, err := NewAttendant(Config{Gate: gate, Log: quietLog})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := a.answer(context.Background(), doorSIP, call{from: here, dialled: rapid.SampledFrom([]string{"", "abc", free}).Draw(t, "dialled"), given: given})
		may := asked == 1 && !fails && phone != "" && (verdict == events.VerdictAllow || verdict == events.VerdictWarn)
		if got.Allows() != may || got.Allows() && got.Number != phone {
			t.Fatalf("answer %+v after %d questions", got, asked)
		}
		if !got.Allows() && got.Verdict != events.VerdictBlock {
			t.Fatalf("an answer that does not allow says %q", got.Verdict)
		}
	})
}
