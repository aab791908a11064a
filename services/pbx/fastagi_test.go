package pbx

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
)

// agi serves FastAGI on a free port and returns its address.
func agi(t testing.TB, o *office, options FastAGIOptions) string {
	t.Helper()
	l := listen(t)
	serve(t, func(ctx context.Context) error { return NewFastAGI(o.Attendant, options).Serve(ctx, l) })
	return l.Addr().String()
}

// peer is the switch's end of an AGI session.
type peer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func connect(t testing.TB, address string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &peer{t, conn, bufio.NewReader(conn)}
}

func (p *peer) say(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatal(err)
	}
}

// hear returns the next line, or "" at the end of the session.
func (p *peer) hear() string {
	p.t.Helper()
	line, err := p.r.ReadString('\n')
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		p.t.Fatal("the server neither spoke nor closed")
	}
	return strings.TrimSuffix(line, "\n")
}

// play answers each command with success and returns them all.
func (p *peer) play() []string {
	p.t.Helper()
	var commands []string
	for {
		line := p.hear()
		if line == "" {
			return commands
		}
		commands = append(commands, line)
		if _, err := io.WriteString(p.conn, "200 result=1\n"); err != nil {
			return commands
		}
	}
}

const agiHead = "agi_network: yes\nagi_network_script: decide?controller=A&campaign=K-A\nagi_uniqueid: u-1\nagi_callerid: +390844100100\nagi_callingpres: 3\nagi_extension: s\nagi_dnid: unknown\n"

