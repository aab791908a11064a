// Package it is the Italian rule pack: the law as dated data. The files are
// read by services/rules; a new law is a new dated value, never a change of an
// old one, so that a call of last year is judged by last year's pack.
package it

import "embed"

// Files holds parameters.yaml (numbers and dates), calendar.yaml (holidays,
// member states) and catalogue.yaml (the rules in words).
//
//go:embed *.yaml
var Files embed.FS
