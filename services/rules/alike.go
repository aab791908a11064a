package rules

import (
	"slices"
	"time"

	"github.com/assenso/assenso/events"
)

// Sight is what a prepared question sees of the instants of one fact: of its
// Time, and of DialledAt where it is a call. A list is full of contacts that
// differ in nothing that is seen, and they get one Ruling.
//
// Two contacts are alike to a question when their settled facts, taken in some
// order, agree in everything but these instants, Subject, Received (not later
// than the instant that is judged) and the names of grants and contracts, and
//
//   - each of these instants lies before the one that is judged, and is not absent;
//   - they compare with one another in the same way, and so do the names;
//   - each lies on the same side of each of the Bounds of its fact;
//   - where a fact of them is Dated, those of facts with Day lie on the same
//     civil day in Rome;
//   - no fact is Exact.
//
// Then Verdict gives both the same: TestAlikeContactsGetOneRuling. A rule that
// begins to compare an instant with something else adds that to Sight.
type Sight struct {
	Bounds []events.Instant // ascending
	Day    bool             // the date is compared with dates that Dated facts bear
	Dated  bool
	Exact  bool // more is seen than this: the contact is alike to no other
}

// Side returns how many of the bounds an instant has reached.
func (s *Sight) Side(at events.Instant) (n byte) {
	for _, b := range s.Bounds {
		if at >= b {
			n++
		}
	}
	return n
}

// DateOf is the civil date of an instant in Rome, the one that Day speaks of.
func DateOf(t events.Instant) events.Date { return dateOf(t) }

// Sight returns what the question sees of the instants of facts with a payload.
// The zero Sight, that of most: their order alone.
func (q *Question) Sight(p events.Payload) (v Sight) {
	s := &q.setting
	switch d := p.(type) {
	case *events.ConsentGranted:
		v.Day = true              // life
		v.Exact = s.a.Grant != "" // its name is compared with the one cited: better
		v.part(s, s.law.young)    // aged
		v.Bounds = append(v.Bounds, s.law.preGDPR)
		s.partByNotice(&v, d.Notice)
	case *events.ConsentReverified:
		v.part(s, s.law.young) // aged
	case *events.CallConcluded:
		v.Exact = silent(d) // restUntil
		v.part(s, s.day-events.Date(s.pack.FrequencyDays), s.day-events.Date(s.pack.PressureDays)+1)
	case *events.CallbackRequested:
		v.part(s, s.day-events.Date(s.pack.RequestDays))
	case *events.CallInbound:
		v.part(s, s.day-events.Date(s.pack.InboundDays))
	case *events.RegisterListed, *events.RegisterRenewed:
		v.Dated = true // readHorizon
	case *events.RegisterScreened:
		v.Dated = d.Answer != events.AnswerClear && d.Answer != events.AnswerInvalid // readHorizon
	case *events.ConsentRefused, *events.ConsentRevoked, *events.ConsentInvalidated, *events.OppositionRegistered,
		*events.RegisterDelisted, *events.RegisterSelectivelyRevoked, *events.NumberReassigned, *events.ErasureExecuted,
		*events.ContractConcluded, *events.ContractEnded, *events.DirectoryExtracted, *events.ListContactAdded, *events.ListContactRemoved:
	default:
		v.Exact = true
	}
	slices.Sort(v.Bounds)
	v.Exact = v.Exact || len(v.Bounds) > 255 // Side counts them in a byte
	return v
}

// partByNotice adds the first day on which a consent may bear the notice, and
// the first on which it may not any more (noticeMismatch).
func (s *setting) partByNotice(v *Sight, n *events.NoticeRef) {
	if n == nil {
		return
	}
	for _, f := range s.notices() {
		if p := f.Data.(*events.NoticePublished); p.Notice == n.ID && p.Version == n.Version {
			v.part(s, p.EffectiveFrom)
			if p.EffectiveTo != 0 {
				v.part(s, p.EffectiveTo+1)
			}
		}
	}
}

// part adds the beginnings of civil days, between which a rule tells dates
// apart. Days that nobody has reached before the question part nothing; of days
// before the years of rome.go an instant does not say the side.
func (v *Sight) part(s *setting, days ...events.Date) {
	for _, d := range days {
		switch {
		case d <= 1 || d > s.day+1: // every date is on one side
		case d < firstParting || d > lastParting:
			v.Exact = true
		default:
			v.Bounds = append(v.Bounds, midnight(d))
		}
	}
}

// Within these days dateOf(t) ≥ d just when t ≥ midnight(d), for every t:
// clocks never go back over a midnight.
var (
	firstParting = events.NewDate(firstSummer+1, time.January, 1)
	lastParting  = events.NewDate(lastSummer, time.December, 31)
)
