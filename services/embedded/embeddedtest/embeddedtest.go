// Package embeddedtest gives tests a broker on a temporary folder and a
// connection that can be cut at a chosen byte.
package embeddedtest

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/services/embedded"
)

// Start runs a broker on a temporary folder until the test ends.
func Start(t testing.TB) *embedded.Server { return On(t, t.TempDir()) }

// On runs a broker on dir until the test ends or it is closed.
func On(t testing.TB, dir string) *embedded.Server {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

// Conn is an in-process connection that is closed when the test ends.
func Conn(t testing.TB, srv *embedded.Server, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := srv.Conn(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// JetStream is a JetStream context on a connection of its own.
func JetStream(t testing.TB, srv *embedded.Server) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(Conn(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// Wire is a loopback connection to a broker that a test can cut.
type Wire struct {
	Conn *nats.Conn

	mu     sync.Mutex
	live   *wireConn
	marker []byte
	after  bool
	hit    chan struct{} // closed when marker was met, or its answer swallowed
	down   bool
}

// NewWire connects over a wire; the connection comes back 5 ms after a cut.
func NewWire(t testing.TB, srv *embedded.Server) *Wire {
	t.Helper()
	return WireBy(t, srv.Bulk)
}

// WireBy is NewWire for a connection that connect makes.
func WireBy(t testing.TB, connect func(...nats.Option) (*nats.Conn, error)) *Wire {
	t.Helper()
	w := &Wire{}
	nc, err := connect(nats.SetCustomDialer(w), nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	w.Conn = nc
	t.Cleanup(nc.Close)
	return w
}

// Dial implements nats.CustomDialer.
func (w *Wire) Dial(network, address string) (net.Conn, error) {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		return nil, net.ErrClosed
	}
	c, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	wc := &wireConn{Conn: c, wire: w, open: make(chan struct{})}
	w.mu.Lock()
	w.live = wc
	w.mu.Unlock()
	return wc, nil
}

// CutBefore cuts the connection as soon as marker is about to be written; the
// broker never sees it. The channel is closed when that happened.
func (w *Wire) CutBefore(marker string) <-chan struct{} { return w.arm(marker, false) }

// LoseAnswerTo lets the write that holds marker through and nothing back after
// it. The channel is closed once an acknowledgement was swallowed; call Cut to
// end the silence.
func (w *Wire) LoseAnswerTo(marker string) <-chan struct{} { return w.arm(marker, true) }

func (w *Wire) arm(marker string, after bool) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marker, w.after, w.hit = []byte(marker), after, make(chan struct{})
	return w.hit
}

// Cut breaks the connection now; the client reconnects by itself.
func (w *Wire) Cut() {
	w.mu.Lock()
	live := w.live
	w.mu.Unlock()
	_ = live.Close() // a connection that is cut
}

// Down keeps the connection down until Up.
func (w *Wire) Down() {
	w.mu.Lock()
	w.down = true
	w.mu.Unlock()
	w.Cut()
}

// Up lets the client reconnect.
func (w *Wire) Up() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// wireConn is one connection of a Wire.
type wireConn struct {
	net.Conn
	wire   *Wire
	tail   []byte
	once   sync.Once
	open   chan struct{} // closed by Close
	silent bool          // under wire.mu
}

// Write implements net.Conn.
func (c *wireConn) Write(b []byte) (int, error) {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := append(c.tail, b...)
	found := len(w.marker) > 0 && bytes.Contains(seen, w.marker)
	if n := len(w.marker); n > 1 {
		c.tail = bytes.Clone(seen[max(0, len(seen)-n+1):])
	}
	if !found {
		return c.Conn.Write(b)
	}
	w.marker = nil
	if !w.after {
		close(w.hit)
		c.close()
		return 0, net.ErrClosed
	}
	c.silent = true
	return c.Conn.Write(b)
}

// Read implements net.Conn.
func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.mu.Lock()
	silent := c.silent
	c.wire.mu.Unlock()
	if !silent {
		return n, err
	}
	heard := bytes.Clone(b[:n])
	for err == nil && !bytes.Contains(heard, []byte(`"seq":`)) {
		n, err = c.Conn.Read(b)
		heard = append(heard, b[:n]...)
	}
	if err == nil {
		close(c.wire.hit)
	}
	<-c.open
	return 0, net.ErrClosed
}

// Close implements net.Conn.
func (c *wireConn) Close() error {
	c.close()
	return nil
}

func (c *wireConn) close() {
	c.once.Do(func() {
		close(c.open)
		c.Conn.Close()
	})
}
