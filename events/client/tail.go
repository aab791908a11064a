package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/events"
)

// Of the pull requests of a tail.
const (
	pullBatch   = 512
	pullExpires = 30 * time.Second
	// idleBeat is how often the broker says, when it has nothing to send, how
	// far it has looked: so a tail passes other controllers' messages.
	idleBeat = 500 * time.Millisecond
	// silence is how long the broker may say nothing before the consumer is
	// made again.
	silence = 4 * idleBeat
	// glance is the same for a tail that is asked how far it is.
	glance = 20 * time.Millisecond
	// forgotten is when the broker drops a consumer that nobody pulls from.
	forgotten = 30 * time.Second
)

var apiOfFeed = regexp.MustCompile(`^\$JS\.(?:[^.]+\.)?API\.[A-Z.]+\.` + events.FeedStream + `(?:\.|$)`)

// tail follows one filter of the feed from what is applied, with one consumer
// after the other, until ctx ends or a new snapshot is needed (errAnew).
//
// A filter has a consumer of its own, since the broker's permissions cover
// consumers of one filter each: a dialer sees its controllers and no others.
func (f *follower) tail(ctx context.Context, filter string) error {
	pause := f.opts.Backoff
	for {
		progress, err := f.consume(ctx, filter)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errAnew), errors.Is(err, ErrMessage):
			return err
		case progress:
			pause = f.opts.Backoff
		}
		f.tell(fmt.Errorf("tail %s: %w", filter, err))
		rest(ctx, jitter(pause))
		pause = min(2*pause, 50*f.opts.Backoff)
	}
}

// consume makes one consumer and reads from it until it ends. It reports
// whether it has read anything.
func (f *follower) consume(ctx context.Context, filter string) (progress bool, err error) {
	ctx, free, err := f.line.open(ctx)
	if err != nil {
		return false, err
	}
	defer free()
	f.mu.Lock()
	from := f.reached[filter]
	f.mu.Unlock()
	name := consumerName(f.opts.Controller, f.opts.Dialer)
	if err := f.makeConsumer(ctx, name, filter, from); err != nil {
		return false, err
	}
	inbox := f.nc.NewInbox()
	messages := make(chan *nats.Msg, 2*pullBatch)
	sub, err := f.nc.ChanSubscribe(inbox+".*", messages)
	if err != nil {
		return false, err
	}
	defer f.dropConsumer(name)
	defer func() { _ = sub.Unsubscribe() }()
	r := reading{follower: f, filter: filter, name: name, inbox: inbox}
	for err = r.pull(); err == nil; {
		err = r.next(ctx, messages)
	}
	return r.heard, err
}

// consumerName is unique: two processes under one dialer's name by mistake
// would take each other's messages from one consumer.
func consumerName(controller, dialer string) string {
	return "dialer-" + events.SubjectToken(controller) + "-" + events.SubjectToken(dialer) + "-" + rand.Text()[:8]
}

// makeConsumer makes an ordered consumer: in memory, without acknowledgements,
// so that a message is delivered once and a gap shows in the numbering. The
// stream is looked at after that: what it has lost before could be missing. What
// it loses later the consumer has seen: FEED loses what is 90 days old, and an
// erasure waits for its dialers.
func (f *follower) makeConsumer(ctx context.Context, name, filter string, from uint64) error {
	within, cancel := context.WithTimeout(ctx, apiWait)
	defer cancel()
	_, err := f.js.CreateConsumer(within, events.FeedStream, jetstream.ConsumerConfig{
		Name: name, FilterSubject: filter, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from + 1,
		AckPolicy: jetstream.AckNonePolicy, InactiveThreshold: forgotten, MemoryStorage: true, Replicas: 1,
		Description: "dialer " + f.opts.Dialer + " of " + f.opts.Processor,
	})
	if err != nil {
		return fmt.Errorf("make consumer: %w", err)
	}
	stream, err := f.stream(ctx)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	state := stream.State
	if !stream.Created.Equal(f.created) || state.FirstSeq > from+1 || state.LastSeq < from {
		return errAnew
	}
	return nil
}

// dropConsumer tidies up; the broker does so itself where this fails.
func (f *follower) dropConsumer(name string) {
	if !f.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = f.js.DeleteConsumer(ctx, events.FeedStream, name) // see forgotten
}

// reading is the state of one consumer.
type reading struct {
	*follower
	filter, name, inbox string

	delivered uint64 // by the consumer
	pulls     int    // requests made
	left      int    // messages that the last of them may bring still
	heard     bool
}

// pull asks for the next messages. Each request has an inbox of its own below
// the common one, by which its end is known from that of an earlier one.
func (r *reading) pull() error {
	r.pulls++
	r.left = pullBatch
	return r.request(strconv.Itoa(r.pulls), pullBatch, pullExpires, idleBeat)
}

// glance asks for word of how far the broker has looked; what it has found it
// may send as well.
func (r *reading) glance() error { return r.request("glance", 1, 2*glance, glance) }

func (r *reading) request(inbox string, batch int, expires, beat time.Duration) error {
	body, err := json.Marshal(struct {
		Batch   int           `json:"batch"`
		Expires time.Duration `json:"expires"`
		Beat    time.Duration `json:"idle_heartbeat"`
	}{batch, expires, beat})
	if err != nil {
		return err
	}
	return r.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+events.FeedStream+"."+r.name, r.inbox+"."+inbox, body)
}

// Errors that end a consumer; another one is made.
var (
	errSilent = errors.New("the broker was silent")
	errGap    = errors.New("a message is missing")
)

// next handles what comes next from the broker.
func (r *reading) next(ctx context.Context, messages <-chan *nats.Msg) error {
	timer := time.NewTimer(silence)
	defer timer.Stop()
	select {
	case m := <-messages:
		if status := m.Header.Get("Status"); status != "" && len(m.Data) == 0 {
			return r.status(status, m)
		}
		return r.message(m)
	case <-r.behind[r.filter]:
		return r.glance()
	case <-timer.C:
		return errSilent
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// message applies a message of the tail.
func (r *reading) message(m *nats.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("message without its place: %w", err)
	}
	if meta.Sequence.Consumer != r.delivered+1 {
		return errGap
	}
	var fm events.FeedMessage
	if err := json.Unmarshal(m.Data, &fm); err != nil {
		return fmt.Errorf("message %d: %w", meta.Sequence.Stream, ErrMessage)
	}
	fm.Position = meta.Sequence.Stream
	news, err := r.set.Apply(fm)
	if err != nil {
		return err
	}
	r.heard = true
	r.delivered++
	r.applied(r.filter, fm.Position, true)
	if news {
		r.stopped(fm)
	}
	if r.left--; r.left <= 0 {
		return r.pull()
	}
	return nil
}

// status handles what the broker says of the consumer.
func (r *reading) status(status string, m *nats.Msg) error {
	switch status {
	case "100": // it has looked so far and found nothing more
		delivered, err1 := strconv.ParseUint(m.Header.Get("Nats-Last-Consumer"), 10, 64)
		looked, err2 := strconv.ParseUint(m.Header.Get("Nats-Last-Stream"), 10, 64)
		if err1 != nil || err2 != nil {
			return nil
		}
		if delivered != r.delivered {
			return errGap
		}
		r.heard = true
		r.applied(r.filter, looked, false)
		return nil
	case "404", "408": // a request is over
		if strings.HasSuffix(m.Subject, "."+strconv.Itoa(r.pulls)) {
			return r.pull()
		}
		return nil
	}
	return fmt.Errorf("the broker says: %s %s", status, m.Header.Get("Description"))
}
