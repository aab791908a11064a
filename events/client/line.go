package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// errBroke ends what was asked on a connection that broke since: no answer
// comes any more.
var errBroke = errors.New("the connection broke")

// line tells when a connection breaks and comes back.
type line struct {
	nc *nats.Conn

	mu      sync.Mutex
	ctx     context.Context // ends when the connection breaks
	hangUp  context.CancelCauseFunc
	changed chan struct{} // closed at the next change
}

// watch follows the connection until ctx ends.
func (l *line) watch(ctx context.Context) {
	statuses := l.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	defer l.nc.RemoveStatusListener(statuses)
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-statuses:
			l.mu.Lock()
			if s != nats.CONNECTED {
				l.hangUp(errBroke)
				l.ctx, l.hangUp = context.WithCancelCause(ctx)
			}
			close(l.changed)
			l.changed = make(chan struct{})
			l.mu.Unlock()
		}
	}
}

func newLine(ctx context.Context, nc *nats.Conn) *line {
	l := &line{nc: nc, changed: make(chan struct{})}
	l.ctx, l.hangUp = context.WithCancelCause(ctx)
	return l
}

// open waits until the connection stands and returns a context under ctx that
// ends when it breaks. Call free when it is no longer needed.
func (l *line) open(ctx context.Context) (under context.Context, free func(), err error) {
	for {
		l.mu.Lock()
		now, changed := l.ctx, l.changed
		l.mu.Unlock()
		if l.nc.IsConnected() {
			under, cancel := context.WithCancelCause(ctx)
			stop := context.AfterFunc(now, func() { cancel(context.Cause(now)) })
			return under, func() { stop(); cancel(nil) }, nil
		}
		poll := time.NewTimer(time.Second) // a status may be dropped when many come at once
		select {
		case <-changed:
		case <-poll.C:
		case <-ctx.Done():
			poll.Stop()
			return nil, nil, context.Cause(ctx)
		}
		poll.Stop()
	}
}
