package events

import (
	"math/rand/v2"
	"regexp"
	"testing"
	"time"
)

// rfc3339 is the grammar of the RFC; the standard library is laxer: it reads
// decimal commas, hours of one digit and offsets of 24 hours.
var rfc3339 = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

// strict reads what both the grammar and the standard library's calendar accept.
func strict(s string) (Instant, bool) {
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !rfc3339.MatchString(s) {
		return 0, false
	}
	i := Instant(v.Unix()*1_000_000+int64(v.Nanosecond()/1000)) + unixOffset
	y := v.UTC().Year()
	return i, i != 0 && y >= 0 && y <= 9999
}

func sameAsStandardLibrary(t *testing.T, s string) {
	t.Helper()
	got, err := ParseInstant(s)
	want, ok := strict(s)
	if (err == nil) != ok || (ok && got != want) {
		t.Errorf("%q: got %d, %v; the standard library %d, %v", s, got, err, want, ok)
	}
	fromBytes, err2 := parseInstant([]byte(s))
	if fromBytes != got || err2 != err {
		t.Errorf("%q: text and bytes differ", s)
	}
}

func TestParseInstantAgreesWithStandardLibrary(t *testing.T) {
	for _, s := range []string{
		"2026-01-10T12:00:00+01:00", "2026-01-10T12:00:00Z", "2026-01-10T12:00:00.Z", "2026-01-10T12:00:00,5Z", "2026-01-10T1:00:00Z", "2026-01-10T12:00:00.5",
		"2026-01-10t12:00:00Z", "2026-01-10T12:00:00z", "2026-01-10T24:00:00Z", "2026-01-10T23:60:00Z", "2026-01-10T23:59:60Z", "2026-01-10T23:59:59-23:59",
		"2026-01-10T23:59:59+24:00", "2026-01-10T23:59:59+00:60", "2026-01-10T23:59:59+0100", "2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
		"2000-02-29T00:00:00Z", "2026-00-10T00:00:00Z", "2026-01-00T00:00:00Z", "2026-04-31T00:00:00Z", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00Z", "0000-12-31T23:59:59Z", "2026-01-10T12:00:00.123456789012345678Z",
		"+026-01-10T12:00:00Z", "2026-01-10 12:00:00Z", "2026-01-10T12:00:00ZZ", "2026-01-10T12:00:00.1+01:00", "", "Z", "1969-12-31T23:59:59.999999Z",
	} {
		sameAsStandardLibrary(t, s)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	const alphabet = "0123456789-:T.Z+"
	for range 20_000 {
		at := time.Unix(rnd.Int64N(4e11)-2e11, rnd.Int64N(1e9)).In(time.FixedZone("", (rnd.IntN(2879)-1439)*60))
		s := []byte(at.Format(time.RFC3339Nano))
		sameAsStandardLibrary(t, string(s))
		s[rnd.IntN(len(s))] = alphabet[rnd.IntN(len(alphabet))]
		sameAsStandardLibrary(t, string(s))
	}
}

func TestParseDateAgreesWithStandardLibrary(t *testing.T) {
	for d := Date(1); d < 3652060; d += 37 {
		if got, err := ParseDate(d.String()); err != nil || got != d {
			t.Fatalf("day %d is %s and reads back as %d, %v", d, d, got, err)
		}
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		s := []byte(Date(1 + rnd.IntN(3652059)).String())
		s[rnd.IntN(len(s))] = "0123456789-"[rnd.IntN(11)]
		want, err := time.Parse(time.DateOnly, string(s))
		got, gotErr := ParseDate(string(s))
		if (err == nil && want.Year() > 0) != (gotErr == nil) || (gotErr == nil && got != NewDate(want.Date())) {
			t.Fatalf("%q: got %s, %v; the standard library %s, %v", s, got, gotErr, want, err)
		}
	}
	for _, bad := range []string{"", "2026-1-1", "2026-02-30", "2026-01-01T", "0000-12-31", "20260101", "2026/01/01"} {
		if _, err := ParseDate(bad); err != ErrDate {
			t.Errorf("%q: %v, want ErrDate", bad, err)
		}
	}
}

func TestFormatAgreesWithStandardLibrary(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	check := func(i Instant) {
		layout := "2006-01-02T15:04:05.000000Z"
		if i%1000 == 0 {
			layout = "2006-01-02T15:04:05.000Z"
		}
		if got, want := string(i.AppendFormat(nil)), i.Time().Format(layout); got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
	for _, i := range []Instant{1, 999, 1000, -1, -1_000_000, endInstant - 1, endInstant, unixOffset, unixOffset - 1} {
		check(i)
	}
	for range 20_000 {
		check(Instant(rnd.Int64N(int64(endInstant))))
		check(Instant(rnd.Int64N(int64(endInstant/1000))) * 1000)
	}
}

func TestInstantArithmetic(t *testing.T) {
	at, _ := ParseInstant("2026-03-29T00:59:59.999999Z")
	if got := at.Add(time.Microsecond); got.Sub(at) != time.Microsecond || got.String() != "2026-03-29T01:00:00.000Z" {
		t.Errorf("one microsecond later: %s", got)
	}
	if got := at.Add(999 * time.Nanosecond); got != at {
		t.Error("less than a microsecond is not cut")
	}
	if InstantFromUnixMicro(at.UnixMicro()) != at || InstantOf(at.Time()) != at {
		t.Error("an instant does not survive conversion")
	}
	var i Instant
	if err := i.UnmarshalText([]byte("tomorrow")); err != ErrInstant || i != 0 {
		t.Errorf("text that is no instant: %v, %d", err, i)
	}
	if err := i.UnmarshalText([]byte("2026-03-29T02:59:59.999999999+02:00")); err != nil || i != at {
		t.Errorf("got %s, %v", i, err)
	}
	if err := i.UnmarshalText(nil); err != nil || !i.IsZero() {
		t.Errorf("empty text: %v, %d", err, i)
	}
	if b, err := i.MarshalText(); err != nil || len(b) > 0 {
		t.Errorf("absent instant as text: %q, %v", b, err)
	}
}

// The days of the two changes of the clock have 23 and 25 hours in Rome.
func TestRomeDaysAtTheChangeOfClocks(t *testing.T) {
	for day, hours := range map[string]int{"2026-03-29": 23, "2026-10-25": 25, "2026-06-01": 24} {
		d, err := ParseDate(day)
		if err != nil {
			t.Fatal(err)
		}
		if got := (d + 1).In(Rome).Sub(d.In(Rome)); got != time.Duration(hours)*time.Hour {
			t.Errorf("%s lasts %s, want %d h", day, got, hours)
		}
		if DateOf(d.In(Rome), Rome) != d || DateOf((d+1).In(Rome)-1, Rome) != d {
			t.Errorf("%s does not hold its own instants", day)
		}
	}
	var d Date
	if err := d.UnmarshalText([]byte("2026-02-30")); err != ErrDate || d != 0 {
		t.Errorf("text that is no date: %v, %d", err, d)
	}
	if err := d.UnmarshalText([]byte("2026-02-28")); err != nil || d.String() != "2026-02-28" {
		t.Errorf("got %s, %v", d, err)
	}
	if err := d.UnmarshalText(nil); err != nil || d != 0 {
		t.Errorf("empty text: %v, %d", err, d)
	}
}
