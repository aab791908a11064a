package rules

import (
	"fmt"
	"time"

	"github.com/assenso/assenso/events"
)

// Pack is the law of one day: every parameter of rules.md 6 as valid then.
// Days are civil days in Europe/Rome, hours wall-clock times there.
type Pack struct {
	// Name is it/<year>-<month> of the latest change of a value that was in
	// force on that day.
	Name string
	// From is the first day of the pack, zero for the oldest.
	From events.Date

	PhoneDays, PaperDays, PhoneMarginDays, GapMonths int
	SelectiveIsBasis                                 bool
	AfterEndDays, AfterEndMarginDays                 int
	RequestDays, InboundDays                         int
	MaxAgeMonths                                     int
	PreGDPRBefore                                    events.Date
	ReportLagHours, RecordMinutes, ScreenBeforeHours int
	ComplaintDays                                    int
	WeekdayOpen, WeekdayClose, ShortOpen, ShortClose time.Duration // since 00:00, wall clock
	FrequencyDays, FrequencyMax                      int
	MinTalkSeconds                                   int
	CodeFrom, DPR26From, DurableMediumFrom           events.Date
	CallbackPrefix, StatisticsPrefix                 string
	ForeignFixedFrom, ForeignMobileFrom              events.Date
	TestDays                                         int
	SilentRatioPercent, SilentDropMillis, RestDays   int
	PressureDays, PressureWarn, PressureBlock        int
	EnergyFrom                                       events.Date
	SLASeconds, RestrictiveSLASeconds                int
	SkewSeconds, DecisionTTLSeconds                  int

	calendar *calendar
}

// parameterTable names every parameter of rules.md 6 and says where it goes.
// The setters refuse a value of another kind.
var parameterTable = map[string]func(*Pack) any{
	"screening.phone_days":           func(p *Pack) any { return &p.PhoneDays },
	"screening.paper_days":           func(p *Pack) any { return &p.PaperDays },
	"screening.phone_margin_days":    func(p *Pack) any { return &p.PhoneMarginDays },
	"screening.gap_months":           func(p *Pack) any { return &p.GapMonths },
	"register.selective_is_basis":    func(p *Pack) any { return &p.SelectiveIsBasis },
	"contract.after_end_days":        func(p *Pack) any { return &p.AfterEndDays },
	"contract.margin_days":           func(p *Pack) any { return &p.AfterEndMarginDays },
	"request.days":                   func(p *Pack) any { return &p.RequestDays },
	"inbound.days":                   func(p *Pack) any { return &p.InboundDays },
	"consent.max_age_months":         func(p *Pack) any { return &p.MaxAgeMonths },
	"consent.pre_gdpr_before":        func(p *Pack) any { return &p.PreGDPRBefore },
	"withdrawal.report_lag_hours":    func(p *Pack) any { return &p.ReportLagHours },
	"opposition.record_minutes":      func(p *Pack) any { return &p.RecordMinutes },
	"list.screen_before_hours":       func(p *Pack) any { return &p.ScreenBeforeHours },
	"complaint.check_days":           func(p *Pack) any { return &p.ComplaintDays },
	"hours.weekday_open":             func(p *Pack) any { return &p.WeekdayOpen },
	"hours.weekday_close":            func(p *Pack) any { return &p.WeekdayClose },
	"hours.short_open":               func(p *Pack) any { return &p.ShortOpen },
	"hours.short_close":              func(p *Pack) any { return &p.ShortClose },
	"frequency.days":                 func(p *Pack) any { return &p.FrequencyDays },
	"frequency.max":                  func(p *Pack) any { return &p.FrequencyMax },
	"notice.min_talk_seconds":        func(p *Pack) any { return &p.MinTalkSeconds },
	"code.from":                      func(p *Pack) any { return &p.CodeFrom },
	"dpr26.from":                     func(p *Pack) any { return &p.DPR26From },
	"durable_medium.from":            func(p *Pack) any { return &p.DurableMediumFrom },
	"cli.callback_prefix":            func(p *Pack) any { return &p.CallbackPrefix },
	"cli.statistics_prefix":          func(p *Pack) any { return &p.StatisticsPrefix },
	"cli.foreign_fixed_from":         func(p *Pack) any { return &p.ForeignFixedFrom },
	"cli.foreign_mobile_from":        func(p *Pack) any { return &p.ForeignMobileFrom },
	"cli.test_days":                  func(p *Pack) any { return &p.TestDays },
	"silent.ratio_percent":           func(p *Pack) any { return &p.SilentRatioPercent },
	"silent.drop_ms":                 func(p *Pack) any { return &p.SilentDropMillis },
	"silent.rest_days":               func(p *Pack) any { return &p.RestDays },
	"pressure.days":                  func(p *Pack) any { return &p.PressureDays },
	"pressure.warn":                  func(p *Pack) any { return &p.PressureWarn },
	"pressure.block":                 func(p *Pack) any { return &p.PressureBlock },
	"energy.from":                    func(p *Pack) any { return &p.EnergyFrom },
	"ledger.sla_seconds":             func(p *Pack) any { return &p.SLASeconds },
	"ledger.restrictive_sla_seconds": func(p *Pack) any { return &p.RestrictiveSLASeconds },
	"ledger.skew_seconds":            func(p *Pack) any { return &p.SkewSeconds },
	"ledger.decision_ttl_seconds":    func(p *Pack) any { return &p.DecisionTTLSeconds },
}

// set assigns one value to one parameter.
func (p *Pack) set(name string, value any) error {
	switch dst := parameterTable[name](p).(type) {
	case *int:
		n, ok := value.(uint64)
		if !ok || n > 1<<30 {
			return fmt.Errorf("want a whole number of zero or more")
		}
		*dst = int(n)
	case *bool:
		b, ok := value.(bool)
		if !ok {
			return fmt.Errorf("want true or false")
		}
		*dst = b
	case *string:
		s, ok := value.(string)
		if !ok || s == "" {
			return fmt.Errorf("want a quoted text")
		}
		*dst = s
	case *events.Date:
		s, _ := value.(string)
		d, err := events.ParseDate(s)
		if err != nil {
			return fmt.Errorf(`want a quoted date "YYYY-MM-DD"`)
		}
		*dst = d
	case *time.Duration:
		s, _ := value.(string)
		t, err := time.Parse("15:04", s)
		if err != nil {
			return fmt.Errorf(`want a quoted wall-clock time "HH:MM"`)
		}
		*dst = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	return nil
}