// verdict is the value that a list of commands sets the verdict to.
func verdict(commands []string) string {
	for _, c := range commands {
		if value, ok := strings.CutPrefix(c, "SET VARIABLE "+VariableVerdict+" "); ok {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// TestRecordedSessions plays the switch's side of sessions that Asterisk held,
// and compares what it is told.
func TestRecordedSessions(t *testing.T) {
	files, err := filepath.Glob("testdata/agi/*.txt")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d recordings (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			o := open(t, nil)
			p := connect(t, agi(t, o, FastAGIOptions{}))
			for line := range strings.Lines(string(text)) {
				line = strings.TrimSuffix(line, "\n")
				switch {
				case strings.HasPrefix(line, "<"):
					p.say(strings.TrimPrefix(strings.TrimPrefix(line, "<"), " ") + "\n")
				case strings.HasPrefix(line, "> "):
					if got := p.hear(); got != line[2:] {
						t.Fatalf("told %q, the recording has %q", got, line[2:])
					}
				}
			}
			if got := p.hear(); got != "" {
				t.Errorf("told %q after the end of the recording", got)
			}
		})
	}
}

func TestASessionAsksForWhatTheSwitchSays(t *testing.T) {
	o := open(t, nil)
	address := agi(t, o, FastAGIOptions{})
	for _, c := range []struct {
		name, head string
		want       events.Question
	}{
		{"argument", agiHead + "agi_arg_1: " + free + "\n", events.Question{Number: free, CLI: "+390844100100", Attempt: "u-1"}},
		{"extension", strings.Replace(agiHead, "agi_extension: s", "agi_extension: "+listed, 1), events.Question{Number: listed, CLI: "+390844100100", Attempt: "u-1"}},
		{"dialled number", strings.Replace(agiHead, "agi_dnid: unknown", "agi_dnid: "+free, 1), events.Question{Number: free, CLI: "+390844100100", Attempt: "u-1"}},
		{"withheld", strings.Replace(agiHead, "pres: 3", "pres: 35", 1) + "agi_arg_1: " + free + "\n", events.Question{Number: free, Attempt: "u-1"}},
		{"no caller's number", strings.Replace(agiHead, "agi_callerid: +390844100100", "agi_callerid: unknown", 1) + "agi_arg_1: " + free + "\n", events.Question{Number: free, Attempt: "u-1"}},
		{"escaped, with carriage returns", strings.ReplaceAll(strings.Replace(agiHead, "campaign=K-A", "campaign=K-A&cli=%2B39081&attempt=a%2F7", 1)+"agi_arg_1: "+free+"\n", "\n", "\r\n"),
			events.Question{Number: free, CLI: "+39081", Attempt: "a/7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(o.gate.questions())
			p := connect(t, address)
			p.say(c.head + "\n")
			p.play()
			c.want.Controller, c.want.Campaign, c.want.Purpose, c.want.Channel = "A", "K-A", "marketing", "operator_call"
			if d := cmp.Diff([]events.Question{c.want}, o.gate.questions()[before:]); d != "" {
				t.Errorf("question differs (-want +got):\n%s", d)
			}
		})
	}
}

func TestWhatIsNoSessionIsBlockedOrClosed(t *testing.T) {
	long := strings.Repeat("x", 3000)
	number := "agi_arg_1: " + free + "\n"
	for _, c := range []struct {
		name, text string
		silent     bool // closed without a word, since the call is gone
	}{
		{"another script", strings.Replace(agiHead, "decide", "delete", 1) + number + "\n", false},
		{"no script", "agi_network: yes\n" + number + "\n", false},
		{"broken query", strings.Replace(agiHead, "campaign=K-A", "campaign=%zz", 1) + number + "\n", false},
		{"parameter twice", strings.Replace(agiHead, "campaign=K-A", "campaign=K-A&campaign=K-B", 1) + number + "\n", false},
		{"unknown parameter", strings.Replace(agiHead, "campaign=K-A", "campaign=K-A&verdict=allow", 1) + number + "\n", false},
		{"play outside the sounds", strings.Replace(agiHead, "campaign=K-A", "campaign=K-A&play=x%22", 1) + number + "\n", false},
		{"hangup perhaps", strings.Replace(agiHead, "campaign=K-A", "campaign=K-A&hangup=perhaps", 1) + number + "\n", false},
		{"no number", agiHead + "\n", false},
		{"empty argument beside a dialled number", strings.Replace(agiHead, "agi_dnid: unknown", "agi_dnid: "+free, 1) + "agi_arg_1:\n\n", false},
		{"a name that brings a second number", agiHead + "agi_arg_1: " + listed + "\n" + number + "\n", false},
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"empty", "\n", false},
		{"a line without end", long, false},
		{"a long line", "agi_request: " + long + "\n" + number + "\n", false},
		{"many lines", strings.Repeat("agi_x: y\n", 3), false},
		{"cut", agiHead + number, true},
		{"cut in a line", agiHead + "agi_arg_1: +39340", true},
		{"nothing", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := open(t, nil)
			p := connect(t, agi(t, o, FastAGIOptions{}))
			p.say(c.text)
			if c.silent {
				if err := p.conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			commands := p.play()
			if got := verdict(commands); c.silent && len(commands) != 0 || !c.silent && got != "block" {
				t.Errorf("told %q", commands)
			}
			if n := len(o.gate.questions()); n != 0 {
				t.Errorf("the gate was asked %d times", n)
			}
		})
	}
}

func TestABrokenOffSessionNeverAllows(t *testing.T) {
	for name, reply := range map[string]string{
		"hung up":             "HANGUP\n",
		"dead channel":        "511 Command Not Permitted on a dead channel or intercept routine\n",
		"unknown command":     "510 Invalid or unknown command\n",
		"usage":               "520-Invalid command syntax.  Proper usage follows:\n",
		"failed":              "200 result=-1\n",
		"nonsense":            "agi_callingani2: 0\n",
		"a line without end":  strings.Repeat("2", 3000),
		"nothing but a break": "\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, nil)
			p := connect(t, agi(t, o, FastAGIOptions{}))
			p.say(agiHead + "agi_arg_1: " + free + "\n\n")
			var told []string
			for i := 0; ; i++ {
				line := p.hear()
				if line == "" {
					break
				}
				told = append(told, line)
				if i == 2 {
					p.say(reply)
				} else {
					p.say("200 result=1\n")
				}
			}
			if len(told) != 3 || verdict(told) != "" {
				t.Errorf("told %q after the switch had broken off", told)
			}
		})
	}
}

