package numbers

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
)

func TestNormalise(t *testing.T) {
	for _, c := range []struct {
		name, phone, country string
		e164                 string
		line                 events.Line
		code                 string
	}{
		{"E.164 mobile", "+393401234567", "", "+393401234567", events.LineMobile, ""},
		{"E.164 landline keeps its 0", "+390612345678", "", "+390612345678", events.LineFixed, ""},
		{"E.164 service number", "+39800123456", "", "+39800123456", events.LineOtherIT, ""},
		{"E.164 with blanks", " +39 340 123-4567 ", "", "+393401234567", events.LineMobile, ""},
		{"national mobile", "3401234567", "IT", "+393401234567", events.LineMobile, ""},
		{"national mobile, lower-case country", "340 1234567", "it", "+393401234567", events.LineMobile, ""},
		{"national mobile that begins like the country's code", "3921234567", "IT", "+393921234567", events.LineMobile, ""},
		{"national landline keeps its 0", "06 1234 5678", "IT", "+390612345678", events.LineFixed, ""},
		{"international prefix with a country", "0039 340 1234567", "IT", "+393401234567", events.LineMobile, ""},
		{"foreign", "+44 20 7946 0958", "", "+442079460958", events.LineForeign, ""},
		{"foreign national", "020 7946 0958", "GB", "+442079460958", events.LineForeign, ""},
		{"the country of an E.164 number is not looked at", "+393401234567", "GB", "+393401234567", events.LineMobile, ""},
		{"fewest Italian digits", "+39123456", "", "+39123456", events.LineOtherIT, ""},
		{"most Italian digits", "+3932012345678", "", "+3932012345678", events.LineMobile, ""},

		{"national without country", "3401234567", "", "", "", CodeCountryMissing},
		{"international prefix without country", "00393401234567", "", "", "", CodeCountryMissing},
		{"too few Italian digits", "+3912345", "", "", "", CodeInvalid},
		{"too many Italian digits", "+39340123456789", "", "", "", CodeInvalid},
		{"too many digits", "+4420794609581234", "", "", "", CodeInvalid},
		{"too few digits", "+441234", "", "", "", CodeInvalid},
		{"no such country code", "+999123456789", "", "", "", CodeInvalid},
		{"no such country", "3401234567", "QQ", "", "", CodeInvalid},
		{"letters", "+39 340 CALLME1", "", "", "", CodeInvalid},
		{"extension", "+390612345678 ext. 5", "", "", "", CodeInvalid},
		{"address", "tel:+393401234567", "", "", "", CodeInvalid},
		{"two signs", "++393401234567", "", "", "", CodeInvalid},
		{"sign inside", "39+3401234567", "IT", "", "", CodeInvalid},
		{"sign alone", "+", "", "", "", CodeInvalid},
		{"nothing", " ", "IT", "", "", CodeInvalid},
		{"other digits", "+39٣٤٠١٢٣٤٥٦٧", "", "", "", CodeInvalid},
		{"very long", "+39" + strings.Repeat(" ", 80) + "3401234567", "", "", "", CodeInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, code := Normalise(c.phone, c.country)
			if p.E164() != c.e164 || p.Line() != c.line || code != c.code {
				t.Errorf("got %q %q %q, want %q %q %q", p.E164(), p.Line(), code, c.e164, c.line, c.code)
			}
		})
	}
}

// TestShortcuts proves the two hand-written ways equal to the library's.
func TestShortcuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		written := rapid.SampledFrom([]string{"", "IT"}).Draw(t, "country")
		phone := "+39" + rapid.StringMatching(`[0-9]{5,12}`).Draw(t, "national")
		if written == "IT" {
			phone = rapid.StringMatching(`3[0-9]{8,10}`).Draw(t, "mobile")
		}
		same(t, phone, written)
	})
	for _, phone := range []string{"+39000000", "+39000000000", "+39010000000", "+39393939393", "+39003912345", "+39390000000"} {
		same(t, phone, "")
	}
	for a := range 1000 { // every beginning of an Italian number
		begin := string([]byte{'0' + byte(a/100), '0' + byte(a/10%10), '0' + byte(a%10)})
		for _, rest := range []string{"123", "123456", "1234567", "00000000"} {
			same(t, "+39"+begin+rest, "")
		}
		same(t, begin+"1234567", "IT")
	}
}

func same(t interface{ Errorf(string, ...any) }, phone, country string) {
	fast, fastCode := Normalise(phone, country)
	slow, slowCode := parse(phone, country)
	if fast != slow || fastCode != slowCode {
		t.Errorf("%q in %q: shortcut gives %q %q, library %q %q", phone, country, fast.E164(), fastCode, slow.E164(), slowCode)
	}
}

// TestNormaliseProperties: what comes out has the promised form, and goes in
// again unchanged.
func TestNormaliseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		phone := rapid.OneOf(
			rapid.StringMatching(`\+?[0-9 ()/.-]{0,20}`),
			rapid.StringMatching(`\+(1|33|34|39|44|49|378|41)[0-9]{4,12}`),
			rapid.String(),
		).Draw(t, "phone")
		country := rapid.SampledFrom([]string{"", "IT", "SM", "FR", "DE", "GB", "US", "ZZ", "it"}).Draw(t, "country")
		p, code := Normalise(phone, country)
		if code != "" {
			if p != (events.Phone{}) || code != CodeInvalid && code != CodeCountryMissing {
				t.Fatalf("%q in %q: %v with code %q", phone, country, p, code)
			}
			return
		}
		e := p.E164()
		digits := strings.TrimPrefix(e, "+")
		if len(e) != len(digits)+1 || !allDigits(digits) || len(digits) < 8 || len(digits) > 15 || p.Line() == "" {
			t.Fatalf("%q in %q gives %q, line %q", phone, country, e, p.Line())
		}
		if again, code := Normalise(e, ""); again != p || code != "" {
			t.Fatalf("%q in %q gives %q, and that gives %q %q", phone, country, e, again.E164(), code)
		}
	})
}

func BenchmarkNormalise(b *testing.B) {
	for _, c := range []struct{ name, phone, country string }{
		{"italian E.164", "+393401234567", ""}, {"italian national", "3401234567", "IT"}, {"foreign", "+442079460958", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Normalise(c.phone, c.country)
			}
		})
	}
}

// A number whose E.164 form would be read as another number is none.
func TestANumberIsReadAsItself(t *testing.T) {
	for _, phone := range []string{"+1110000000000", "+11110000000000"} {
		if p, code := Normalise(phone, ""); code != CodeInvalid {
			t.Errorf("%q gives %q, code %q; want %s", phone, p.E164(), code, CodeInvalid)
		}
	}
}
