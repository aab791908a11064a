package listfile

import (
	"bufio"
	"fmt"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/numbers"
)

// Plan says which numbers of a list need another answer of the register before
// a date, so that the next consultation can be ordered.
type Plan struct {
	// Before is the date on which the answers are to be valid still.
	Before events.Date `json:"before"`
	// Submit is the file of numbers to submit; "" = none. It holds one number a
	// line in national format, digits only, without a header, each number once:
	// the form that the register is assumed to take.
	Submit string `json:"submit,omitempty"`
	// SkipBlocked leaves out the numbers that another answer would not free:
	// those that a rule blocks which does not ask for a consultation.
	SkipBlocked bool `json:"skip_blocked,omitempty"`

	Missing  int `json:"missing"`  // no valid answer
	Expiring int `json:"expiring"` // the last day of the answer lies before the date
	Later    int `json:"later"`    // valid on the date
	// NotNeeded need no answer: an exempt contact, a channel without register.
	NotNeeded  int `json:"not_needed"`
	Skipped    int `json:"skipped"`    // missing or expiring, and blocked otherwise
	Foreign    int `json:"foreign"`    // missing or expiring, and no Italian number: the register has none
	Unreadable int `json:"unreadable"` // no number to submit: an unreadable one, a contact key
	Submitted  int `json:"submitted"`  // different numbers in the file
	// Days are the answers that expire before the date, by their last day.
	Days []ExpiryDay `json:"days"`

	file  *bufio.Writer
	taken map[string]bool
	days  map[events.Date]int
}

// ExpiryDay is how many answers have a day for their last.
type ExpiryDay struct {
	Day   events.Date `json:"day"`
	Count int         `json:"count"`
}

func (p *Plan) begin() {
	p.taken, p.days = map[string]bool{}, map[events.Date]int{}
	p.Days = []ExpiryDay{}
}

// consults are the rules that another answer of the register satisfies.
var consults = []string{"IT-RPO-02", "IT-RPO-03", "IT-RPO-09", "IT-RPO-11"}

// add sorts one answer in.
func (p *Plan) add(r *row, country string, a *answer) error {
	missing, otherwise := false, false
	for _, why := range a.Reasons {
		if why.Effect != events.VerdictBlock {
			continue
		}
		missing = missing || why.Rule == "IT-RPO-02" || why.Rule == "IT-RPO-09"
		otherwise = otherwise || !slices.Contains(consults, why.Rule)
	}
	switch {
	case a.Contact == "":
		p.Unreadable++
		return nil
	case a.RegisterUntil != "":
		until, err := events.ParseInstant(a.RegisterUntil)
		if err != nil {
			return fmt.Errorf("plan consultation: %w", err)
		}
		if until > p.Before.In(events.Rome) {
			p.Later++
			return nil
		}
		p.Expiring++
		p.expires(events.DateOf(until-1, events.Rome))
	case missing:
		p.Missing++
	default:
		p.NotNeeded++
		return nil
	}
	if otherwise && p.SkipBlocked {
		p.Skipped++
		return nil
	}
	return p.submit(r, country, a.Contact)
}

// expires counts an answer by its last day.
func (p *Plan) expires(day events.Date) {
	p.days[day]++
	i, found := slices.BinarySearchFunc(p.Days, day, func(d ExpiryDay, day events.Date) int { return int(d.Day) - int(day) })
	if !found {
		p.Days = slices.Insert(p.Days, i, ExpiryDay{Day: day})
	}
	p.Days[i].Count = p.days[day]
}

// submit writes the number of a row, once.
func (p *Plan) submit(r *row, country, contact string) error {
	if r.line.Country != "" {
		country = r.line.Country
	}
	phone, code := numbers.Normalise(r.line.Number, country)
	if code != "" {
		p.Unreadable++
		return nil
	}
	national, italian := strings.CutPrefix(phone.E164(), "+39")
	if !italian {
		p.Foreign++
		return nil
	}
	if p.taken[contact] {
		return nil
	}
	p.taken[contact] = true
	p.Submitted++
	if p.file == nil {
		return nil
	}
	if _, err := p.file.WriteString(national + "\n"); err != nil {
		return fmt.Errorf("write numbers to submit: %w", err)
	}
	return nil
}
