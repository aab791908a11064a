package pbx

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// guarded is a listener that lets in only the switches that are served, and
// only so many connections at once; all others are closed unread.
type guarded struct {
	net.Listener
	attendant *Attendant
	door      string
	slots     chan struct{}
	idle      time.Duration // longest wait for a read; 0 = the reader sets deadlines itself
	closed    <-chan struct{}
}

// guard wraps a listener; closed says when it is closed.
func (a *Attendant) guard(l net.Listener, door string, limit int, idle time.Duration, closed <-chan struct{}) *guarded {
	return &guarded{Listener: l, attendant: a, door: door, slots: make(chan struct{}, limit), idle: idle, closed: closed}
}

// pauseAfterFault is how long a listener waits after a fault such as too many
// open files, at which accepting at once again would spin.
const pauseAfterFault = 50 * time.Millisecond

// Accept implements net.Listener. It ends with net.ErrClosed only.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			select {
			case <-g.closed:
				return nil, net.ErrClosed
			case <-time.After(pauseAfterFault):
			}
			continue
		}
		if cause := g.admit(conn); cause != "" {
			g.attendant.meters.turnAway(g.door, cause)
			discard(conn)
			continue
		}
		return &guardedConn{Conn: conn, leave: sync.OnceFunc(func() { <-g.slots }), idle: g.idle}, nil
	}
}

// admit returns why a connection is not served, or "" once it holds a slot.
func (g *guarded) admit(conn net.Conn) string {
	if !g.attendant.serves(addressOf(conn.RemoteAddr())) {
		return causeStranger
	}
	select {
	case g.slots <- struct{}{}:
		return ""
	default:
		return causeCrowd
	}
}

// discard closes a connection of which nobody waits for the outcome.
func discard(conn net.Conn) { _ = conn.Close() }

// guardedConn gives its slot back when it is closed.
type guardedConn struct {
	net.Conn
	leave func()
	idle  time.Duration
}

// Close implements net.Conn.
func (c *guardedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// writeWait is how long a peer may take to accept bytes.
const writeWait = 5 * time.Second

// Read implements net.Conn.
func (c *guardedConn) Read(b []byte) (int, error) {
	if c.idle > 0 {
		if err := c.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

// Write implements net.Conn.
func (c *guardedConn) Write(b []byte) (int, error) {
	if c.idle > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// addressOf returns the IP address of an endpoint; the zero Addr, which belongs
// to nobody, if it has none.
func addressOf(addr net.Addr) netip.Addr {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr()
	case *net.UDPAddr:
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}

// closeWith closes something when ctx ends; stop undoes it and reports whether
// it came in time.
func closeWith(ctx context.Context, closers ...interface{ Close() error }) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		for _, c := range closers {
			_ = c.Close() // the reader hears net.ErrClosed and ends
		}
	})
}
