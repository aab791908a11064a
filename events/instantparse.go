package events

// Bounds of RFC 3339's years in UTC.
const (
	minInstant Instant = (-719528*86400)*1_000_000 + unixOffset // 0000-01-01T00:00:00Z
	endInstant Instant = (2932897*86400)*1_000_000 + unixOffset // 10000-01-01T00:00:00Z
)

// parseInstant is ParseInstant without allocation: a record bears up to ten
// instants and every projection reads them all.
func parseInstant[T string | []byte](s T) (Instant, error) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, ErrInstant
	}
	days, ok := civilDays(s)
	hour, minute, second := digits(s, 11, 2), digits(s, 14, 2), digits(s, 17, 2)
	if !ok || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return 0, ErrInstant
	}
	micros, pos := fraction(s, 19)
	offset, ok := zone(s, pos)
	if !ok {
		return 0, ErrInstant
	}
	seconds := int64(days)*86400 + int64(hour*3600+minute*60+second-offset)
	i := Instant(seconds*1_000_000+int64(micros)) + unixOffset
	if i == 0 || i < minInstant || i >= endInstant {
		return 0, ErrInstant
	}
	return i, nil
}

// parseDate is ParseDate without allocation.
func parseDate[T string | []byte](s T) (Date, error) {
	if len(s) != len("2006-01-02") {
		return 0, ErrDate
	}
	days, ok := civilDays(s)
	if d := Date(days + 719163); ok && d > 0 {
		return d, nil
	}
	return 0, ErrDate
}

// digits reads n decimal digits at pos; -1 when one is none. The caller knows
// that s is long enough.
func digits[T string | []byte](s T, pos, n int) int {
	v := 0
	for i := pos; i < pos+n; i++ {
		c := s[i]
		if c < '0' || c > '9' {
			return -1
		}
		v = v*10 + int(c-'0')
	}
	return v
}

// civilDays reads the date at the head of s (at least ten bytes) as days since
// 1970-01-01, with the calendar's usual shift of the year to March.
func civilDays[T string | []byte](s T) (days int, ok bool) {
	y, m, d := digits(s, 0, 4), digits(s, 5, 2), digits(s, 8, 2)
	if s[4] != '-' || s[7] != '-' || y < 0 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return 0, false
	}
	if m <= 2 {
		y--
		m += 12
	}
	y += 400 // one whole cycle keeps year 0000 positive
	return 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 1 - 719468 - 146097, true
}

func daysIn(y, m int) int {
	switch {
	case m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0):
		return 29
	case m == 2:
		return 28
	case m == 4 || m == 6 || m == 9 || m == 11:
		return 30
	}
	return 31
}

// fraction reads an optional fraction of a second at pos and returns it in
// microseconds with the position behind it. A point without digits is left
// where it stands, and so refused as a zone.
func fraction[T string | []byte](s T, pos int) (micros, end int) {
	if pos+1 >= len(s) || s[pos] != '.' || s[pos+1] < '0' || s[pos+1] > '9' {
		return 0, pos
	}
	end = pos + 1
	for scale := 100_000; end < len(s) && s[end] >= '0' && s[end] <= '9'; end++ {
		micros += int(s[end]-'0') * scale
		scale /= 10
	}
	return micros, end
}

// zone reads Z or an offset that ends s, in seconds east of UTC.
func zone[T string | []byte](s T, pos int) (offset int, ok bool) {
	if len(s) == pos+1 {
		return 0, s[pos] == 'Z'
	}
	if len(s) != pos+len("+01:00") || (s[pos] != '+' && s[pos] != '-') || s[pos+3] != ':' {
		return 0, false
	}
	hour, minute := digits(s, pos+1, 2), digits(s, pos+4, 2)
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false
	}
	offset = hour*3600 + minute*60
	if s[pos] == '-' {
		offset = -offset
	}
	return offset, true
}
