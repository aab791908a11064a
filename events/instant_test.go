package events

import (
	"testing"
	"time"
)

func TestInstantForm(t *testing.T) {
	cases := map[string]string{
		"2026-01-10T12:00:00+01:00":      "2026-01-10T11:00:00.000Z",
		"2026-01-10T11:00:00.1239Z":      "2026-01-10T11:00:00.123900Z",
		"2026-01-10T11:00:00.123999999Z": "2026-01-10T11:00:00.123999Z",
		"2026-01-10T11:00:00.500000Z":    "2026-01-10T11:00:00.500Z",
		"1969-12-31T23:59:59.999999999Z": "1969-12-31T23:59:59.999999Z",
		"2026-03-29T02:30:00.000+01:00":  "2026-03-29T01:30:00.000Z",
	}
	for in, want := range cases {
		i, err := ParseInstant(in)
		if err != nil || i.String() != want {
			t.Errorf("%s: got %s, %v; want %s", in, i, err, want)
		}
	}
	for _, bad := range []string{"", "2026-01-10", "2026-01-10T12:00:00", "2026-13-10T12:00:00Z", "now"} {
		if _, err := ParseInstant(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if (Instant(0)).String() != "" || InstantOf(time.Time{}) != 0 || !Instant(0).Time().IsZero() {
		t.Error("the zero Instant is not the zero time")
	}
}

func TestDates(t *testing.T) {
	d, err := ParseDate("2026-01-31")
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{1: "2026-02-28", 3: "2026-04-30", 12: "2027-01-31", -2: "2025-11-30", 25: "2028-02-29"} {
		if got := d.AddMonths(n).String(); got != want {
			t.Errorf("month+(2026-01-31, %d) = %s, want %s", n, got, want)
		}
	}
	if got := (d + 29).String(); got != "2026-03-01" {
		t.Errorf("29 days later: %s", got)
	}
	if d.Weekday() != time.Saturday {
		t.Errorf("weekday %s", d.Weekday())
	}
	midnight, _ := ParseInstant("2026-03-03T23:30:00Z")
	if got := DateOf(midnight, Rome).String(); got != "2026-03-04" {
		t.Errorf("Rome date %s", got)
	}
	if got := d.In(Rome).String(); got != "2026-01-30T23:00:00.000Z" {
		t.Errorf("midnight in Rome %s", got)
	}
	if NewDate(1, time.January, 1) != 1 || (Date(0)).String() != "" {
		t.Error("the calendar does not begin with day 1")
	}
}
