package rules

import (
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

// presented reports whether the CLI rules but IT-CLI-01 apply.
func (s *setting) presented() bool { return isCall(s.channel) && s.a.CLI != "" }

func cli01(s *setting) (hit, bool) {
	if !isCall(s.channel) || s.a.CLI != "" {
		return hit{}, false
	}
	return block(s.note().say("cli", "withheld")), true
}

// declaredFor reports whether a declaration of the number by one of the
// holders is in force.
func (s *setting) declaredFor(holders ...string) bool {
	for _, f := range s.declarations() {
		d := f.Data.(*events.CallerIDDeclared)
		if slices.Contains(holders, d.Holder) && within(s.day, d.From, d.To) {
			return true
		}
	}
	return false
}

func cli02(s *setting) (hit, bool) {
	if !s.presented() || s.declaredFor(s.a.Controller, s.a.Processor) {
		return hit{}, false
	}
	return block(s.note().facts(s.declarations()).say("cli", s.a.CLI)), true
}

func cli03(s *setting) (hit, bool) {
	if !s.presented() || strings.HasPrefix(s.a.CLI, s.pack.CallbackPrefix) {
		return hit{}, false
	}
	s.refs = s.look(s.refs[:0], refKey{refTested, s.a.CLI, ""})
	ev := s.note().say("cli", s.a.CLI)
	tested, failed, latest := false, false, events.Instant(0)
	for _, f := range s.refs {
		if dateOf(f.Time) < s.day-events.Date(s.pack.TestDays) {
			continue
		}
		bad := !f.Data.(*events.CallerIDTested).OK
		if f.Time > latest {
			failed = bad
		} else {
			failed = failed || bad // of two tests at one instant the failed one counts
		}
		tested, latest = true, f.Time
		ev.fact(f.Identity())
	}
	switch {
	case !tested:
		return warn(ev.say("test", "none")), true
	case failed:
		return block(ev.say("test", "failed")), true
	}
	return hit{}, false
}

func cli04(s *setting) (hit, bool) {
	if !s.presented() || s.a.OriginCountry == "IT" {
		return hit{}, false
	}
	fixed := strings.HasPrefix(s.a.CLI, "+390") && s.day >= s.pack.ForeignFixedFrom
	mobile := strings.HasPrefix(s.a.CLI, "+393") && s.day >= s.pack.ForeignMobileFrom && !s.a.Roaming
	if !fixed && !mobile {
		return hit{}, false
	}
	return block(s.note().say("cli", s.a.CLI).say("origin_country", s.a.OriginCountry)), true
}

func cli05(s *setting) (hit, bool) {
	if !s.presented() || s.a.Purpose != events.PurposeMarketing || !strings.HasPrefix(s.a.CLI, s.pack.StatisticsPrefix) {
		return hit{}, false
	}
	return block(s.note().say("cli", s.a.CLI)), true
}

// cli06 is silent where IT-CLI-02 speaks.
func cli06(s *setting) (hit, bool) {
	if !s.presented() || s.campaign.sector != events.SectorEnergy || s.a.Purpose != events.PurposeMarketing ||
		s.day < s.pack.EnergyFrom || !s.declaredFor(s.a.Controller, s.a.Processor) || s.declaredFor(s.a.Controller) {
		return hit{}, false
	}
	return block(s.note().facts(s.declarations()).say("cli", s.a.CLI)), true
}

func cli07(s *setting) (hit, bool) {
	if !s.presented() || slices.Contains(s.campaign.clis, s.a.CLI) {
		return hit{}, false
	}
	ev := s.note().say("cli", s.a.CLI).say("campaign", s.a.Campaign)
	if s.campaign.known {
		ev.fact(s.campaign.opened.Identity())
	}
	return block(ev), true
}
