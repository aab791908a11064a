package pbx

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
)

// redirect serves SIP on a free port, UDP and TCP, and returns its address.
func redirect(t testing.TB, o *office, options RedirectOptions) string {
	t.Helper()
	if options.Trunk == "" {
		options.Trunk = "trunk.example:5060"
	}
	r, err := NewRedirect(o.Attendant, options)
	if err != nil {
		t.Fatal(err)
	}
	tcp := listen(t)
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	serve(t, func(ctx context.Context) error { return r.Serve(ctx, udp, tcp) })
	return tcp.Addr().String()
}

// message is a SIP response as it came.
type message struct {
	status  int
	headers textproto.MIMEHeader
	text    string
}

func parseMessage(t testing.TB, text string) message {
	t.Helper()
	line, rest, _ := strings.Cut(text, "\r\n")
	fields := strings.SplitN(line, " ", 3)
	if len(fields) != 3 || fields[0] != "SIP/2.0" {
		t.Fatalf("no response: %q", line)
	}
	status, err := strconv.Atoi(fields[1])
	if err != nil {
		t.Fatal(err)
	}
	headers, err := textproto.NewReader(bufio.NewReader(strings.NewReader(rest))).ReadMIMEHeader()
	if err != nil && err != io.EOF {
		t.Fatalf("headers of %q: %v", text, err)
	}
	return message{status, headers, text}
}

// phone is a caller with a socket of its own that sends what it is told.
type phone struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader // TCP only
	id   string
}

var phones atomic.Int64

func pickUp(t testing.TB, network, address string) *phone {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	p := &phone{t: t, conn: conn, id: fmt.Sprint("call-", phones.Add(1))}
	if network == "tcp" {
		p.r = bufio.NewReader(conn)
	}
	return p
}

// request is a request of this call; more are header lines, a To header among
// them takes the place of the usual one.
func (p *phone) request(method, uri string, more ...string) string {
	to := "To: <" + uri + ">"
	var extra strings.Builder
	for _, h := range more {
		if strings.HasPrefix(h, "To:") {
			to = h
			continue
		}
		extra.WriteString(h + "\r\n")
	}
	cseq := method
	transport := strings.ToUpper(p.conn.LocalAddr().Network())
	return method + " " + uri + " SIP/2.0\r\n" +
		"Via: SIP/2.0/" + transport + " " + p.conn.LocalAddr().String() + ";branch=z9hG4bK-" + p.id + ";rport\r\n" +
		"Max-Forwards: 70\r\n" +
		"From: \"Agent\" <sip:+390844100100@pbx.example>;tag=f-" + p.id + "\r\n" + to + "\r\n" +
		"Call-ID: " + p.id + "\r\nCSeq: 1 " + cseq + "\r\n" + extra.String() + "Content-Length: 0\r\n\r\n"
}

func (p *phone) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatal(err)
	}
}

// read returns the next message.
func (p *phone) read() message {
	p.t.Helper()
	if p.r == nil {
		buf := make([]byte, 65535)
		n, err := p.conn.Read(buf)
		if err != nil {
			p.t.Fatalf("no answer: %v", err)
		}
		return parseMessage(p.t, string(buf[:n]))
	}
	var text strings.Builder
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			p.t.Fatalf("no answer: %v", err)
		}
		text.WriteString(line)
		if line == "\r\n" {
			return parseMessage(p.t, text.String())
		}
	}
}

// answer returns the next message that is not provisional.
func (p *phone) answer() message {
	p.t.Helper()
	for {
		if m := p.read(); m.status >= 200 {
			return m
		}
	}
}

// ack acknowledges a final answer that is no 2xx.
func (p *phone) ack(uri string, m message) { p.send(p.request("ACK", uri, "To: "+m.headers.Get("To"))) }

const campaignHeaders = "X-Assenso-Controller: A\r\nX-Assenso-Campaign: K-A"

