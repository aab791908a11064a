package pbx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// FastAGIOptions are the limits of the FastAGI server.
type FastAGIOptions struct {
	// Connections at once, each a call that waits; 0 = 256. One more is closed.
	Connections int
	// Wait is how long the switch may take for its header, and for the answer to
	// a command; 0 = 5 s.
	Wait time.Duration
	// Grace is how long a session may go on after the stop; 0 = 3 s.
	Grace time.Duration
}

// FastAGI is the server that a dialplan asks with AGI(agi://HOST/decide?…,NUMBER):
// parameters of the question stand in the query, the number is the first
// argument. It speaks the protocol by itself, which is lines of text: no
// library for it can be had that is kept up. Make one with NewFastAGI.
type FastAGI struct {
	attendant *Attendant
	options   FastAGIOptions
}

// NewFastAGI returns a server that asks the attendant.
func NewFastAGI(a *Attendant, o FastAGIOptions) *FastAGI {
	if o.Connections == 0 {
		o.Connections = 256
	}
	if o.Wait == 0 {
		o.Wait = 5 * time.Second
	}
	if o.Grace == 0 {
		o.Grace = 3 * time.Second
	}
	return &FastAGI{attendant: a, options: o}
}

// Serve answers until ctx ends, lets running sessions finish within Grace and
// returns nil. It closes the listener.
func (f *FastAGI) Serve(ctx context.Context, l net.Listener) error {
	defer closeWith(ctx, l)()
	g := f.attendant.guard(l, doorFastAGI, f.options.Connections, 0, ctx.Done())
	late, cancel := context.WithCancel(context.WithoutCancel(ctx)) // ends when the grace does
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(f.options.Grace, cancel) })()
	var sessions sync.WaitGroup
	for {
		conn, err := g.Accept()
		if err != nil {
			sessions.Wait()
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("pbx accept fastagi: %w", err)
		}
		sessions.Go(func() { f.session(late, conn) })
	}
}

// session serves one connection. What a call does to end early is its own
// affair and logged for debugging only; a panic ends this call, blocked.
func (f *FastAGI) session(ctx context.Context, conn net.Conn) {
	defer discard(conn)
	defer closeWith(ctx, conn)()
	defer func() {
		if cause := recover(); cause != nil {
			f.attendant.log.Error("pbx: panic in a session", zap.String("door", doorFastAGI), zap.String("kind", fmt.Sprintf("%T", cause)))
		}
	}()
	err := newSession(conn, f.options.Wait).run(ctx, f.attendant)
	if err != nil {
		f.attendant.log.Debug("pbx: session ended early", zap.String("door", doorFastAGI), zap.String("cause", causeOf(err)))
	}
}

// causeOf names why a session ended, in words without anything of the call.
func causeOf(err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the switch closed the connection"
	case errors.Is(err, errHungUp), errors.Is(err, errCommand):
		return err.Error()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "the switch took too long"
	}
	return "the connection broke"
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
