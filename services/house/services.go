package house

import (
	"slices"

	"github.com/assenso/assenso/events"
)

// Services lists what `serve --only` can run, in the order of the flow.
var Services = []string{
	ServiceGateway,
	RecorderOf(events.FamilyGrants), RecorderOf(events.FamilyRevocations), RecorderOf(events.FamilyOppositions),
	RecorderOf(events.FamilyOutcomes), RecorderOf(events.FamilyCampaigns),
	ServiceConsentState, ServiceViolations, ServiceGate, ServiceFeed, ServiceFastAGI, ServiceSIP,
}

// Names of services.
const (
	ServiceGateway      = "gateway"
	ServiceConsentState = "projection.consentstate"
	ServiceViolations   = "projection.violations"
	ServiceGate         = "gate"
	ServiceFeed         = "feed"
	ServiceFastAGI      = "pbx.fastagi" // off without pbx.fastagi.listen
	ServiceSIP          = "pbx.sip"     // off without pbx.sip.listen
)

// RecorderOf returns the service name of a family's recorder.
func RecorderOf(f events.Family) string { return "recorder." + string(f) }

// Runs reports whether the configuration runs a service.
func (c *Config) Runs(service string) bool {
	return len(c.Only) == 0 || slices.Contains(c.Only, service)
}
