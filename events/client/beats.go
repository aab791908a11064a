package client

import (
	"time"

	"github.com/assenso/assenso/events"
)

// beat is a heartbeat as it was heard.
type beat struct {
	heard    time.Time // set back by how late it came
	position uint64
}

// beats decides from the heartbeats how fresh the knowledge is: as fresh as the
// youngest heartbeat whose position is applied.
type beats struct {
	maxAge, maxLag time.Duration
	began          time.Time

	fresh   time.Time // when the youngest heartbeat that counts was heard; zero = none
	heard   time.Time // when any was; zero = none
	lagging bool      // the last one spoke of too long ago
	waiting []beat    // whose position is not applied yet, in order
	past    []beat    // what was applied when, to find a feed that began anew
	transit transit
}

// pastKept and waitingKept bound what is kept: heartbeats come every second,
// and what is older than some seconds counts no more.
const pastKept, waitingKept = 16, 16

// overtaken is how long the feed may take to count a message of its own that
// dialers have applied: a heartbeat may have been sent before, or while the
// feed was storing. One that lags longer does not count, and after MaxAge the
// feed began anew.
const overtaken = time.Second

// hear takes a heartbeat; position is what is applied. It returns false when
// the feed began anew.
func (b *beats) hear(beat events.FeedBeat, now time.Time, position uint64) bool {
	late := b.transit.late(now.Sub(b.began) - time.Duration(beat.Sent.UnixMicro())*time.Microsecond)
	at := heardAt(now, late, beat.Position)
	if at.position < b.appliedAt(at.heard.Add(-MaxAge)) {
		return false
	}
	counts := at.position >= b.appliedAt(at.heard.Add(-overtaken))
	b.past = append(b.past, heardAt(now, 0, position))
	if len(b.past) > pastKept {
		b.past = append(b.past[:0], b.past[1:]...)
	}
	b.heard = at.heard
	b.lagging = beat.Sent.Sub(beat.At) > b.maxLag
	if b.lagging || !counts {
		return true
	}
	b.waiting = append(b.waiting, at)
	if len(b.waiting) > waitingKept {
		b.waiting = append(b.waiting[:0], b.waiting[1:]...)
	}
	b.reach(position)
	return true
}

func heardAt(now time.Time, late time.Duration, position uint64) beat {
	return beat{heard: now.Add(-late), position: position}
}

// appliedAt is what was applied at an instant, as far as it is remembered.
func (b *beats) appliedAt(then time.Time) (position uint64) {
	for _, p := range b.past {
		if p.heard.After(then) {
			break
		}
		position = p.position
	}
	return position
}

// reach lets the heartbeats count whose position is applied.
func (b *beats) reach(position uint64) {
	still := b.waiting[:0]
	for _, w := range b.waiting {
		switch {
		case w.position > position:
			still = append(still, w)
		case b.fresh.IsZero() || w.heard.After(b.fresh):
			b.fresh = w.heard
		}
	}
	b.waiting = still
}

// restart forgets what was heard before a snapshot.
func (b *beats) restart() { b.past, b.waiting, b.fresh = nil, nil, time.Time{} }

// uncertain says why the knowledge is not fresh.
func (b *beats) uncertain(now time.Time) Reason {
	switch {
	case !b.fresh.IsZero() && age(now, b.fresh) < b.maxAge:
		return Reason{}
	case b.heard.IsZero() || age(now, b.heard) >= b.maxAge:
		return Reason{Code: CodeSilent, Text: "no heartbeat of the feed was heard for " + b.maxAge.String()}
	case b.lagging:
		return Reason{Code: CodeLagging, Text: "the feed is more than " + b.maxLag.String() + " behind the ledger"}
	}
	return Reason{Code: CodeBehind, Text: "not everything that the feed has sent is applied yet"}
}

// transit finds heartbeats that lay on the way, as in the buffer of a
// connection that was stuck: what it hears at once later is not fresh. It knows
// the two clocks' distance only up to a constant, so it compares with the
// quickest heartbeat of the last one to two minutes.
type transit struct {
	least, before time.Duration // of this span and the one before
	count         int           // heartbeats of this span
	known         bool
}

// span is how long a quickest heartbeat is compared with, at least.
const span = 60 // heartbeats, one a second

// late returns how much longer a heartbeat took than the quickest one, given
// the distance between when it was heard and when it was sent.
func (t *transit) late(distance time.Duration) time.Duration {
	if !t.known {
		t.known, t.least, t.before = true, distance, distance
	}
	if t.count++; t.count > span {
		t.before, t.least, t.count = t.least, distance, 1
	}
	t.least = min(t.least, distance)
	return distance - min(t.least, t.before)
}
