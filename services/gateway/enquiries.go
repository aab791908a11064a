package gateway

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/rules"
)

// Enquiries answers the longer questions, each as of a ledger time or (zero)
// the latest possible. The errors are those of inquiry.Desk.Final and of the
// ports.
type Enquiries interface {
	// WhatIf replays past attempts under a draft of rule parameters. An error
	// about the draft is a *rules.PackError.
	WhatIf(ctx context.Context, draft string, q inquiry.WhatIfQuestion, asOf inquiry.AsOf) (inquiry.WhatIf, error)
	// Origin follows a contract to the consent behind it.
	Origin(ctx context.Context, controller, contract string, asOf inquiry.AsOf) (inquiry.Origin, error)
	// CaseFile gathers what is known of a complaint.
	CaseFile(ctx context.Context, q inquiry.CaseQuestion, asOf inquiry.AsOf) (inquiry.Case, error)
}

// WhatIfRequest asks what a draft pack would have changed.
type WhatIfRequest struct {
	Pack       string `json:"pack" minLength:"1" maxLength:"49152" doc:"a parameters file (YAML) that names the values to change"`
	Campaign   string `json:"campaign" minLength:"1" maxLength:"64"`
	Controller string `json:"controller,omitempty" maxLength:"64" doc:"needed when several controllers have a campaign of this id"`
	From       string `json:"from,omitempty" doc:"attempts dialled from then on: RFC 3339, or a date, which begins at midnight in Rome"`
	To         string `json:"to,omitempty" doc:"attempts dialled before then: RFC 3339, or a date"`
	AsOf       string `json:"as_of,omitempty" doc:"ledger time of the findings: RFC 3339, or positions; default the latest possible"`
	Limit      int    `json:"limit,omitempty" minimum:"0" maximum:"10000" default:"100" doc:"how many changed attempts are listed"`
}

// CaseRequest opens the case file of a complaint. The number is read here and
// forgotten.
type CaseRequest struct {
	Number    string `json:"number,omitempty" maxLength:"32" doc:"E.164, or national format with country"`
	Country   string `json:"country,omitempty" maxLength:"2" doc:"ISO 3166-1 alpha-2, for a number in national format"`
	Contact   string `json:"contact,omitempty" maxLength:"32" doc:"contact key, instead of a number"`
	ClaimedAt string `json:"claimed_at,omitempty" doc:"RFC 3339: when the call is said to have been; default every attempt"`
	Hours     int    `json:"hours,omitempty" minimum:"0" maximum:"8784" default:"12" doc:"how many hours an attempt may lie from claimed_at"`
	CLI       string `json:"cli,omitempty" maxLength:"16" doc:"caller number that is said to have been shown"`
	AsOf      string `json:"as_of,omitempty" doc:"recorded by then: RFC 3339, or positions; default the latest possible"`
}

type originPath struct {
	ID         string `path:"id" maxLength:"128" doc:"contract id"`
	Controller string `query:"controller" maxLength:"64" doc:"needed when several controllers have a contract of this id"`
	AsOf       string `query:"as_of" doc:"recorded by then: RFC 3339, or positions; default the latest possible"`
}

// enquiryRoutes registers the longer questions.
func (g *Gateway) enquiryRoutes() {
	register(g, huma.Operation{OperationID: "whatIf", Method: http.MethodPost, Path: "/v1/whatif", Tags: []string{"campaigns"}, Summary: "What would a draft of the rules have changed?",
		Description: "Replays past attempts of a campaign under a draft of rule parameters and tells which verdicts and findings change, by rule and by attempt. Nothing is recorded."}, g.whatIf)
	register(g, huma.Operation{OperationID: "traceContract", Method: http.MethodGet, Path: "/v1/contracts/{id}/origin", Tags: []string{"campaigns"}, Summary: "Where does a contract come from?",
		Description: "The chain contract, call, operator, campaign, list, consent; the first missing link is named, and whether the commission must not be paid."},
		func(ctx context.Context, in *originPath) (inquiry.Origin, error) {
			asOf, err := asOfParam(in.AsOf)
			if err != nil {
				return inquiry.Origin{}, err
			}
			return g.cfg.Enquiries.Origin(ctx, in.Controller, in.ID, asOf)
		})
	register(g, huma.Operation{OperationID: "openCase", Method: http.MethodPost, Path: "/v1/cases:open", Tags: []string{"contacts"}, Summary: "Open the case file of a complaint",
		Description: "Every attempt to the number around the claimed instant, by any controller: what the gate said, what was known, the findings. When no attempt bears the claimed caller number: who declared it, or that nobody did."}, g.openCase)
}

