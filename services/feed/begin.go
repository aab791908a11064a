package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/feed/said"
	"github.com/assenso/assenso/services/feed/standing"
	"github.com/assenso/assenso/services/inquiry"
)

// Age is how long FEED keeps messages.
const Age = 90 * 24 * time.Hour

// StreamConfig is the configuration of FEED (design.md 4); a stream that is
// made anew begins after position.
func StreamConfig(replicas int, position uint64) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: events.FeedStream, Description: "what stops calls, for dialers; an erasure deletes",
		Subjects: []string{"feed.*.*"}, Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Replicas: replicas,
		Discard: jetstream.DiscardOld, MaxAge: Age, MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxMsgsPerSubject: -1, MaxConsumers: -1,
		Duplicates: 2 * time.Minute, AllowDirect: true, AllowAtomicPublish: true, FirstSeq: position + 1,
	}
}

// provision makes FEED, or finds it. One that was lost is made again: it is
// derived. Its positions go on where dialers have seen them end.
func (f *Feed) provision(ctx context.Context) (jetstream.Stream, error) {
	s, err := f.js.Stream(ctx, events.FeedStream)
	if err == nil || !errors.Is(err, jetstream.ErrStreamNotFound) {
		return s, err
	}
	mark, err := f.cfg.Said.Mark(ctx)
	if err != nil {
		return nil, err
	}
	return f.js.CreateStream(ctx, StreamConfig(f.cfg.Replicas, mark.Feed))
}

// begin makes everything as it was stored: the path of every start.
func (l *life) begin(ctx context.Context) error {
	stream, err := l.provision(ctx)
	if err != nil {
		return fmt.Errorf("feed: stream %s: %w", events.FeedStream, err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("feed: stream %s: %w", events.FeedStream, err)
	}
	mark, err := l.cfg.Said.Mark(ctx)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	if lost := !mark.Whole || mark.Feed > info.State.LastSeq || mark.Feed+1 < info.State.FirstSeq; lost {
		if err := l.rebuild(ctx, info.State, mark); err != nil {
			return err
		}
		mark.Feed = 0
	}
	if l.dirty, err = l.readTail(ctx, stream, max(mark.Feed+1, info.State.FirstSeq), info.State.LastSeq); err != nil {
		return err
	}
	if mark, err = l.cfg.Said.Mark(ctx); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	l.position, l.committed, l.marks, l.building = mark.Feed, mark.Ledger, maps.Clone(mark.Ledger), !mark.Whole
	l.looked, l.packDue, l.lawSaid = mark.Handled, l.nextPack(l.cfg.Clock()), mark.Law
	if err := l.cfg.Await(ctx, mark.Ledger.Positions()); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	return l.remember(ctx, mark)
}

// rebuild begins to build the feed's memory anew: it does not know what it had
// said, or FEED does not hold it any more. What FEED holds is read first, so
// that what no longer stands is taken back.
func (l *life) rebuild(ctx context.Context, state jetstream.StreamState, mark said.Mark) error {
	if mark.Begun {
		l.log.Warn("feed: its memory and FEED do not fit together: building it again",
			zap.Uint64("said", mark.Feed), zap.Uint64("first", state.FirstSeq), zap.Uint64("last", state.LastSeq))
	}
	if err := l.cfg.Said.Reset(ctx); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	at, err := l.cfg.View.Progress(ctx, l.cfg.Index)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	law, err := l.law()
	if err != nil {
		return err
	}
	change := said.Change{Moved: at, Law: law, Sweep: []said.SweepKind{said.SweepAll}, Handled: l.cfg.Clock()}
	if err := l.cfg.Said.Commit(ctx, &change); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	return nil
}

// readTail stores what FEED holds from one position on, and returns the
// contacts that it names. Nobody publishes meanwhile.
func (l *life) readTail(ctx context.Context, stream jetstream.Stream, from, last uint64) ([]events.ContactKey, error) {
	if from > last {
		return nil, nil
	}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from})
	if err != nil {
		return nil, fmt.Errorf("feed: read %s: %w", events.FeedStream, err)
	}
	t := tail{life: l, change: said.Change{}, dirty: map[events.ContactKey]bool{}}
	if consumer.CachedInfo().NumPending > 0 {
		if err := t.read(ctx, consumer); err != nil {
			return nil, err
		}
	}
	t.change.Feed = last // what lies there may be deleted
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	keys := make([]events.ContactKey, 0, len(t.dirty))
	for k := range t.dirty {
		keys = append(keys, k)
	}
	return keys, nil
}

