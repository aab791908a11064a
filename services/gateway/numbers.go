package gateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/access"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/view"
)

// Numbers knows the number of a contact in E.164, or ErrUnknown when it was
// forgotten.
type Numbers func(ctx context.Context, key events.ContactKey) (string, error)

// NumbersRequest asks for the numbers behind the contact keys of a report.
type NumbersRequest struct {
	Controller string `json:"controller,omitempty" maxLength:"64" doc:"needed when several controllers have a campaign of this id"`
	AsOf       string `json:"as_of,omitempty" doc:"that of the report: RFC 3339, or positions; default the latest possible"`
	Reason     string `json:"reason" minLength:"3" maxLength:"256" doc:"why they are needed; recorded, so write no number and no name"`
}

// ReportNumbers are the numbers behind the contact keys of a report.
type ReportNumbers struct {
	Controller string `json:"controller"`
	Campaign   string `json:"campaign"`
	// Exercised is the access.exercised event that says who saw them and why.
	Exercised events.Identity `json:"exercised"`
	Numbers   []ReportNumber  `json:"numbers"`
	Forgotten int             `json:"forgotten" doc:"contacts of which the number was erased"`
}

// ReportNumber is one contact and its number.
type ReportNumber struct {
	Contact events.ContactKey `json:"contact"`
	Number  string            `json:"number" doc:"E.164"`
}

type actorKey struct{}

// actorOf is who asks, as the access policy told.
func actorOf(ctx context.Context) access.Actor {
	a, _ := ctx.Value(actorKey{}).(access.Actor)
	return a
}

// gatewaySource is the source of the events that the gateway itself publishes.
const gatewaySource = "gateway"

// numberRoutes registers the numbers behind a report.
func (g *Gateway) numberRoutes() {
	register(g, huma.Operation{OperationID: "revealReportNumbers", Method: http.MethodPost, Path: "/v1/campaigns/{id}/report:numbers", Tags: []string{"campaigns"}, Summary: "Numbers behind the contact keys of a report",
		Description: "Reports bear contact keys. The roles officer and admin may see the numbers of the contacts that a report names in findings and contracts. That they were seen, by whom and why is recorded first, as access.exercised; without that record no number is given."},
		func(ctx context.Context, in *struct {
			ID   string `path:"id" maxLength:"64"`
			Body NumbersRequest
		}) (ReportNumbers, error) {
			if !actorOf(ctx).Role.SeesNumbers() {
				return ReportNumbers{}, problem(http.StatusForbidden, "not-permitted", "numbers are not for this role", "ask with a key of the role officer or admin")
			}
			if looksLikeNumber(in.Body.Reason) {
				return ReportNumbers{}, badParam("reason", "write the reason without a phone number: it is recorded for ever")
			}
			asOf, err := asOfParam(in.Body.AsOf)
			if err != nil {
				return ReportNumbers{}, err
			}
			campaign, err := g.cfg.Desk.Resolve(ctx, in.Body.Controller, in.ID)
			if err != nil {
				return ReportNumbers{}, err
			}
			return g.reveal(ctx, campaign, asOf, in.Body.Reason)
		})
}

// looksLikeNumber reports whether a text holds nine digits in a row, blanks and
// hyphens left out.
func looksLikeNumber(s string) bool {
	run := 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			if run++; run == 9 {
				return true
			}
		case r == ' ' || r == '-' || r == '.':
		default:
			run = 0
		}
	}
	return false
}

func (g *Gateway) reveal(ctx context.Context, c view.CampaignRef, asOf inquiry.AsOf, reason string) (ReportNumbers, error) {
	built, err := g.cfg.Reports.Build(ctx, c, asOf, 0)
	if err != nil {
		return ReportNumbers{}, err
	}
	out := ReportNumbers{Controller: c.Controller, Campaign: c.Campaign, Numbers: []ReportNumber{}}
	if out.Exercised, err = g.exercised(ctx, c, reason); err != nil {
		return ReportNumbers{}, err
	}
	for _, key := range built.Contacts() {
		number, err := g.cfg.Numbers(ctx, key)
		switch {
		case errors.Is(err, ErrUnknown):
			out.Forgotten++
		case err != nil:
			return ReportNumbers{}, err
		default:
			out.Numbers = append(out.Numbers, ReportNumber{key, number})
		}
	}
	return out, nil
}

// exercised submits access.exercised and returns once it is on disk.
func (g *Gateway) exercised(ctx context.Context, c view.CampaignRef, reason string) (events.Identity, error) {
	id := events.Identity{Source: gatewaySource, ID: "access-" + rand.Text()}
	raw, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": id.ID, "source": id.Source, "type": events.TypeAccessExercised, "time": g.cfg.Clock(), "controller": c.Controller,
		"data": events.AccessExercised{Act: "report.numbers", Actor: actorOf(ctx).ID, Object: "report of " + c.Campaign, Reason: reason},
	})
	if err != nil {
		return id, fmt.Errorf("gateway encode access event: %w", err)
	}
	p := g.door.send(ctx, 0, [][]byte{raw}, "")
	if p.fault != nil {
		return id, p.fault
	}
	g.door.finish(ctx, p, g.cfg.ReceiptWait)
	g.count(p.items)
	switch item := p.items[0]; item.Result {
	case Recorded, Duplicate, Accepted:
		return id, nil
	default:
		problem := problem(http.StatusUnprocessableEntity, "access-not-recorded", "the access could not be recorded, so no number is given", "mend what is named and ask again")
		problem.Errors = item.Errors
		return id, problem
	}
}
