package pbx

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/netip"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/assenso/assenso/events"
)

// FuzzAGIHeader: whatever comes first on an AGI connection is read within its
// bounds or refused, and what is read can be asked about.
func FuzzAGIHeader(f *testing.F) {
	files, err := filepath.Glob("testdata/agi/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no recordings (%v)", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var said strings.Builder
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "<"); ok {
				said.WriteString(strings.TrimPrefix(rest, " "))
			}
		}
		f.Add([]byte(said.String()))
	}
	f.Add([]byte("agi_network_script: /decide?cli=%2B39&play=a/b&hangup=no&a=b\nagi_callingpres: -1\nagi_extension: 1\n\n"))
	f.Add([]byte("agi_a: b\nagi_a: c\n\n"))
	known := &served{}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := strings.NewReader(string(b))
		h, err := readHeader(bufio.NewReaderSize(in, maxLine))
		if err != nil {
			if !errors.Is(err, errHeader) && err != io.EOF && err != io.ErrUnexpectedEOF {
				t.Fatalf("an error of its own kind: %v", err)
			}
			return
		}
		total := 0
		for name, value := range h {
			if total += len(name) + len(value); !strings.HasPrefix(name, "agi_") || strings.ContainsAny(name+value, "\n") {
				t.Fatalf("read %q: %q", name, value)
			}
		}
		if total > maxHeaders {
			t.Fatalf("read %d bytes", total)
		}
		c, w, err := h.read()
		if err != nil {
			return
		}
		if strings.Trim(w.play, soundName) != "" {
			t.Fatalf("would play %q", w.play)
		}
		checkQuestion(t, known, c)
	})
}

// checkQuestion: a question that is put is within its bounds and its sets.
func checkQuestion(t *testing.T, s *served, c call) {
	t.Helper()
	q, err := s.question(c)
	if err != nil {
		return
	}
	if q.Number == "" || len(q.Number) > maxPhone || q.Controller == "" || q.Campaign == "" || len(q.Controller) > maxName || len(q.CLI) > maxCLI ||
		len(q.Attempt) > maxID || !events.InSet("attempt purpose", q.Purpose) || !events.InSet("channel", q.Channel) || strings.ContainsAny(q.Controller+q.Campaign+q.Attempt+q.CLI, "\r\n\x00") {
		t.Fatalf("would ask %+v", q)
	}
}

// FuzzInvite: whatever INVITE the library can read, the answer is one message
// without anything of the caller's making in what it adds, and only the gate's
// number is redirected to.
func FuzzInvite(f *testing.F) {
	p := &phone{t: f, conn: fakeConn{}, id: "fuzz"}
	f.Add([]byte(p.request("INVITE", "sip:"+free+"@assenso", campaignHeaders)))
	f.Add([]byte(p.request("INVITE", "tel:3401234567;phone-context=+39", campaignHeaders, "X-Assenso-Country: IT", "Privacy: id;header")))
	f.Add([]byte(p.request("INVITE", "sip:%2b39%0d%0aX: y@[::1]:5060;user=phone", campaignHeaders, `P-Asserted-Identity: "a\",b" <sip:1@x>, <tel:+39>`)))
	f.Add([]byte(p.request("INVITE", "sip:"+listed+"@assenso", "X-Assenso-Controller: A", "X-Assenso-Campaign: \"K\"", "X-Assenso-Roaming: true")))
	o := open(f, nil)
	o.gate.instead = func(_ context.Context, q events.Question) (Answer, error) {
		if q.Number == listed {
			return Answer{Verdict: events.VerdictBlock, Decision: "d\r\nX: y", Reasons: []events.ReceiptReason{{Rule: "R\"\r\n", Effect: events.VerdictBlock}}}, nil
		}
		return Answer{Verdict: events.VerdictAllow, Number: free}, nil
	}
	r, err := NewRedirect(o.Attendant, RedirectOptions{Trunk: "trunk.example"})
	if err != nil {
		f.Fatal(err)
	}
	parser := sip.NewParser()
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parser.ParseSIP(b)
		req, ok := m.(*sip.Request)
		if err != nil || !ok || req == nil || req.From() == nil || req.To() == nil || req.CallID() == nil || req.Via() == nil {
			return
		}
		req.SetTransport("UDP")
		req.SetSource("127.0.0.1:5060")
		if c, err := readInvite(req, r.headers); err == nil {
			if c.from != netip.MustParseAddr("127.0.0.1") {
				t.Fatalf("from %s", c.from)
			}
			checkQuestion(t, &served{}, c)
		}
		res := r.decide(t.Context(), req)
		var added strings.Builder
		for _, h := range res.Headers() {
			switch h.Name() {
			case "Contact", "Reason", "Retry-After", "Server":
			default:
				if !strings.HasPrefix(h.Name(), headerPrefix) {
					continue
				}
			}
			added.WriteString(h.Name() + ": " + h.Value() + "\r\n")
		}
		headers, err := textproto.NewReader(bufio.NewReader(strings.NewReader(added.String() + "\r\n"))).ReadMIMEHeader()
		if err != nil || headers.Get("X") != "" {
			t.Fatalf("added %q: %v", added.String(), err)
		}
		switch contact := headers.Get("Contact"); res.StatusCode {
		case 302:
			if contact != "<sip:"+free+"@trunk.example>" {
				t.Fatalf("redirected to %q", contact)
			}
		case 603:
			if contact != "" || !strings.HasPrefix(headers.Get("Reason"), `SIP;cause=603;text="`) {
				t.Fatalf("declined with %q", added.String())
			}
		default:
			t.Fatalf("answered %d", res.StatusCode)
		}
	})
}

// FuzzDatagram: no datagram of a switch ends the service.
func FuzzDatagram(f *testing.F) {
	p := &phone{t: f, conn: fakeConn{}, id: "fuzz"}
	for _, method := range []string{"INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "REGISTER"} {
		f.Add([]byte(p.request(method, "sip:"+free+"@assenso", campaignHeaders)))
	}
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-1\r\nCSeq: 1 INVITE\r\n\r\n"))
	f.Add([]byte("INVITE sip:x SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.1:9;received=127.0.0.1;rport=9\r\nf: <sip:a@b>;tag=1\r\nt: <sip:a@b>\r\ni: 1\r\nCSeq: 1 INVITE\r\n\r\n"))
	o := open(f, nil)
	address := redirect(f, o, RedirectOptions{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 60_000 || strings.Contains(string(b), "call-") {
			return
		}
		p, buf := pickUp(t, "udp", address), make([]byte, 65535)
		p.send(string(b))
		p.send(p.request("OPTIONS", "sip:assenso"))
		for {
			n, err := p.conn.Read(buf)
			if err != nil {
				t.Fatalf("the service is silent: %v", err)
			}
			if text := string(buf[:n]); strings.HasPrefix(text, "SIP/2.0 200 ") && strings.Contains(text, "Call-ID: "+p.id+"\r\n") {
				break
			}
		}
		if err := p.conn.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