func TestAnInviteIsRedirectedOrDeclined(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		o := open(t, nil)
		address := redirect(t, o, RedirectOptions{})
		for _, c := range []struct {
			name, uri string
			headers   []string
			status    int
			want      map[string]string
		}{
			{"allowed", "sip:" + free + "@assenso", []string{campaignHeaders}, 302, map[string]string{
				"Contact": "<sip:" + free + "@trunk.example:5060>", "X-Assenso-Decision": "d-1", "X-Assenso-Verdict": "allow", "Reason": "", "X-Assenso-Valid-Until": "2026-03-10T20:00:00.000Z"}},
			{"allowed with a warning", "sip:" + warned + "@assenso", []string{campaignHeaders}, 302, map[string]string{
				"Contact": "<sip:" + warned + "@trunk.example:5060>", "X-Assenso-Verdict": "warn", "X-Assenso-Reason": "IT-LST-06"}},
			{"blocked", "sip:" + listed + "@assenso", []string{campaignHeaders}, 603, map[string]string{
				"Reason": `SIP;cause=603;text="IT-RPO-01 IT-RPO-05"`, "X-Assenso-Decision": "d-1", "X-Assenso-Verdict": "block", "Contact": "", "Retry-After": ""}},
			{"judged and dialled in one form", "sip:3401234567;npdi@assenso;user=phone", []string{campaignHeaders, "X-Assenso-Country: IT"}, 302, map[string]string{"Contact": "<sip:" + free + "@trunk.example:5060>"}},
			{"escaped", "sip:%2b393401234567@assenso", []string{campaignHeaders}, 302, map[string]string{"Contact": "<sip:" + free + "@trunk.example:5060>"}},
			{"tel", "tel:" + free, []string{campaignHeaders}, 302, map[string]string{"Contact": "<sip:" + free + "@trunk.example:5060>"}},
			{"local to a context", "tel:3401234567;phone-context=+41", []string{campaignHeaders, "X-Assenso-Country: IT"}, 603, map[string]string{"Reason": `SIP;cause=603;text="SYS-QUESTION"`}},
			{"no number", "sip:assenso", []string{campaignHeaders}, 603, map[string]string{"Reason": `SIP;cause=603;text="SYS-QUESTION"`}},
			{"no campaign", "sip:" + free + "@assenso", nil, 603, map[string]string{"Reason": `SIP;cause=603;text="SYS-QUESTION"`}},
			{"said twice", "sip:" + free + "@assenso", []string{campaignHeaders, "x-assenso-campaign: K-B"}, 603, map[string]string{"Reason": `SIP;cause=603;text="SYS-SWITCH"`}},
			{"no number that the gate knows", "sip:alice@assenso", []string{campaignHeaders}, 603, map[string]string{"Reason": `SIP;cause=603;text="SYS-QUESTION"`}},
			{"inside a dialog", "sip:" + free + "@assenso", []string{campaignHeaders, "To: <sip:x@assenso>;tag=1"}, 481, nil},
		} {
			t.Run(network+" "+c.name, func(t *testing.T) {
				p := pickUp(t, network, address)
				p.send(p.request("INVITE", c.uri, c.headers...))
				m := p.answer()
				if m.status != c.status {
					t.Fatalf("answered %s", m.text)
				}
				for name, want := range c.want {
					if got := m.headers.Get(name); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				if !strings.Contains(m.headers.Get("To"), "tag=") || m.headers.Get("Call-Id") != p.id || m.headers.Get("Cseq") != "1 INVITE" {
					t.Errorf("the answer does not match the request: %s", m.text)
				}
				p.ack(c.uri, m)
			})
		}
	}
}

func TestTheCallersNumberIsFound(t *testing.T) {
	o := open(t, nil)
	address := redirect(t, o, RedirectOptions{Headers: []string{"campaign=X-Campaign-Id"}})
	for _, c := range []struct {
		name    string
		headers []string
		want    string
	}{
		{"From", nil, "+390844100100"},
		{"asserted", []string{`P-Asserted-Identity: "Call, Centre" <sip:+390844100200@pbx;user=phone>`}, "+390844100200"},
		{"asserted as tel", []string{"P-Asserted-Identity: <tel:+390844100200>"}, "+390844100200"},
		{"asserted twice", []string{`P-Asserted-Identity: "A \"x, y\"" <sip:pbx.example>, <tel:+390844100200>`}, "+390844100200"},
		{"asserted and private", []string{"P-Asserted-Identity: <tel:+390844100200>", "Privacy: none; id"}, ""},
		{"not private", []string{"Privacy: none"}, "+390844100100"},
		{"given", []string{"X-Assenso-Cli: +390844100300"}, "+390844100300"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := pickUp(t, "udp", address)
			p.send(p.request("INVITE", "sip:"+free+"@assenso", append(c.headers, "X-Assenso-Controller: A", "x-campaign-id: K-A", "X-Assenso-Attempt: a-7")...))
			p.ack("sip:"+free+"@assenso", p.answer())
			asked := o.gate.questions()
			want := events.Question{Number: free, Controller: "A", Campaign: "K-A", Attempt: "a-7", CLI: c.want, Purpose: "marketing", Channel: "operator_call"}
			if d := cmp.Diff(want, asked[len(asked)-1]); d != "" {
				t.Errorf("question differs (-want +got):\n%s", d)
			}
		})
	}
	p := pickUp(t, "udp", address)
	p.send(strings.Replace(p.request("INVITE", "sip:"+free+"@assenso", "X-Assenso-Controller: A", "X-Campaign-Id: K-A"), "sip:+390844100100@pbx.example", "sip:anonymous@anonymous.invalid", 1))
	p.ack("sip:"+free+"@assenso", p.answer())
	if asked := o.gate.questions(); asked[len(asked)-1].CLI != "" || asked[len(asked)-1].Attempt != "" {
		t.Errorf("asked %+v", asked[len(asked)-1])
	}
}