func asOfParam(s string) (inquiry.AsOf, error) {
	a, err := inquiry.ParseAsOf(s)
	if err != nil {
		return a, badParam("as_of", "write an RFC 3339 instant with offset, or positions as LEDGER_00:12,LEDGER_REF:7")
	}
	return a, nil
}

func (g *Gateway) whatIf(ctx context.Context, in *struct{ Body WhatIfRequest }) (inquiry.WhatIf, error) {
	q := inquiry.WhatIfQuestion{Limit: in.Body.Limit}
	var err error
	if q.From, err = momentParam("from", in.Body.From); err != nil {
		return inquiry.WhatIf{}, err
	}
	if q.To, err = momentParam("to", in.Body.To); err != nil {
		return inquiry.WhatIf{}, err
	}
	asOf, err := asOfParam(in.Body.AsOf)
	if err != nil {
		return inquiry.WhatIf{}, err
	}
	if q.Campaign, err = g.cfg.Desk.Resolve(ctx, in.Body.Controller, in.Body.Campaign); err != nil {
		return inquiry.WhatIf{}, err
	}
	answer, err := g.cfg.Enquiries.WhatIf(ctx, in.Body.Pack, q, asOf)
	if draft := draftFaults(err); len(draft) > 0 {
		p := problem(http.StatusUnprocessableEntity, "draft-invalid", "the draft pack cannot be used", "mend the lines named and ask again")
		p.Errors = draft
		return inquiry.WhatIf{}, p
	}
	return answer, err
}

// momentParam reads an instant, or a civil date, which stands for its midnight
// in Rome.
func momentParam(name, value string) (events.Instant, error) {
	if day, err := events.ParseDate(value); err == nil {
		return day.In(events.Rome), nil
	}
	i, err := instantParam(name, value)
	if err != nil {
		return 0, badParam(name, "write an RFC 3339 instant with offset, or a date as 2026-03-01")
	}
	return i, nil
}

// draftFaults lists what is wrong with a draft, line by line.
func draftFaults(err error) []events.Fault {
	var one *rules.PackError
	if errors.As(err, &one) {
		var many interface{ Unwrap() []error }
		if errors.As(err, &many) {
			var out []events.Fault
			for _, e := range many.Unwrap() {
				out = append(out, draftFaults(e)...)
			}
			return out
		}
		return []events.Fault{{Code: "request_invalid", Field: "pack", Hint: one.Error()}}
	}
	return nil
}

func (g *Gateway) openCase(ctx context.Context, in *struct{ Body CaseRequest }) (inquiry.Case, error) {
	key, err := g.contactOf(in.Body.Contact, in.Body.Number, in.Body.Country)
	if err != nil {
		return inquiry.Case{}, err
	}
	at, err := instantParam("claimed_at", in.Body.ClaimedAt)
	if err != nil {
		return inquiry.Case{}, err
	}
	asOf, err := asOfParam(in.Body.AsOf)
	if err != nil {
		return inquiry.Case{}, err
	}
	const hour = events.Instant(3600 * 1_000_000)
	return g.cfg.Enquiries.CaseFile(ctx, inquiry.CaseQuestion{Contact: key, ClaimedAt: at, Around: events.Instant(in.Body.Hours) * hour, CLI: in.Body.CLI}, asOf)
}
