package demo

import (
	"cmp"
	"slices"
	"strings"

	"github.com/assenso/assenso/events"
)

// ManifestName is the name of the manifest among the files.
const ManifestName = "manifest.json"

// Manifest says what the files hold and what a report must find in them.
type Manifest struct {
	Seed     uint64      `json:"seed"`
	Contacts int         `json:"contacts"`
	Day      events.Date `json:"day"`
	// Files in the order of import.
	Files []File `json:"files"`
	// Events is how many events the ledger must hold afterwards: rows less
	// duplicates and rejects.
	Events   int `json:"events"`
	Attempts int `json:"attempts"`
	// Findings are the planted violations: of attempts, and of objects.
	Findings []Finding `json:"findings"`
	Objects  []Finding `json:"objects"`
	// Apart are the findings of LED-* and AGT-*, but for LED-01.
	Apart []Finding `json:"apart"`
}

// File is one file to import.
type File struct {
	Name       string `json:"name"`
	Mapping    string `json:"mapping,omitempty"` // absent: raw submissions
	Rows       int    `json:"rows"`
	Duplicates int    `json:"duplicates,omitempty"` // rows that are in the ledger already
	Conflicts  int    `json:"conflicts,omitempty"`  // rows whose identity is, with other contents
	Rejected   int    `json:"rejected,omitempty"`   // rows that must be refused
	Note       string `json:"note"`
}

// Finding is a rule that an attempt or an object breaks.
type Finding struct {
	Rule       string      `json:"rule"`
	Kind       events.Kind `json:"kind"`
	Controller string      `json:"controller,omitempty"`
	Campaign   string      `json:"campaign,omitempty"`
	Attempt    string      `json:"attempt,omitempty"`
	Object     string      `json:"object,omitempty"`
}

// apart reports whether f is compared apart from the planted violations.
func (f Finding) apart() bool {
	return strings.HasPrefix(f.Rule, "LED-") || strings.HasPrefix(f.Rule, "AGT-")
}

// key leaves out what follows from the attempt or object.
func (f Finding) key() Finding {
	f.Controller, f.Campaign = "", ""
	return f
}

// Compare compares what was found with what was planted: Findings and Objects,
// without LED-* and AGT-*. A finding is compared by rule, kind and attempt or
// object; found once or twice is the same. Both results are sorted.
func Compare(m Manifest, found []Finding) (missing, unexpected []Finding) {
	return compare(slices.Concat(m.Findings, m.Objects), found, func(f Finding) bool { return !f.apart() })
}

// CompareAttempts is Compare for the findings of attempts alone.
func CompareAttempts(m Manifest, found []Finding) (missing, unexpected []Finding) {
	return compare(m.Findings, found, func(f Finding) bool { return !f.apart() && f.Attempt != "" })
}

// CompareApart compares LED-* and AGT-*, without LED-01, in the same way.
func CompareApart(m Manifest, found []Finding) (missing, unexpected []Finding) {
	return compare(m.Apart, found, func(f Finding) bool { return f.apart() && f.Rule != "LED-01" })
}

func compare(want, found []Finding, counts func(Finding) bool) (missing, unexpected []Finding) {
	planted, seen := map[Finding]bool{}, map[Finding]bool{}
	for _, f := range want {
		planted[f.key()] = true
	}
	for _, f := range found {
		if k := f.key(); counts(f) && !seen[k] {
			seen[k] = true
			if !planted[k] {
				unexpected = append(unexpected, f)
			}
		}
	}
	for _, f := range want {
		if !seen[f.key()] {
			missing = append(missing, f)
		}
	}
	sortFindings(missing)
	sortFindings(unexpected)
	return missing, unexpected
}

func sortFindings(list []Finding) {
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Campaign, b.Campaign), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Kind, b.Kind))
	})
}
