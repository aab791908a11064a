package rules

import (
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

// presented reports whether the CLI rules but IT-CLI-01 apply.
func (e *evaluation) presented() bool { return isCall(e.channel) && e.a.CLI != "" }

func cli01(e *evaluation) (hit, bool) {
	if !isCall(e.channel) || e.a.CLI != "" {
		return hit{}, false
	}
	return block(new(evidence).say("cli", "withheld")), true
}

// declaredFor reports whether a declaration of the number by one of the
// holders is in force.
func (e *evaluation) declaredFor(holders ...string) bool {
	e.refs = e.look(e.refs[:0], refKey{refDeclared, e.a.CLI, ""})
	for _, f := range e.refs {
		d := f.Data.(*events.CallerIDDeclared)
		if slices.Contains(holders, d.Holder) && within(e.day, d.From, d.To) {
			return true
		}
	}
	return false
}

func cli02(e *evaluation) (hit, bool) {
	if !e.presented() || e.declaredFor(e.a.Controller, e.a.Processor) {
		return hit{}, false
	}
	return block(new(evidence).facts(e.refs).say("cli", e.a.CLI)), true
}

func cli03(e *evaluation) (hit, bool) {
	if !e.presented() || strings.HasPrefix(e.a.CLI, e.pack.CallbackPrefix) {
		return hit{}, false
	}
	e.refs = e.look(e.refs[:0], refKey{refTested, e.a.CLI, ""})
	ev := new(evidence).say("cli", e.a.CLI)
	tested, failed, latest := false, false, events.Instant(0)
	for _, f := range e.refs {
		if dateOf(f.Time) < e.day-events.Date(e.pack.TestDays) {
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

func cli04(e *evaluation) (hit, bool) {
	if !e.presented() || e.a.OriginCountry == "IT" {
		return hit{}, false
	}
	fixed := strings.HasPrefix(e.a.CLI, "+390") && e.day >= e.pack.ForeignFixedFrom
	mobile := strings.HasPrefix(e.a.CLI, "+393") && e.day >= e.pack.ForeignMobileFrom && !e.a.Roaming
	if !fixed && !mobile {
		return hit{}, false
	}
	return block(new(evidence).say("cli", e.a.CLI).say("origin_country", e.a.OriginCountry)), true
}

func cli05(e *evaluation) (hit, bool) {
	if !e.presented() || e.a.Purpose != events.PurposeMarketing || !strings.HasPrefix(e.a.CLI, e.pack.StatisticsPrefix) {
		return hit{}, false
	}
	return block(new(evidence).say("cli", e.a.CLI)), true
}

func cli06(e *evaluation) (hit, bool) {
	if !e.presented() || e.campaign.sector != events.SectorEnergy || e.a.Purpose != events.PurposeMarketing ||
		e.day < e.pack.EnergyFrom || e.found("IT-CLI-02") || e.declaredFor(e.a.Controller) {
		return hit{}, false
	}
	return block(new(evidence).facts(e.refs).say("cli", e.a.CLI)), true
}

func cli07(e *evaluation) (hit, bool) {
	if !e.presented() || slices.Contains(e.campaign.clis, e.a.CLI) {
		return hit{}, false
	}
	ev := new(evidence).say("cli", e.a.CLI).say("campaign", e.a.Campaign)
	if e.campaign.known {
		ev.fact(e.campaign.opened.Identity())
	}
	return block(ev), true
}
