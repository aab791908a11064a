package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// LeaseStream is the stream of the leases: one message a subject, on disk, so
// that a restarted broker still knows who was active.
const LeaseStream = "LEASES"

// DefaultLeaseTTL is how long a holder that says nothing keeps its lease.
const DefaultLeaseTTL = 6 * time.Second

// Leases decides which of several instances of one service is active. A lease
// is one message on lease.<name>; holding it is having written the last one,
// compare-and-set on its sequence. The holder writes again every TTL/4. Another
// instance takes over when it has seen no new message for a whole TTL by its own
// monotonic clock, when the holder released it, or at once when the holder bore
// its own instance name (a restart). No two clocks are compared.
//
// The holder gives up by itself after 2/3 TTL without a successful write, so
// that the old holder has stopped before a new one starts, unless its process
// was frozen between looking at its lease and acting.
type Leases struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	ttl    time.Duration
}

// OpenLeases makes sure that the stream of the leases exists.
func OpenLeases(ctx context.Context, js jetstream.JetStream, ttl time.Duration, replicas int) (*Leases, error) {
	if ttl <= 0 {
		ttl = DefaultLeaseTTL
	}
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: LeaseStream, Subjects: []string{"lease.*"}, Storage: jetstream.FileStorage, Replicas: max(replicas, 1),
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardOld,
	})
	if err != nil {
		return nil, fmt.Errorf("open leases: create stream %s: %w", LeaseStream, err)
	}
	return &Leases{js: js, stream: stream, ttl: ttl}, nil
}

// Lease is held until its context ends.
type Lease struct {
	leases   *Leases
	subject  string
	note     leaseNote
	sequence uint64
	takeover bool
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{}
}

type leaseNote struct {
	Instance string `json:"instance"`
	Nonce    string `json:"nonce"` // tells two lives of one instance apart
	Released bool   `json:"released,omitempty"`
}

var errLeaseTaken = errors.New("lease taken by another instance")

// Acquire waits until the instance holds the lease of name. The lease ends
// with ctx, with Release, or when it is lost. The error is that of ctx.
func (l *Leases) Acquire(ctx context.Context, name, instance string) (*Lease, error) {
	return l.acquire(ctx, ctx, name, instance, true)
}

// acquire waits under ctx for a lease that lives under life. Only a first life
// (restart) takes over from its own name at once: two processes that bear one
// name by mistake would otherwise take the lease from each other for ever.
func (l *Leases) acquire(ctx, life context.Context, name, instance string, restart bool) (*Lease, error) {
	lease := &Lease{
		leases: l, subject: "lease." + strings.Map(leaseToken, name),
		note: leaseNote{Instance: instance, Nonce: nuid.Next()}, done: make(chan struct{}),
	}
	var seen uint64
	var seenAt time.Time
	for {
		last, note, err := lease.last(ctx)
		if err == nil {
			if last != seen || seenAt.IsZero() {
				seen, seenAt = last, time.Now()
			}
			free := last == 0 || note.Released || restart && note.Instance == instance
			if free || time.Since(seenAt) >= l.ttl {
				began := time.Now()
				if err = lease.write(ctx, last, lease.note); err == nil {
					lease.takeover = !free
					lease.ctx, lease.cancel = context.WithCancel(life)
					go lease.keep(began)
					return lease, nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(l.ttl / 20):
		}
	}
}

func leaseToken(r rune) rune {
	if r == '.' || r == '*' || r == '>' || r == ' ' {
		return '-'
	}
	return r
}

// Context ends when the lease does. Work that only the active instance may do
// runs under it.
func (l *Lease) Context() context.Context { return l.ctx }

// Takeover reports whether the lease was taken from another instance that did
// not release it: something that it began may still be under way.
func (l *Lease) Takeover() bool { return l.takeover }

// Release gives the lease back, so that another instance need not wait.
func (l *Lease) Release() {
	l.cancel()
	<-l.done
}

// keep renews the lease until it ends.
func (l *Lease) keep(renewed time.Time) {
	defer close(l.done)
	defer l.cancel()
	tick := time.NewTicker(l.leases.ttl / 4)
	defer tick.Stop()
	for {
		select {
		case <-l.ctx.Done():
			l.release()
			return
		case <-tick.C:
		}
		began := time.Now()
		deadline := renewed.Add(l.leases.ttl * 2 / 3)
		ctx, cancel := context.WithDeadline(l.ctx, deadline)
		err := l.write(ctx, l.sequence, l.note)
		cancel()
		switch {
		case err == nil:
			renewed = began
		case errors.Is(err, errLeaseTaken), !time.Now().Before(deadline):
			return
		}
	}
}

// release writes that the lease is free. A renewal that was cut off may have
// been stored, so the sequence is read again where it does not fit.
func (l *Lease) release() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), max(l.leases.ttl/2, time.Second))
	defer cancel()
	note := l.note
	note.Released = true
	for l.write(ctx, l.sequence, note) != nil {
		last, current, err := l.last(ctx)
		if err != nil || current != l.note {
			return // somebody else has it, or the next holder waits out the TTL
		}
		l.sequence = last
	}
}

// write stores note if the last message of the subject is still the expected
// one. An answer that was lost is settled by reading.
func (l *Lease) write(ctx context.Context, expected uint64, note leaseNote) error {
	body, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("write lease: %w", err)
	}
	ack, err := l.leases.js.PublishMsg(ctx, &nats.Msg{Subject: l.subject, Data: body},
		jetstream.WithExpectLastSequencePerSubject(expected), jetstream.WithRetryAttempts(0))
	if err == nil {
		l.sequence = ack.Sequence
		return nil
	}
	last, current, readErr := l.last(ctx)
	switch {
	case readErr != nil:
		return fmt.Errorf("write lease: %w", err)
	case last != expected && current == note:
		l.sequence = last
		return nil
	case last != expected:
		return errLeaseTaken
	}
	return fmt.Errorf("write lease: %w", err)
}

// last reads the last message of the lease; sequence 0 means that there is none.
func (l *Lease) last(ctx context.Context) (uint64, leaseNote, error) {
	m, err := l.leases.stream.GetLastMsgForSubject(ctx, l.subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, leaseNote{}, nil
	}
	if err != nil {
		return 0, leaseNote{}, fmt.Errorf("read lease: %w", err)
	}
	var note leaseNote
	if err := json.Unmarshal(m.Data, &note); err != nil {
		return 0, leaseNote{}, fmt.Errorf("read lease: message %d is not a lease: %w", m.Sequence, err)
	}
	return m.Sequence, note, nil
}