func TestASlowSwitchIsLeft(t *testing.T) {
	o := open(t, nil)
	address := agi(t, o, FastAGIOptions{Wait: 30 * time.Millisecond})
	header := connect(t, address)
	header.say(agiHead)
	if got := header.hear(); got != "" {
		t.Errorf("told %q before the end of the header", got)
	}
	reply := connect(t, address)
	reply.say(agiHead + "agi_arg_1: " + free + "\n\n")
	if first, second := reply.hear(), reply.hear(); first == "" || second != "" {
		t.Errorf("told %q and %q without an answer", first, second)
	}
}

func TestStrangersAndCrowdsAreClosedUnread(t *testing.T) {
	o := open(t, func(c *Config) {
		c.Switches = []Switch{{From: []string{"192.0.2.1"}, Controller: "A", Campaign: "K-A"}}
	})
	p := connect(t, agi(t, o, FastAGIOptions{}))
	if got := p.hear(); got != "" {
		t.Errorf("a stranger was told %q", got)
	}
	await(t, "the stranger to be counted", func() bool { return o.count(t, "assenso_pbx_turned_away_total", causeStranger, doorFastAGI) == 1 })

	o = open(t, nil)
	address := agi(t, o, FastAGIOptions{Connections: 1})
	first := connect(t, address)
	first.say(agiHead)
	second := connect(t, address)
	if got := second.hear(); got != "" {
		t.Errorf("one too many was told %q", got)
	}
	first.say("agi_arg_1: " + free + "\n\n")
	if got := verdict(first.play()); got != "allow" {
		t.Errorf("the first was told %q", got)
	}
	await(t, "the place to be free", func() bool {
		p := connect(t, address)
		p.say(agiHead + "agi_arg_1: " + free + "\n\n")
		return verdict(p.play()) == "allow"
	})
	if len(o.gate.questions()) != 2 {
		t.Errorf("the gate was asked %d times", len(o.gate.questions()))
	}
}

func TestAStopLetsASessionEnd(t *testing.T) {
	o := open(t, nil)
	asked, proceed := make(chan struct{}), make(chan struct{})
	o.gate.instead = func(context.Context, events.Question) (Answer, error) {
		close(asked)
		<-proceed
		return Answer{Verdict: events.VerdictAllow, Number: free}, nil
	}
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- NewFastAGI(o.Attendant, FastAGIOptions{Grace: 20 * time.Second}).Serve(ctx, l) }()
	p := connect(t, l.Addr().String())
	p.say(agiHead + "agi_arg_1: " + free + "\n\n")
	<-asked
	stop()
	close(proceed)
	if got := verdict(p.play()); got != "allow" {
		t.Errorf("told %q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAStopDoesNotWaitForASilentSwitch(t *testing.T) {
	o := open(t, nil)
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- NewFastAGI(o.Attendant, FastAGIOptions{Wait: time.Hour, Grace: time.Millisecond}).Serve(ctx, l)
	}()
	p := connect(t, l.Addr().String())
	p.say("agi_network: yes\n")
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := p.hear(); got != "" {
		t.Errorf("told %q", got)
	}
}

func TestAPanicBlocksOneCallAndNoOther(t *testing.T) {
	o := open(t, nil)
	address := agi(t, o, FastAGIOptions{})
	o.gate.instead = func(context.Context, events.Question) (Answer, error) { panic(free) }
	p := connect(t, address)
	p.say(agiHead + "agi_arg_1: " + free + "\n\n")
	if got := verdict(p.play()); got != "block" {
		t.Errorf("told %q", got)
	}
	o.gate.mu.Lock()
	o.gate.instead = nil
	o.gate.mu.Unlock()
	p = connect(t, address)
	p.say(agiHead + "agi_arg_1: " + free + "\n\n")
	if got := verdict(p.play()); got != "allow" {
		t.Errorf("told %q", got)
	}
}

func TestQuotesKeepOneArgument(t *testing.T) {
	for in, want := range map[string]string{
		"IT-RPO-01": `"IT-RPO-01"`, `a"b\c`: `"a\"b\\c"`, "x\nHANGUP": `"xHANGUP"`, "però": `"per"`, "": `""`,
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) is %s, want %s", in, got, want)
		}
	}
}
