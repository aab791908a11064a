package gateway

import (
	"encoding/json"
	"strings"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake"
)

// CheckEnvelope is the least Checker: it judges the form and the envelope of a
// submission that no recorder takes. What is routed to a recorder is judged
// completely there.
func CheckEnvelope(raw []byte, _ events.Instant) (Envelope, []events.Fault) {
	var members map[string]json.RawMessage
	if len(raw) > intake.MaxBody || json.Unmarshal(raw, &members) != nil || members == nil {
		return Envelope{}, []events.Fault{{Code: "json_invalid", Hint: "send one JSON object of at most 256 KiB"}}
	}
	env := Envelope{Source: text(members["source"]), ID: text(members["id"]), Type: events.Type(text(members["type"]))}
	env.Family = env.Type.Family()
	var faults []events.Fault
	missing := func(name string) {
		if text(members[name]) == "" {
			faults = append(faults, events.Fault{Code: name + "_missing", Field: name, Hint: "give " + name + " as a string that is not empty"})
		}
	}
	if text(members["specversion"]) != "1.0" {
		faults = append(faults, events.Fault{Code: "specversion_unsupported", Field: "specversion", Hint: "write 1.0"})
	}
	missing("id")
	missing("source")
	missing("type")
	missing("time")
	if env.Type != "" && env.Family == "" {
		faults = append(faults, typeFault(env.Type))
	}
	return env, faults
}

// typeFault tells an unknown type from an unknown version of a known one.
func typeFault(t events.Type) events.Fault {
	if i := strings.LastIndex(string(t), ".v"); i > 0 && events.Type(string(t)[:i]+".v1").Family() != "" {
		return events.Fault{Code: "version_unsupported", Field: "type", Hint: "this recorder takes major version 1: use the type with .v1"}
	}
	return events.Fault{Code: "type_unknown", Field: "type", Hint: "use a type of the contract, see events.md 1.3"}
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
