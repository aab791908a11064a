package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/assenso/assenso/events"
)

// MaxAge is how old what a dialer knows may be: older, no call is placed
// (design.md 8, 9).
const MaxAge = 5 * time.Second

// SuppressionOptions configure a set of suppressions.
type SuppressionOptions struct {
	// Controller is for whom the calls are placed.
	Controller string
	// MaxAge bounds how long ago the youngest heartbeat was heard; 0 or more
	// than the constant MaxAge = that.
	MaxAge time.Duration
	// MaxLag bounds how far the feed may be behind the ledger, by the feed's
	// own clock (FeedBeat.Sent - At); 0 = 5 s.
	MaxLag time.Duration
	// Clock tells the local time; nil = time.Now, whose monotonic part counts.
	// Give a test its own.
	Clock func() time.Time
}

// Suppressions is the set of what a dialer must not call for one controller.
// Follow keeps one up to date; a dialer that has the feed by another way, such
// as server-sent events, makes one with NewSuppressions and hands it what it
// reads. It is safe for concurrent use.
//
// A set that allows a call has heard of nothing that stops it. Whether the law
// allows it is the gate's to say (Gate.Decide).
type Suppressions struct {
	opts SuppressionOptions

	mu       sync.RWMutex
	set      *table
	whole    bool   // a snapshot was complete once
	position uint64 // everything up to here is applied
	doubt    Reason // Code "" = none
	beats    beats
	changed  chan struct{} // closed at the next beat, snapshot, position or doubt

	following *follower // nil without Follow
}

// NewSuppressions returns a set that allows nothing before a snapshot is
// complete and a heartbeat was heard.
func NewSuppressions(o SuppressionOptions) *Suppressions {
	if o.MaxAge <= 0 || o.MaxAge > MaxAge {
		o.MaxAge = MaxAge
	}
	if o.MaxLag <= 0 {
		o.MaxLag = MaxAge
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Suppressions{opts: o, set: newTable(), changed: make(chan struct{})}
	s.doubt = starting
	s.beats = beats{maxAge: o.MaxAge, maxLag: o.MaxLag, began: o.Clock()}
	return s
}

var starting = Reason{Code: CodeStarting, Text: "the snapshot of the feed is not complete"}

// ErrMessage: a message of the feed cannot be read. Whoever cannot read what
// stops a call must not call: take a new snapshot.
var ErrMessage = errors.New("message of the feed cannot be read")

// MayCall says whether nothing is known that stops the call, all reasons
// together, and whether what is known is fresh: it blocks while the snapshot is
// not complete; when no heartbeat was heard for MaxAge, by the local clocks;
// when this set has not applied what that heartbeat speaks of; when the feed
// itself is behind the ledger; and for a number that is not E.164.
func (s *Suppressions) MayCall(c Call) Verdict {
	now := s.opts.Clock()
	s.mu.RLock()
	defer s.mu.RUnlock()
	var reasons []Reason
	if r := s.uncertain(now); r.Code != "" {
		reasons = append(reasons, r)
	}
	phone := digitsOf(c.Phone)
	if phone == 0 && (c.Phone != "" || c.Contact.IsZero()) {
		reasons = append(reasons, Reason{Code: CodeNumber, Text: "give the number in E.164: + and 8 to 15 digits"})
	}
	reasons = s.set.stops(&c, phone, reasons)
	return Verdict{Allowed: len(reasons) == 0, Reasons: reasons}
}

// stops appends what stops a call.
func (t *table) stops(c *Call, phone uint64, reasons []Reason) []Reason {
	note := func(d *cause) bool {
		if d.stands() && t.scopes.values[d.scope].covers(c) {
			reasons = append(reasons, t.reason(d))
		}
		return true
	}
	byPhone := t.withPhone(phone)
	if byPhone >= 0 {
		t.causes(byPhone, note)
	}
	if n := t.withContact(c.Contact); n >= 0 && n != byPhone {
		t.causes(n, note)
	}
	if len(t.wide) == 0 {
		return reasons
	}
	for _, to := range [...]target{{}, {campaign: true, name: c.Campaign}} {
		each(t.wide[to], note)
	}
	for _, l := range c.Lists {
		each(t.wide[target{list: true, name: l}], note)
	}
	if c.Campaign != "" && c.Lists != nil {
		return reasons
	}
	for to, causes := range t.wide { // what is not known may be any
		if to.campaign && c.Campaign == "" || to.list && c.Lists == nil {
			each(causes, note)
		}
	}
	return reasons
}

func each(causes []cause, see func(*cause) bool) {
	for i := range causes {
		see(&causes[i])
	}
}

func (t *table) reason(d *cause) Reason {
	r := Reason{Code: CodeSuppressed, Kind: otherFeedKind}
	if d.kind < otherKind {
		r.Kind = t.kinds.values[d.kind]
	}
	if d.sequence > 0 {
		r.Ledger = events.FeedPlace{Stream: t.streams.values[d.stream], Sequence: d.sequence}
	}
	return r
}

// otherFeedKind stands for the kinds of a feed that knows too many.
const otherFeedKind events.FeedKind = "other"

// uncertain says why what is known cannot be relied upon; no code when it can.
func (s *Suppressions) uncertain(now time.Time) Reason {
	if s.doubt.Code != "" {
		return s.doubt
	}
	return s.beats.uncertain(now)
}

// Current returns why the set allows nothing at this moment; nil when it does.
func (s *Suppressions) Current() error {
	now := s.opts.Clock()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.uncertain(now); r.Code != "" {
		return fmt.Errorf("suppressions: %s", r)
	}
	return nil
}

// Position is the position of the feed up to which everything is applied.
func (s *Suppressions) Position() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.position
}

