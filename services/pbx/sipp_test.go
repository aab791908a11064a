//go:build sipp

// The tests of this file need Debian's sip-tester and kamailio; `make pbx` runs
// them.

package pbx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/assenso/assenso/events"
)

// freePort returns a port that was free for UDP and TCP just now.
func freePort(t testing.TB) int {
	t.Helper()
	l := listen(t)
	port := l.Addr().(*net.TCPAddr).Port
	udp, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := udp.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// program is a process that a test started.
type program struct {
	t      testing.TB
	name   string
	output bytes.Buffer
	done   chan error
	cancel context.CancelFunc
}

// run starts a program in a folder; the end of the test ends it.
func run(t testing.TB, folder, name string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	p := &program{t: t, name: name + " " + strings.Join(args, " "), done: make(chan error, 1), cancel: cancel}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, &p.output, &p.output
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatalf("start %s: %v: install Debian's sip-tester and kamailio", name, err)
	}
	go func() { p.done <- cmd.Wait() }()
	return p
}

// succeeds waits for a program and fails the test unless it ended well.
func (p *program) succeeds() {
	p.t.Helper()
	defer p.cancel()
	if err := <-p.done; err != nil {
		p.t.Errorf("%s: %v\n%s", p.name, err, p.output.String())
	}
}

// ends stops a program.
func (p *program) ends() {
	p.cancel()
	_ = <-p.done // it was interrupted
}