func TestEachSwitchHasItsTrunk(t *testing.T) {
	o := open(t, func(c *Config) {
		c.Switches = []Switch{
			{From: thisMachine, Prefix: "1", Controller: "A", Campaign: "K-1", Country: "IT", Trunk: "[2001:db8::1]:5070;transport=tcp"},
			{From: thisMachine, Prefix: "2", Controller: "A", Campaign: "K-2", Country: "IT"},
		}
	})
	address := redirect(t, o, RedirectOptions{Trunk: "192.0.2.7"})
	for dialled, want := range map[string]string{
		"13401234567": "<sip:" + free + "@[2001:db8::1]:5070;transport=tcp>", "23401234567": "<sip:" + free + "@192.0.2.7>", "33401234567": "",
	} {
		p := pickUp(t, "udp", address)
		p.send(p.request("INVITE", "sip:"+dialled+"@assenso"))
		m := p.answer()
		p.ack("sip:"+dialled+"@assenso", m)
		if got := m.headers.Get("Contact"); got != want || (m.status == 302) != (want != "") {
			t.Errorf("%s: %d to %q, want %q", dialled, m.status, got, want)
		}
	}
}

func TestOtherMethods(t *testing.T) {
	o := open(t, nil)
	address := redirect(t, o, RedirectOptions{})
	for _, network := range []string{"udp", "tcp"} {
		for method, want := range map[string]int{"OPTIONS": 200, "CANCEL": 481, "BYE": 405, "REGISTER": 405, "MESSAGE": 405, "SUBSCRIBE": 405, "REFER": 405} {
			p := pickUp(t, network, address)
			p.send(p.request(method, "sip:"+free+"@assenso"))
			m := p.answer()
			if m.status != want || want != 481 && m.headers.Get("Allow") != "INVITE, ACK, CANCEL, OPTIONS" {
				t.Errorf("%s over %s: %s", method, network, m.text)
			}
		}
	}
	p := pickUp(t, "udp", address)
	p.send(strings.Replace(p.request("INVITE", "sip:"+free+"@assenso", campaignHeaders), " SIP/2.0\r\n", " SIP/3.0\r\n", 1))
	if m := p.answer(); m.status != 505 {
		t.Errorf("another version: %s", m.text)
	}
	p = pickUp(t, "udp", address)
	p.send(p.request("ACK", "sip:"+free+"@assenso")) // of nothing: no answer
	p.send("\r\n\r\n")                               // keep-alive (RFC 5626)
	p.id = "call-after-ack"
	p.send(p.request("OPTIONS", "sip:assenso"))
	if m := p.answer(); m.status != 200 || m.headers.Get("Call-Id") != "call-after-ack" {
		t.Errorf("an ACK was answered: %s", m.text)
	}
	if n := len(o.gate.questions()); n != 0 {
		t.Errorf("the gate was asked %d times", n)
	}
}

