package pbx

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/assenso/assenso/events"
)

// Channel variables that an answer sets.
const (
	VariableVerdict    = "ASSENSO_VERDICT"     // allow, warn or block
	VariableReason     = "ASSENSO_REASON"      // first rule that blocks, else that warns, else empty
	VariableDecision   = "ASSENSO_DECISION"    // for call.concluded to cite; empty where none was recorded
	VariableNumber     = "ASSENSO_NUMBER"      // the number that was judged, E.164; empty when blocked
	VariableValidUntil = "ASSENSO_VALID_UNTIL" // RFC 3339, UTC; empty when it does not hold at all
)

// playWait is how long a sound file may last.
const playWait = 60 * time.Second

// Errors that end a session. None needs a person: the call ended.
var (
	errHungUp  = errors.New("the call was hung up")
	errCommand = errors.New("the switch refused a command")
)

// session is one AGI connection: a call that waits for its answer.
type session struct {
	conn net.Conn
	r    *bufio.Reader
	wait time.Duration // for the header, and for the answer to a command
}

func newSession(conn net.Conn, wait time.Duration) *session {
	return &session{conn: conn, r: bufio.NewReaderSize(conn, maxLine), wait: wait}
}

// run reads the header, asks, and says the answer. The error says why the
// session ended early.
func (s *session) run(ctx context.Context, a *Attendant) error {
	if err := s.conn.SetDeadline(time.Now().Add(s.wait)); err != nil {
		return err
	}
	h, err := readHeader(s.r)
	if err != nil && !errors.Is(err, errHeader) {
		return err
	}
	var c call
	var w wishes
	if err == nil {
		c, w, err = h.read()
	}
	if err != nil {
		refused := a.refuse(doorFastAGI, err)
		return s.say(&refused, w)
	}
	c.from = addressOf(s.conn.RemoteAddr())
	answer, _ := a.answer(ctx, doorFastAGI, c)
	return s.say(&answer, w)
}

// say sets the variables of an answer and does what is wished of a blocked
// call. A "block" is said first and an "allow" last, so that a session that
// breaks off in between leaves no "allow" behind, and none without the rest.
func (s *session) say(a *Answer, w wishes) error {
	if !a.Allows() {
		return s.block(a, w)
	}
	return s.set(append(reasons(a), variable{VariableNumber, a.Number}, variable{VariableVerdict, string(a.Verdict)})...)
}

func (s *session) block(a *Answer, w wishes) error {
	verdict := variable{VariableVerdict, string(events.VerdictBlock)}
	if err := s.set(append([]variable{verdict, {VariableNumber, ""}}, reasons(a)...)...); err != nil {
		return err
	}
	if w.play != "" {
		if err := s.command(playWait, "STREAM FILE "+w.play+` ""`); err != nil {
			return err
		}
	}
	if w.hangUp {
		return s.command(s.wait, "HANGUP")
	}
	return nil
}

// variable is a channel variable and its value.
type variable struct{ name, value string }

// reasons are the variables that every answer has.
func reasons(a *Answer) []variable {
	until := ""
	if !a.ValidUntil.IsZero() {
		until = a.ValidUntil.String()
	}
	return []variable{{VariableReason, a.First()}, {VariableDecision, a.Decision}, {VariableValidUntil, until}}
}

func (s *session) set(variables ...variable) error {
	for _, v := range variables {
		if err := s.command(s.wait, "SET VARIABLE "+v.name+" "+quote(v.value)); err != nil {
			return err
		}
	}
	return nil
}

// quote makes one argument of a command: in double quotes, what is no printable
// ASCII left out.
func quote(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r <= '~':
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// command sends one command and reads its reply: "200 result=N", N not
// negative.
func (s *session) command(wait time.Duration, text string) error {
	if err := s.conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	if _, err := s.conn.Write([]byte(text + "\n")); err != nil {
		return err
	}
	line, err := readLine(s.r)
	if err != nil {
		return err
	}
	result, ok := strings.CutPrefix(line, "200 result=")
	switch {
	case line == "HANGUP":
		return errHungUp
	case !ok, strings.HasPrefix(result, "-"):
		return fmt.Errorf("%w: %s", errCommand, strings.Fields(text)[0])
	}
	return nil
}