// tail is messages of FEED that are taken as said.
type tail struct {
	*life
	change said.Change
	dirty  map[events.ContactKey]bool
}

const tailBatch = 1000

func (t *tail) read(ctx context.Context, consumer jetstream.Consumer) error {
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("feed: read %s: %w", events.FeedStream, err)
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		m, err := messages.Next()
		if err != nil {
			return fmt.Errorf("feed: read %s: %w", events.FeedStream, errors.Join(ctx.Err(), err))
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("feed: read %s: %w", events.FeedStream, err)
		}
		if err := t.take(ctx, m.Data(), meta.Sequence.Stream); err != nil {
			return err
		}
		if len(t.change.Put) >= tailBatch {
			if err := t.flush(ctx); err != nil {
				return err
			}
		}
		if meta.NumPending == 0 {
			return nil
		}
	}
}

func (t *tail) flush(ctx context.Context) error {
	for i := range t.change.Put {
		if k := t.change.Put[i].Message.Contact; !k.IsZero() {
			t.dirty[k] = true
		}
	}
	if err := t.cfg.Said.Commit(ctx, &t.change); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	t.change = said.Change{}
	return nil
}

// take notes a message of FEED as said. One that cannot be read was not
// published by the feed.
func (t *tail) take(ctx context.Context, body []byte, position uint64) error {
	t.change.Feed = position
	var m events.FeedMessage
	if err := json.Unmarshal(body, &m); err != nil {
		t.log.Warn("feed: a message in FEED is not the feed's: passed over", zap.Uint64("position", position))
		return nil
	}
	m.Phone, m.Position = "", position
	before, err := t.causes(ctx, m.Key())
	if err != nil {
		return err
	}
	h := m.Cause.Hash()
	e := said.Entry{Message: m, Causes: before, First: !slices.Contains(before, h)}
	if e.First {
		e.Causes = append(slices.Clone(before), h)
	}
	t.change.Put = append(t.change.Put, e)
	return nil
}

// causes are the events that were said of a key so far.
func (t *tail) causes(ctx context.Context, key events.FeedKey) ([]events.IdentityHash, error) {
	for i := len(t.change.Put) - 1; i >= 0; i-- {
		if e := &t.change.Put[i]; e.Message.Key() == key {
			if e.Message.Effect == events.FeedResume {
				return nil, nil
			}
			return e.Causes, nil
		}
	}
	former, err := t.cfg.Said.Of(ctx, key.Contact)
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	for i := range former {
		if former[i].Message.Key() == key {
			return former[i].Causes, nil
		}
	}
	return nil, nil
}

// remember reads what a life keeps in memory.
func (l *life) remember(ctx context.Context, mark said.Mark) error {
	var err error
	l.world = inquiry.NewWorld(l.cfg.View, codec.Decode, nil)
	if _, err = l.world.Refresh(ctx); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	if l.cited, err = l.cfg.Said.CitedAll(ctx); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	if err := l.readSweeps(ctx); err != nil {
		return err
	}
	_, orders, _ := standing.OfLists(l.world.Reference, l.cfg.Clock())
	if l.ordersSaid = mark.Orders; fingerprint(orders) == mark.Orders {
		l.orders = orders
	}
	for i := range orders {
		l.coarse[orderName(&orders[i])] = slices.ContainsFunc(l.sweeps, func(s said.Sweep) bool { return s.Kind == said.SweepOrder })
	}
	return l.readDue(ctx)
}

// first looks again at what may not be as it was said: the contacts that the
// tail of FEED names, lists and orders, everything under another law.
func (l *life) first(ctx context.Context) error {
	law, err := l.law()
	if err != nil {
		return err
	}
	u := newUnit()
	if law != l.lawSaid {
		u.change.Law, u.change.Sweep = law, []said.SweepKind{said.SweepAll}
	}
	if err := l.listsCome(ctx, u, l.cfg.Clock()); err != nil {
		return err
	}
	if err := l.send(ctx, u); err != nil || l.building { // a rebuild looks at every contact
		return err
	}
	for part := range slices.Chunk(l.dirty, dueBatch) {
		u := newUnit()
		if err := l.lookAgain(ctx, u, part); err != nil {
			return err
		}
		if err := l.send(ctx, u); err != nil {
			return err
		}
	}
	return nil
}