// TestARetransmissionIsTheSameCall: the INVITE of a lost answer brings the
// answer again, and the gate is asked once.
func TestARetransmissionIsTheSameCall(t *testing.T) {
	o := open(t, nil)
	address := redirect(t, o, RedirectOptions{})
	for uri, want := range map[string]int{"sip:" + free + "@assenso": 302, "sip:" + listed + "@assenso": 603} {
		before := len(o.gate.questions())
		p := pickUp(t, "udp", address)
		p.send(p.request("INVITE", uri, campaignHeaders))
		first := p.answer()
		p.send(p.request("INVITE", uri, campaignHeaders))
		second := p.answer()
		third := p.answer() // by the server's own timer, since nobody acknowledged
		if first.status != want || first.text != second.text || second.text != third.text {
			t.Errorf("answers differ:\n%s\n%s\n%s", first.text, second.text, third.text)
		}
		p.ack(uri, third)
		if n := len(o.gate.questions()) - before; n != 1 {
			t.Errorf("the gate was asked %d times for one call", n)
		}
	}
}

// waiting is a gate that answers when it is let.
func waiting(o *office) (asked chan struct{}, answer chan Answer) {
	asked, answer = make(chan struct{}, 16), make(chan Answer)
	o.gate.instead = func(ctx context.Context, _ events.Question) (Answer, error) {
		asked <- struct{}{}
		select {
		case a := <-answer:
			return a, nil
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}
	return asked, answer
}

func TestTheCallerHearsTryingThenTheAnswer(t *testing.T) {
	o := open(t, func(c *Config) { c.Patience = time.Minute })
	asked, answer := waiting(o)
	p := pickUp(t, "udp", redirect(t, o, RedirectOptions{}))
	uri := "sip:" + free + "@assenso"
	p.send(p.request("INVITE", uri, campaignHeaders))
	<-asked
	if m := p.read(); m.status != 100 {
		t.Fatalf("first: %s", m.text)
	}
	p.send(p.request("INVITE", uri, campaignHeaders))
	if m := p.read(); m.status != 100 {
		t.Fatalf("for a retransmission: %s", m.text)
	}
	answer <- Answer{Verdict: events.VerdictAllow, Number: free}
	m := p.read()
	p.ack(uri, m)
	if m.status != 302 || len(asked) != 0 {
		t.Errorf("then: %s after %d more questions", m.text, len(asked))
	}
}

func TestACancelledCallIsNotPlaced(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		o := open(t, func(c *Config) { c.Patience = time.Minute })
		asked, _ := waiting(o)
		p := pickUp(t, network, redirect(t, o, RedirectOptions{}))
		uri := "sip:" + free + "@assenso"
		p.send(p.request("INVITE", uri, campaignHeaders))
		<-asked
		p.send(p.request("CANCEL", uri))
		got, tags := map[string]int{}, map[string]bool{}
		for len(got) < 2 {
			m := p.answer()
			got[m.headers.Get("Cseq")] = m.status
			tags[m.headers.Get("To")] = true
			if m.status != 200 {
				p.ack(uri, m)
			}
		}
		if d := cmp.Diff(map[string]int{"1 CANCEL": 200, "1 INVITE": 487}, got); d != "" {
			t.Errorf("%s: answers differ (-want +got):\n%s", network, d)
		}
		if len(tags) != 1 {
			t.Errorf("%s: the answers bear several tags: %v", network, tags)
		}
		p.id += "-after"
		p.send(p.request("OPTIONS", "sip:assenso"))
		if m := p.answer(); m.status != 200 || m.headers.Get("Cseq") != "1 OPTIONS" {
			t.Errorf("%s: after the end of the call: %s", network, m.text)
		}
	}
}

func TestACancelAfterTheAnswerChangesNothing(t *testing.T) {
	o := open(t, nil)
	p := pickUp(t, "udp", redirect(t, o, RedirectOptions{}))
	uri := "sip:" + listed + "@assenso"
	p.send(p.request("INVITE", uri, campaignHeaders))
	first := p.answer()
	p.send(p.request("CANCEL", uri))
	for {
		m := p.answer()
		if m.headers.Get("Cseq") == "1 CANCEL" {
			if m.status != 200 {
				t.Errorf("the CANCEL: %s", m.text)
			}
			break
		}
		if m.text != first.text {
			t.Errorf("another answer: %s", m.text)
		}
	}
	p.send(p.request("INVITE", uri, campaignHeaders))
	if again := p.answer(); again.text != first.text {
		t.Errorf("first\n%s\nthen\n%s", first.text, again.text)
	}
	p.ack(uri, first)
}