// Len is how many contact points are suppressed in some scope.
func (s *Suppressions) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.set.standing
}

// Apply applies a message of the tail. Messages may come again, and in any
// order; those up to Position are known already and change nothing. It reports
// whether the message stops something that was not stopped, or not so far. The
// error wraps ErrMessage; take a new snapshot then.
func (s *Suppressions) Apply(m events.FeedMessage) (news bool, err error) {
	if m.Position == 0 {
		return false, fmt.Errorf("apply message: %w: it has no position: messages of a snapshot go to Snapshot.Add", ErrMessage)
	}
	if err := readable(&m); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.concerns(&m) || m.Position <= s.position {
		return false, nil
	}
	news = s.set.put(&m, m.Position)
	if dead := len(s.set.entries) - s.set.standing; dead > 1024 && dead > s.set.standing {
		s.set = s.set.without(s.position)
	}
	return news, nil
}

func readable(m *events.FeedMessage) error {
	if m.Phone != "" && digitsOf(m.Phone) == 0 {
		return fmt.Errorf("apply message %d: %w: its number is not E.164", m.Position, ErrMessage)
	}
	if m.Kind == "" || m.Effect == "" {
		return fmt.Errorf("apply message %d: %w: it lacks kind or effect", m.Position, ErrMessage)
	}
	return nil
}

func (s *Suppressions) concerns(m *events.FeedMessage) bool {
	return m.Controller == "" || m.Controller == s.opts.Controller
}

// Reach says that everything up to a position of the feed is applied.
func (s *Suppressions) Reach(position uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if position > s.position {
		s.position = position
		s.beats.reach(position)
		s.announce()
	}
}

// Beat takes a heartbeat that was heard just now. The error says that the feed
// began anew: its positions lie behind what was applied long ago. The set then
// allows nothing until a new snapshot is complete.
func (s *Suppressions) Beat(b events.FeedBeat) error {
	now := s.opts.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.announce()
	if s.beats.hear(b, now, s.position) || s.doubt.Code != "" {
		return nil
	}
	s.doubt = Reason{Code: CodeStarting, Text: "the feed began anew: a new snapshot is needed"}
	return fmt.Errorf("hear heartbeat: %w", errAnew)
}

var errAnew = errors.New("the feed began anew: take a new snapshot")

// Doubt makes the set allow nothing until a new snapshot is complete. A dialer
// that reads the feed by itself calls it when it cannot tell that nothing was
// missed.
func (s *Suppressions) Doubt(why string) { s.suspect(Reason{Code: CodeStarting, Text: why}) }

func (s *Suppressions) suspect(r Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubt = r
	s.announce()
}

// WaitCurrent waits until the set can allow calls, or ctx ends; the error then
// says what is missing.
func (s *Suppressions) WaitCurrent(ctx context.Context) error {
	for {
		s.mu.RLock()
		changed := s.changed
		s.mu.RUnlock()
		err := s.Current()
		if err == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
	}
}

// announce wakes those that wait. The lock is held.
func (s *Suppressions) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Snapshot collects a snapshot beside the set that stands. It is not safe for
// concurrent use.
type Snapshot struct {
	s   *Suppressions
	set *table
	// news are the stops that the set did not hold.
	news []events.FeedMessage
	keep bool
}

// Snapshot begins a snapshot. Nothing changes before its Commit.
func (s *Suppressions) Snapshot() *Snapshot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &Snapshot{s: s, set: newTable(), keep: s.whole}
}

// Add adds messages of the snapshot. The error wraps ErrMessage; the snapshot
// cannot be used then.
func (n *Snapshot) Add(messages ...events.FeedMessage) error {
	for i := range messages {
		m := &messages[i]
		if err := readable(m); err != nil {
			return err
		}
		if !n.s.concerns(m) {
			continue
		}
		n.set.put(m, 0)
		if n.keep && m.Effect != events.FeedResume && !n.s.holds(m) {
			n.news = append(n.news, *m)
		}
	}
	return nil
}

// holds reports whether a stop stands already with the same scope.
func (s *Suppressions) holds(m *events.FeedMessage) bool {
	s.mu.Lock() // reading a message may note a new kind
	defer s.mu.Unlock()
	return s.set.holds(m)
}

// Commit puts the snapshot in the place of the set. The tail goes on after
// position. It returns the stops that the former set did not hold; none for the
// first snapshot, before which nothing was called.
func (n *Snapshot) Commit(position uint64) []events.FeedMessage {
	s := n.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set, s.whole, s.position, s.doubt = n.set, true, position, Reason{}
	s.beats.restart()
	s.announce()
	return n.news
}
