package events

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxID bounds the id of an event, in characters.
const maxID = 128

func (v *validation) envelope() {
	if sv, ok := v.env["specversion"].(string); !ok || sv != "1.0" {
		v.fault("specversion_unsupported", "specversion", `send "1.0"`)
	}
	v.s.ID = v.text("id", "id_missing", "id_invalid", maxID)
	v.s.Source = v.text("source", "source_missing", "source_invalid", 256)
	if v.s.Source != "" && !validSource(v.s.Source) {
		v.fault("source_invalid", "source", "send a URI-reference without spaces")
	}
	v.typeName()
	v.s.Time = v.envInstant("time", true)
	v.s.Received = v.envInstant("receivedtime", false)
	v.clocks()
	v.controller()
	v.campaign()
	v.sequence()
	v.personalEnvelope()
	v.typeAndFamily()
}

// text reads a required string attribute of the envelope.
func (v *validation) text(name, missing, invalid string, limit int) string {
	raw, ok := v.env[name]
	if !ok || raw == nil || raw == "" {
		v.fault(missing, name, "send "+name+", unique and stable")
		return ""
	}
	s, ok := raw.(string)
	if !ok {
		v.fault("field_type", name, "send a string")
		return ""
	}
	if utf8.RuneCountInString(s) > limit || strings.ContainsFunc(s, isControl) {
		v.fault(invalid, name, fmt.Sprintf("send 1 to %d characters without control characters", limit))
		return ""
	}
	return s
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xFFFD }

// validSource reports whether s is a URI-reference (RFC 3986: ASCII only).
func validSource(s string) bool {
	_, err := url.Parse(s)
	foreign := func(r rune) bool { return r > 0x7e }
	return err == nil && !strings.ContainsAny(s, " <>\"{}|\\^`") && !strings.ContainsFunc(s, foreign)
}

var typeForm = regexp.MustCompile(`^(.+)\.v[0-9]+$`)

// typeName reads the type, on which the demands of the envelope depend.
func (v *validation) typeName() {
	raw, ok := v.env["type"]
	if !ok || raw == nil || raw == "" {
		v.fault("type_missing", "type", "send type, such as consent.granted.v1")
		return
	}
	name, ok := raw.(string)
	if !ok {
		v.fault("field_type", "type", "send a string")
		return
	}
	v.s.Type = Type(name)
	v.lenient = v.s.Type.Lenient()
	v.info, _ = v.s.Type.Info()
}

// typeAndFamily judges the type that typeName read.
func (v *validation) typeAndFamily() {
	name := string(v.s.Type)
	switch m := typeForm.FindStringSubmatch(name); {
	case name == "":
	case v.info != nil:
		if v.opts.Family != "" && v.info.Family != v.opts.Family {
			v.fault("family_mismatch", "type", "send this type to the recorder of "+string(v.info.Family))
		}
	case m != nil && Type(m[1]+".v1").Family() != "":
		v.fault("version_unsupported", "type", "this ledger records version v1 of the type")
	default:
		v.fault("type_unknown", "type", "send a type of the contract, see schemas/events")
	}
}

func (v *validation) envInstant(name string, required bool) Instant {
	raw, ok := v.env[name]
	if !ok || raw == nil || raw == "" {
		if required {
			v.fault("time_missing", name, "send the legal time of the fact, RFC 3339 with offset")
		}
		return 0
	}
	s, ok := raw.(string)
	if ok {
		if i, err := ParseInstant(s); err == nil {
			return i
		}
	}
	switch {
	case v.lenient && !required:
		v.drop(name)
	case !ok:
		v.fault("field_type", name, "send a string")
	default:
		v.fault("time_invalid", name, "send RFC 3339 with offset, such as 2026-01-10T12:00:00+01:00")
	}
	return 0
}

func (v *validation) clocks() {
	s := v.s
	if s.Received != 0 && s.Time != 0 && s.Received < s.Time {
		if v.lenient {
			v.drop("receivedtime")
			s.Received = 0
		} else {
			v.fault("received_before_time", "receivedtime", "nobody knows of a fact before it happens: send a later receivedtime, or none")
		}
	}
	if v.opts.Now == 0 {
		return
	}
	limit := v.opts.Now.Add(MaxAhead)
	for _, c := range []struct {
		name string
		at   Instant
	}{{"time", s.Time}, {"receivedtime", s.Received}} {
		if c.at <= limit {
			continue
		}
		if v.lenient {
			s.Future = true
			v.drop("time")
			continue
		}
		v.fault("time_in_future", c.name, "lies more than 15 minutes ahead of the ledger's clock: check the source's clock")
	}
}

var controllerForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// IsName reports whether s may name a controller or a processor: the form of
// events.md 1, and no personal data.
func IsName(s string) bool { return controllerForm.MatchString(s) && !personal(s) }

func (v *validation) controller() {
	raw := v.env["controller"]
	if raw == nil || raw == "" {
		if v.info != nil && v.info.Controller == Required {
			v.fault("controller_missing", "controller", "send the controller whom the fact concerns")
		}
		return
	}
	s, ok := raw.(string)
	if !ok {
		v.fault("field_type", "controller", "send a string")
		return
	}
	if !controllerForm.MatchString(s) {
		v.fault("controller_invalid", "controller", "send 1 to 64 of A-Z a-z 0-9 . _ - beginning with a letter or digit")
		return
	}
	v.s.Controller = s
}

func (v *validation) campaign() {
	raw := v.env["campaign"]
	if raw == nil || raw == "" {
		if v.info != nil && v.info.Campaign == Required {
			v.fault("campaign_missing", "campaign", "send the campaign id")
		}
		return
	}
	s, ok := raw.(string)
	switch {
	case ok && utf8.RuneCountInString(s) <= 64 && !strings.ContainsFunc(s, isControl):
		v.s.Campaign = s
	case v.lenient:
		v.drop("campaign")
	default:
		v.fault("field_type", "campaign", "send a string of 1 to 64 characters")
	}
}

func (v *validation) sequence() {
	raw := v.env["sourceseq"]
	if raw == nil {
		return
	}
	if i, ok := wholeNumber(raw); ok && i >= 1 {
		v.s.SourceSeq = i
		return
	}
	if v.lenient {
		v.drop("sourceseq")
		return
	}
	v.fault("sequence_invalid", "sourceseq", "send a whole number from 1 on")
}

func (v *validation) personalEnvelope() {
	for _, a := range []struct{ name, value string }{{"id", v.s.ID}, {"source", v.s.Source}, {"campaign", v.s.Campaign}, {"controller", v.s.Controller}} {
		if personal(a.value) {
			v.fault("personal_data_in_log", a.name, "personal data belong under data.evidence only")
		}
	}
}