func TestInDoubtAnInviteIsDeclinedFor(t *testing.T) {
	o := open(t, func(c *Config) { c.Patience = 20 * time.Millisecond })
	waiting(o)
	p := pickUp(t, "udp", redirect(t, o, RedirectOptions{}))
	uri := "sip:" + free + "@assenso"
	p.send(p.request("INVITE", uri, campaignHeaders))
	m := p.answer()
	p.ack(uri, m)
	if m.status != 603 || m.headers.Get("Reason") != `SIP;cause=603;text="SYS-GATE"` || m.headers.Get("Retry-After") != "5" {
		t.Errorf("a gate that does not answer: %s", m.text)
	}
	o = open(t, nil)
	o.gate.instead = func(context.Context, events.Question) (Answer, error) {
		return Answer{Verdict: events.VerdictAllow, Number: "+39@evil.example"}, nil
	}
	p = pickUp(t, "udp", redirect(t, o, RedirectOptions{}))
	p.send(p.request("INVITE", uri, campaignHeaders))
	m = p.answer()
	p.ack(uri, m)
	if m.status != 603 || strings.Contains(m.text, "evil") {
		t.Errorf("a number that is none: %s", m.text)
	}
}

func TestOneCallTooManyIsDeclined(t *testing.T) {
	o := open(t, func(c *Config) { c.Patience = time.Minute })
	asked, answer := waiting(o)
	address := redirect(t, o, RedirectOptions{Calls: 1})
	uri := "sip:" + free + "@assenso"
	first, second := pickUp(t, "udp", address), pickUp(t, "udp", address)
	first.send(first.request("INVITE", uri, campaignHeaders))
	<-asked
	second.send(second.request("INVITE", uri, campaignHeaders))
	m := second.answer()
	second.ack(uri, m)
	if m.status != 603 || m.headers.Get("Reason") != `SIP;cause=603;text="SYS-BUSY"` || m.headers.Get("Retry-After") != "5" {
		t.Errorf("second: %s", m.text)
	}
	answer <- Answer{Verdict: events.VerdictAllow, Number: free}
	m = first.answer()
	first.ack(uri, m)
	if m.status != 302 {
		t.Errorf("first: %s", m.text)
	}
}

// TestAStrangerHearsNothing: a scanner does not learn that somebody is here.
func TestAStrangerHearsNothing(t *testing.T) {
	o := open(t, func(c *Config) {
		c.Switches = []Switch{{From: []string{"127.0.0.2"}, Controller: "A", Campaign: "K-A"}}
	})
	address := redirect(t, o, RedirectOptions{})
	stranger := pickUp(t, "udp", address)
	for range 3 {
		stranger.send(stranger.request("OPTIONS", "sip:assenso"))
	}
	await(t, "the datagrams to be counted", func() bool { return o.count(t, "assenso_pbx_turned_away_total", causeStranger, doorSIP) == 3 })
	overTCP := pickUp(t, "tcp", address)
	if _, err := overTCP.conn.Read(make([]byte, 1)); err == nil {
		t.Error("a stranger was told something over TCP")
	}
	dialer := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := dialer.DialContext(t.Context(), "udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	known := &phone{t: t, conn: conn, id: "known"}
	known.send(known.request("INVITE", "sip:"+free+"@assenso"))
	m := known.answer()
	known.ack("sip:"+free+"@assenso", m)
	if m.status != 302 {
		t.Errorf("the switch: %s", m.text)
	}
	if err := stranger.conn.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := stranger.conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("a stranger was told %d bytes", n)
	}
}

func TestJunkIsCountedAndHarmsNobody(t *testing.T) {
	o := open(t, nil)
	address := redirect(t, o, RedirectOptions{})
	p := pickUp(t, "udp", address)
	for _, junk := range []string{"\x00\x00\x00", "HELLO", "INVITE sip:" + free + "@x SIP/2.0\r\n", "INVITE sip:x SIP/2.0\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n",
		"INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP " + p.conn.LocalAddr().String() + ";branch=z9hG4bK-junk;rport\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
		strings.Repeat("x", maxMessage+1)} {
		p.send(junk)
	}
	if m := p.answer(); m.status != 400 {
		t.Errorf("an INVITE from nobody: %s", m.text)
	}
	await(t, "the junk to be counted", func() bool { return o.count(t, "assenso_pbx_turned_away_total", causeUnreadable, doorSIP) >= 3 })
	over := pickUp(t, "tcp", address)
	over.send("HELLO " + free + "\r\n\r\n")
	if _, err := over.conn.Read(make([]byte, 1)); err == nil {
		t.Error("junk over TCP was answered")
	}
	p = pickUp(t, "udp", address)
	p.send(p.request("OPTIONS", "sip:assenso"))
	if m := p.answer(); m.status != 200 {
		t.Errorf("afterwards: %s", m.text)
	}
}