// scenario is the path of one of SIPp's scenarios.
func scenario(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs("testdata/sipp/" + name + ".xml")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// numbers writes a file of the numbers that SIPp calls in turn, each with the
// caller's.
func numbers(t testing.TB, folder string, list ...string) string {
	t.Helper()
	text := "SEQUENTIAL\n"
	for _, n := range list {
		text += n + ";+390844100100\n"
	}
	path := filepath.Join(folder, "numbers.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// callWith lets SIPp place calls over a transport ("u1" UDP, "t1" one TCP
// connection) and waits until all of them went as the scenario says.
func callWith(t testing.TB, name, transport, target string, calls int, list ...string) {
	t.Helper()
	folder := t.TempDir()
	p := run(t, folder, "sipp", "-sf", scenario(t, name), "-inf", numbers(t, folder, list...), "-t", transport, "-i", "127.0.0.1", "-p", strconv.Itoa(freePort(t)),
		"-m", strconv.Itoa(calls), "-r", "50", "-timeout", "60s", "-timeout_error", "-nostdin", "-trace_err", "-error_file", filepath.Join(folder, "errors"), target)
	p.succeeds()
	said, err := os.ReadFile(filepath.Join(folder, "errors"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if len(said) > 0 && name != "lossy" { // such as an answer that comes again though it was acknowledged
		t.Errorf("SIPp says of %s: %.4000s", name, said)
	}
}

func TestSIPpCallsTheRedirect(t *testing.T) {
	o := open(t, nil)
	address := redirect(t, o, RedirectOptions{Trunk: "127.0.0.1:5090"})
	const calls = 100
	for _, transport := range []string{"u1", "t1"} {
		before := len(o.gate.questions())
		callWith(t, "redirected", transport, address, calls, free, warned)
		callWith(t, "declined", transport, address, calls, listed, "12345")
		callWith(t, "keepalive", transport, address, calls, free)
		if n := len(o.gate.questions()) - before; n != 2*calls {
			t.Errorf("%s: the gate was asked %d times for %d calls", transport, n, 2*calls)
		}
	}
	before := len(o.gate.questions())
	callWith(t, "lossy", "u1", address, 40, listed)
	if n := len(o.gate.questions()) - before; n != 40 {
		t.Errorf("the gate was asked %d times for 40 calls whose messages were lost", n)
	}
}

func TestSIPpTakesACallBack(t *testing.T) {
	o := open(t, func(c *Config) { c.Patience = time.Minute })
	o.gate.instead = func(ctx context.Context, _ events.Question) (Answer, error) { <-ctx.Done(); return Answer{}, ctx.Err() }
	address := redirect(t, o, RedirectOptions{Trunk: "127.0.0.1:5090"})
	callWith(t, "cancelled", "u1", address, 20, free)
	if n := len(o.gate.questions()); n != 20 {
		t.Errorf("the gate was asked %d times", n)
	}
}

// proxy starts Kamailio with the settings that operators are given, before a
// redirect and a trunk, and returns its address once it answers.
func proxy(t testing.TB, assenso string, trunk int) string {
	t.Helper()
	config, err := filepath.Abs("../../deploy/pbx/kamailio.cfg")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	address := "127.0.0.1:" + strconv.Itoa(freePort(t))
	p := run(t, folder, "kamailio", "-f", config, "-DD", "-E", "-Y", folder, "-P", filepath.Join(folder, "pid"), "-m", "32", "-M", "4",
		"-A", "PROXY=udp:"+address, "-A", `ASSENSO="sip:`+assenso+`"`, "-A", fmt.Sprintf(`TRUNK="^sip:[+][0-9]+@127[.]0[.]0[.]1:%d$"`, trunk),
		"-A", `CONTROLLER="A"`, "-A", `CAMPAIGN="K-A"`, "-A", "PATIENCE=1000")
	t.Cleanup(func() {
		p.ends()
		if t.Failed() {
			t.Logf("Kamailio says: %.4000s", p.output.String())
		}
	})
	ping := pickUp(t, "udp", address)
	buf := make([]byte, 2048)
	await(t, "Kamailio to answer", func() bool {
		if err := ping.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := ping.conn.Write([]byte(ping.request("OPTIONS", "sip:"+address))); err != nil {
			return false // nobody listens yet
		}
		_, err := ping.conn.Read(buf)
		return err == nil
	})
	return address
}

// carrier starts SIPp as the trunk and returns what ends it and says which
// requests came.
func carrier(t testing.TB, port int) (requests func() []string) {
	t.Helper()
	folder := t.TempDir()
	log := filepath.Join(folder, "messages")
	p := run(t, folder, "sipp", "-sf", scenario(t, "trunk"), "-i", "127.0.0.1", "-p", strconv.Itoa(port), "-nostdin", "-trace_msg", "-message_file", log)
	await(t, "the trunk to listen", func() bool {
		conn, err := net.ListenPacket("udp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			_ = conn.Close() // not yet
		}
		return err != nil
	})
	return func() []string {
		p.ends()
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return regexp.MustCompile(`(?m)^(INVITE|X-Assenso)[^\r\n]*`).FindAllString(string(text), -1)
	}
}

// TestKamailioAsksBeforeTheTrunk plays calls from SIPp through Kamailio, the
// redirect and back to the trunk.
func TestKamailioAsksBeforeTheTrunk(t *testing.T) {
	trunk := freePort(t)
	o := open(t, nil)
	assenso := redirect(t, o, RedirectOptions{Trunk: "127.0.0.1:" + strconv.Itoa(trunk)})
	requests := carrier(t, trunk)
	address := proxy(t, assenso, trunk)
	const calls = 50
	callWith(t, "connected", "u1", address, calls, free, warned)
	callWith(t, "declined", "u1", address, calls, listed)
	asked := o.gate.questions()
	if len(asked) != 2*calls {
		t.Errorf("the gate was asked %d times for %d calls", len(asked), 2*calls)
	}
	for _, q := range asked {
		if q.Controller != "A" || q.Campaign != "K-A" || q.CLI != "+390844100100" {
			t.Fatalf("asked %+v", q)
		}
	}
	got := map[string]int{}
	for _, line := range requests() {
		got[line]++
	}
	for _, n := range []string{free, warned} {
		invite := fmt.Sprintf("INVITE sip:%s@127.0.0.1:%d SIP/2.0", n, trunk)
		if got[invite] < calls/2 {
			t.Errorf("the trunk heard %q %d times", invite, got[invite])
		}
		delete(got, invite)
	}
	if len(got) != 0 {
		t.Errorf("the trunk heard also %v", got)
	}
}

// TestKamailioPlacesNoCallInDoubt: Assenso is not there, is silent, fails, or
// names another trunk.
func TestKamailioPlacesNoCallInDoubt(t *testing.T) {
	trunk := freePort(t)
	requests := carrier(t, trunk)
	o := open(t, nil)
	elsewhere := redirect(t, o, RedirectOptions{Trunk: "127.0.0.1:" + strconv.Itoa(freePort(t))})
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := silent.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, assenso := range map[string]string{
		"not there":                "127.0.0.1:" + strconv.Itoa(freePort(t)),
		"silent":                   silent.LocalAddr().String(),
		"naming another trunk":     elsewhere,
		"failing":                  failing(t, 500),
		"overloaded":               failing(t, 503),
		"moved for good, nowhere":  failing(t, 301),
		"somebody else's redirect": failing(t, 302),
	} {
		t.Run(name, func(t *testing.T) {
			callWith(t, "declined", "u1", proxy(t, assenso, trunk), 3, free)
		})
	}
	if got := requests(); len(got) != 0 {
		t.Errorf("the trunk heard %q", got)
	}
}

// failing answers every INVITE over UDP with a status.
func failing(t testing.TB, status int) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = conn.Close() // ends the loop below
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 65535)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			m, err := sip.ParseMessage(buf[:n])
			req, ok := m.(*sip.Request)
			if err != nil || !ok || !req.IsInvite() {
				continue
			}
			res := sip.NewResponseFromRequest(req, status, "So", nil)
			if _, err := conn.WriteTo([]byte(res.String()), from); err != nil {
				return
			}
		}
	}()
	return conn.LocalAddr().String()
}

// BenchmarkSIPp compares the redirect, with a gate that answers at once, with a
// SIPp scenario that redirects without asking, called by the same SIPp: calls/s
// of both, and their ratio, which is what means something on a shared machine.
func BenchmarkSIPp(b *testing.B) {
	const calls = 20_000
	place := func(target string) float64 {
		folder := b.TempDir()
		begin := time.Now()
		run(b, folder, "sipp", "-sf", scenario(b, "redirected"), "-inf", numbers(b, folder, free), "-i", "127.0.0.1", "-p", strconv.Itoa(freePort(b)),
			"-m", strconv.Itoa(calls), "-r", "100000", "-l", "200", "-timeout", "100s", "-timeout_error", "-nostdin", target).succeeds()
		return calls / time.Since(begin).Seconds()
	}
	o := open(b, nil)
	address := redirect(b, o, RedirectOptions{Trunk: "127.0.0.1:5090"})
	port := freePort(b)
	bare := run(b, b.TempDir(), "sipp", "-sf", scenario(b, "bare"), "-i", "127.0.0.1", "-p", strconv.Itoa(port), "-nostdin")
	defer bare.ends()
	b.ResetTimer()
	var asked, unasked float64
	for range b.N {
		unasked += place("127.0.0.1:" + strconv.Itoa(port))
		asked += place(address)
	}
	b.ReportMetric(asked/float64(b.N), "calls/s")
	b.ReportMetric(unasked/float64(b.N), "bare-calls/s")
	b.ReportMetric(asked/unasked, "of-bare")
	b.ReportMetric(0, "ns/op")
}
