package client

import (
	"strings"

	"github.com/assenso/assenso/events"
)

// FormOfNumber is an events.Normaliser that judges the form of a number and
// nothing else: it refuses what no ledger takes and leaves the rest to the
// ledger, which knows the numbering plans. The number comes back as written.
func FormOfNumber(phone, country string) (events.Phone, string) {
	digits := 0
	phone = strings.TrimSpace(phone)
	for i := range len(phone) {
		switch c := phone[i]; {
		case c >= '0' && c <= '9':
			digits++
		case strings.IndexByte(" -.()/", c) >= 0, c == '+' && i == 0:
		default:
			return events.Phone{}, "phone_invalid"
		}
	}
	if digits == 0 {
		return events.Phone{}, "phone_invalid"
	}
	if phone[0] != '+' && country == "" {
		return events.Phone{}, "country_missing"
	}
	return events.NewPhone(phone, ""), ""
}

// digitsOf packs an E.164 number into an integer; 0 for what is none.
func digitsOf(e164 string) uint64 {
	if len(e164) < 9 || len(e164) > 16 || e164[0] != '+' || e164[1] == '0' {
		return 0
	}
	var n uint64
	for i := 1; i < len(e164); i++ {
		c := e164[i]
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}
