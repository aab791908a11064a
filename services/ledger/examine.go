package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/assenso/assenso/events"
)

// Check is one thing that Examine looked at.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`           // what was found
	Remedy string `json:"remedy,omitempty"` // what to do, when not OK
}

// FreshBeat is how old a beat may be before the gate says no (design.md 8).
const FreshBeat = 5 * time.Second

// clockSlack is how far this machine's clock may be behind the youngest stamp.
const clockSlack = time.Second

// Examine looks at an open log for assenso doctor: its durability against the
// mode asked for, its streams' settings, the recorders' beats and this
// machine's clock (now) against the youngest stamps. It changes nothing. What
// cannot be read is a failed check, never an error.
func Examine(ctx context.Context, log Ledger, asked Mode, now events.Instant) []Check {
	checks := examineDurability(ctx, log, asked)
	return append(checks, examineBeats(ctx, log, now), examineClock(ctx, log, now))
}

func unreadable(name string, err error) Check {
	return Check{Name: name, Detail: err.Error(), Remedy: "see whether the broker runs and this user may read the ledger"}
}

// strength orders the modes.
var strength = map[Mode]int{Fast: 1, Bounded: 2, Strict: 3}

func examineDurability(ctx context.Context, log Ledger, asked Mode) []Check {
	d, err := log.Durability(ctx)
	if err != nil {
		return []Check{unreadable("ledger durability", err)}
	}
	durability := Check{Name: "ledger durability", OK: strength[d.Mode] >= strength[asked], Detail: d.String()}
	if !durability.OK {
		durability.Remedy = fmt.Sprintf("%s was asked for: set jetstream { sync: always } at every broker", asked)
	}
	settings := Check{Name: "ledger settings", OK: len(d.Faults) == 0, Detail: "every stream denies delete and purge and has no limit"}
	if !settings.OK {
		settings.Detail, settings.Remedy = strings.Join(d.Faults, "; "), "find who may change streams, mend the settings, check the log against a checkpoint kept elsewhere"
	}
	return []Check{durability, settings}
}

func examineBeats(ctx context.Context, log Beats, now events.Instant) Check {
	const name = "recorders' beats"
	beats, err := log.Beats(ctx)
	if err != nil {
		return unreadable(name, err)
	}
	var stale []string
	for _, f := range events.Families {
		b, ok := beats[f]
		switch age := now.Sub(b.Instant); {
		case !ok:
			stale = append(stale, string(f)+" has never beaten")
		case age > FreshBeat:
			stale = append(stale, fmt.Sprintf("%s beat %s ago", f, age.Truncate(time.Second)))
		}
	}
	if len(stale) == 0 {
		return Check{Name: name, OK: true, Detail: fmt.Sprintf("all younger than %s", FreshBeat)}
	}
	return Check{Name: name, Detail: strings.Join(stale, "; "), Remedy: "start the recorders; until they beat, the gate blocks every call"}
}

func examineClock(ctx context.Context, log Reader, now events.Instant) Check {
	const name = "clock"
	last, err := log.Last(ctx)
	if err != nil {
		return unreadable(name, err)
	}
	var ahead time.Duration
	for stream, at := range last {
		if at == 0 {
			continue
		}
		list, err := log.Read(ctx, stream, at, 1)
		if err != nil {
			return unreadable(name, err)
		}
		if len(list) == 0 {
			continue
		}
		stamp, err := RecordedAt(list[0].Body)
		if err != nil {
			return unreadable(name, fmt.Errorf("%s at %d: %w", stream, at, err))
		}
		if stamp > now {
			ahead = max(ahead, stamp.Sub(now))
		}
	}
	if ahead > clockSlack {
		return Check{Name: name, Detail: fmt.Sprintf("the youngest event was recorded %s after this machine's now", ahead), Remedy: "set the clock with NTP before recording anything"}
	}
	return Check{Name: name, OK: true, Detail: "not behind the youngest event"}
}