// TestALongCallIsAnsweredOverUDP: an answer that does not fit one frame goes
// out in fragments instead of not at all.
func TestALongCallIsAnsweredOverUDP(t *testing.T) {
	o := open(t, nil)
	p := pickUp(t, "udp", redirect(t, o, RedirectOptions{}))
	uri := "sip:" + listed + "@assenso"
	via := "Via: SIP/2.0/UDP proxy.example;branch=z9hG4bK-" + strings.Repeat("x", 3000)
	p.send(p.request("INVITE", uri, campaignHeaders, via))
	m := p.answer()
	if m.status != 603 || len(m.text) < 3000 {
		t.Errorf("%d bytes: %s", len(m.text), m.text)
	}
	p.ack(uri, m)
}

// TestALibrarysCaller calls with a user agent that is not made of strings.
func TestALibrarysCaller(t *testing.T) {
	settleLibrary()
	o := open(t, nil)
	address := redirect(t, o, RedirectOptions{})
	ua, err := sipgo.NewUA(sipgo.WithUserAgent("caller"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ua.Close(); err != nil {
			t.Error(err)
		}
	}()
	client, err := sipgo.NewClient(ua, sipgo.WithClientHostname("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range map[string]int{free: 302, listed: 603} {
		for _, transport := range []string{"UDP", "TCP"} {
			var uri sip.Uri
			if err := sip.ParseUri("sip:"+number+"@"+address, &uri); err != nil {
				t.Fatal(err)
			}
			req := sip.NewRequest(sip.INVITE, uri)
			req.SetTransport(transport)
			req.AppendHeader(sip.NewHeader("X-Assenso-Controller", "A"))
			req.AppendHeader(sip.NewHeader("X-Assenso-Campaign", "K-A"))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			res, err := client.Do(ctx, req)
			cancel()
			if err != nil || res.StatusCode != want {
				t.Errorf("%d over %s: %v %v", want, transport, res, err)
			}
		}
	}
}

func TestSettingsOfTheRedirectAreChecked(t *testing.T) {
	o := open(t, nil)
	for _, c := range []struct {
		options RedirectOptions
		want    string
	}{
		{RedirectOptions{}, "trunk is empty"},
		{RedirectOptions{Trunk: "sbc example"}, "host:port"},
		{RedirectOptions{Trunk: "sbc:0"}, "host:port"},
		{RedirectOptions{Trunk: "sbc:99999"}, "host:port"},
		{RedirectOptions{Trunk: "sip:x@sbc"}, "host:port"},
		{RedirectOptions{Trunk: "sbc>;x"}, "host:port"},
		{RedirectOptions{Trunk: "sbc;transport=udp;x"}, "host:port"},
		{RedirectOptions{Trunk: "fe80::1%eth0"}, "host:port"},
		{RedirectOptions{Trunk: "sbc", Headers: []string{"campaign"}}, "parameter=Header"},
		{RedirectOptions{Trunk: "sbc", Headers: []string{"colour=X-Colour"}}, "parameter=Header"},
		{RedirectOptions{Trunk: "sbc", Headers: []string{"campaign=X Campaign"}}, "parameter=Header"},
		{RedirectOptions{Trunk: "sbc", Headers: []string{"campaign=x-assenso-agent"}}, "two parameters"},
	} {
		if _, err := NewRedirect(o.Attendant, c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.options, err, c.want)
		}
	}
	for text, want := range map[string]string{
		"sbc": "sip:+39@sbc", "sbc.example:5080": "sip:+39@sbc.example:5080", "192.0.2.1;transport=tls": "sip:+39@192.0.2.1;transport=tls",
		"2001:db8::1": "sip:+39@[2001:db8::1]", "[2001:db8::1]": "sip:+39@[2001:db8::1]", "[2001:db8::1]:5060": "sip:+39@[2001:db8::1]:5060",
	} {
		parsed, err := parseTrunk(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := parsed.contact("+39").Address.String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// fakeConn stands for a socket where only its address is asked for.
type fakeConn struct{ net.Conn }

// LocalAddr implements net.Conn.
func (fakeConn) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5070} }
