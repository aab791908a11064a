package gateway

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/inquiry"
)

// body wraps an answer for huma.
type body[T any] struct {
	CacheControl string `header:"Cache-Control"`
	Body         T
}

func answer[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{CacheControl: "no-store", Body: v}, nil
}

// failures lists the statuses a question may be answered with.
var failures = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable}

// register adds a typed route. Its errors pass the one problem table; those
// that the table does not know are logged under the request's id.
func register[I, O any](g *Gateway, op huma.Operation, handle func(ctx context.Context, in *I) (O, error)) {
	op.Errors = failures
	op.MaxBodyBytes = 64 << 10
	huma.Register(g.api, op, func(ctx context.Context, in *I) (*body[O], error) {
		v, err := answer(handle(ctx, in))
		if err != nil {
			return nil, g.failed(ctx, err)
		}
		return v, nil
	})
}

// failed maps an error to its problem and logs what the problem hides.
func (g *Gateway) failed(ctx context.Context, err error) *Problem {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError {
		g.log.Warn("gateway: request failed", requestField(ctx), errorField(err))
	}
	return p
}

// CutQuery are the three clocks of a read.
type CutQuery struct {
	At        string `query:"at" doc:"legal time, RFC 3339; default known_as_of"`
	KnownAsOf string `query:"known_as_of" doc:"known to the controller or one of its processors by then; default as_of"`
	AsOf      string `query:"as_of" doc:"recorded by then: RFC 3339, or positions as LEDGER_00:12,LEDGER_REF:7; default the latest"`
}

func (q *CutQuery) cutoffs() (inquiry.Cutoffs, error) {
	var c inquiry.Cutoffs
	var err error
	if c.At, err = instantParam("at", q.At); err != nil {
		return c, err
	}
	if c.Known, err = instantParam("known_as_of", q.KnownAsOf); err != nil {
		return c, err
	}
	if c.AsOf, err = inquiry.ParseAsOf(q.AsOf); err != nil {
		return c, badParam("as_of", "write an RFC 3339 instant with offset, or positions as LEDGER_00:12,LEDGER_REF:7")
	}
	return c, nil
}

func instantParam(name, value string) (events.Instant, error) {
	if value == "" {
		return 0, nil
	}
	i, err := events.ParseInstant(value)
	if err != nil {
		return 0, badParam(name, "write an RFC 3339 instant with offset")
	}
	return i, nil
}

func badParam(name, hint string) *Problem {
	p := problem(http.StatusBadRequest, "bad-request", "the request cannot be understood", "")
	p.Errors = []events.Fault{{Code: "request_invalid", Field: name, Hint: hint}}
	return p
}

type contactPath struct {
	Key string `path:"key" doc:"contact key: 32 lower-case hex digits"`
	CutQuery
}

func (in *contactPath) read() (events.ContactKey, inquiry.Cutoffs, error) {
	c, err := in.cutoffs()
	if err != nil {
		return events.ContactKey{}, c, err
	}
	key, err := contactKey(in.Key)
	return key, c, err
}

func contactKey(s string) (events.ContactKey, error) {
	key, err := events.ParseContactKey(s)
	if err != nil {
		return key, badParam("key", "write a contact key of 32 lower-case hex digits; to look a number up, send it in the body of POST /v1/contacts:find")
	}
	return key, nil
}

// contactOf reads a contact that is given by key or by number.
func (g *Gateway) contactOf(key, number, country string) (events.ContactKey, error) {
	switch {
	case (key == "") == (number == ""):
		return events.ContactKey{}, badParam("number", "give either number or contact")
	case key != "":
		return contactKey(key)
	}
	phone, code := g.cfg.Normalise(number, country)
	if code != "" {
		p := badParam("number", "write the number in E.164, such as +39 and the national digits, or give its country")
		p.Errors[0].Code = code
		return events.ContactKey{}, p
	}
	return g.cfg.Key(phone), nil
}

// queryRoutes registers contacts and campaigns.
func (g *Gateway) queryRoutes() {
	register(g, huma.Operation{OperationID: "findContact", Method: http.MethodPost, Path: "/v1/contacts:find", Tags: []string{"contacts"}, Summary: "Find a contact by its number",
		Description: "The number travels in the body only. Answers with the contact key and its present state, or 404 when nothing is recorded of the number."},
		func(ctx context.Context, in *struct{ Body FindRequest }) (inquiry.Contact, error) {
			key, err := g.contactOf("", in.Body.Number, in.Body.Country)
			if err != nil {
				return inquiry.Contact{}, err
			}
			cut := CutQuery{At: in.Body.At, KnownAsOf: in.Body.KnownAsOf, AsOf: in.Body.AsOf}
			c, err := cut.cutoffs()
			if err != nil {
				return inquiry.Contact{}, err
			}
			return g.cfg.Desk.Contact(ctx, key, c)
		})
	register(g, huma.Operation{OperationID: "getContact", Method: http.MethodGet, Path: "/v1/contacts/{key}", Tags: []string{"contacts"}, Summary: "State of a contact, at any time, as known and recorded at any time"},
		func(ctx context.Context, in *contactPath) (inquiry.Contact, error) {
			key, c, err := in.read()
			if err != nil {
				return inquiry.Contact{}, err
			}
			return g.cfg.Desk.Contact(ctx, key, c)
		})
	register(g, huma.Operation{OperationID: "getTimeline", Method: http.MethodGet, Path: "/v1/contacts/{key}/timeline", Tags: []string{"contacts"}, Summary: "Recorded events of a contact"},
		func(ctx context.Context, in *contactPath) (inquiry.Timeline, error) {
			key, c, err := in.read()
			if err != nil {
				return inquiry.Timeline{}, err
			}
			return g.cfg.Desk.Timeline(ctx, key, c)
		})
	register(g, huma.Operation{OperationID: "listCampaigns", Method: http.MethodGet, Path: "/v1/campaigns", Tags: []string{"campaigns"}, Summary: "Campaigns with their calls and findings",
		Description: "Without as_of: as counted now, findings included. With as_of: the campaigns of which a call or the opening is recorded by then; their counters hold the attempts alone, since findings as of an earlier time are evaluated by the report and not stored."},
		func(ctx context.Context, in *campaignsQuery) (inquiry.Campaigns, error) {
			asOf, err := asOfParam(in.AsOf)
			if err != nil {
				return inquiry.Campaigns{}, err
			}
			return g.cfg.Desk.Campaigns(ctx, asOf)
		})
}

type campaignsQuery struct {
	AsOf string `query:"as_of" doc:"recorded by then: RFC 3339, or positions as LEDGER_00:12,LEDGER_REF:7; default as counted now"`
}

type asOfQuery struct {
	AsOf string `query:"as_of" doc:"recorded by then: RFC 3339, or positions as LEDGER_00:12,LEDGER_REF:7; default the latest possible"`
}

// objectRoutes registers the findings on objects.
func (g *Gateway) objectRoutes() {
	register(g, huma.Operation{OperationID: "listObjectFindings", Method: http.MethodGet, Path: "/v1/objects/findings", Tags: []string{"campaigns"}, Summary: "Findings on objects",
		Description: "What lists, contracts, requests, complaints and single events break by themselves, of every controller, inside or outside campaigns."},
		func(ctx context.Context, in *asOfQuery) (ObjectFindings, error) {
			asOf, err := asOfParam(in.AsOf)
			if err != nil {
				return ObjectFindings{}, err
			}
			return g.cfg.Objects.Findings(ctx, asOf)
		})
}

type pageQuery struct {
	Cursor string `query:"cursor" maxLength:"64" doc:"next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type idPath struct {
	ID string `path:"id" maxLength:"64"`
}

// operatingRoutes registers rejects and parked messages.
func (g *Gateway) operatingRoutes() {
	tags := []string{"operating"}
	register(g, huma.Operation{OperationID: "listRejects", Method: http.MethodGet, Path: "/v1/rejects", Tags: tags, Summary: "Refused submissions, with every error"},
		func(ctx context.Context, in *pageQuery) (RejectPage, error) {
			return g.cfg.RejectLog.Rejects(ctx, in.Cursor, in.Limit)
		})
	register(g, huma.Operation{OperationID: "getReject", Method: http.MethodGet, Path: "/v1/rejects/{id}", Tags: tags, Summary: "One refused submission"},
		func(ctx context.Context, in *idPath) (Reject, error) { return g.cfg.RejectLog.Reject(ctx, in.ID) })
	register(g, huma.Operation{OperationID: "listParked", Method: http.MethodGet, Path: "/v1/parked", Tags: tags, Summary: "Messages that a service has set aside for a person"},
		func(ctx context.Context, in *pageQuery) (ParkedPage, error) {
			return g.cfg.ParkedLog.Parked(ctx, in.Cursor, in.Limit)
		})
	register(g, huma.Operation{OperationID: "settleParked", Method: http.MethodPost, Path: "/v1/parked/{act}", Tags: tags, Summary: "Retry or drop a parked message",
		Description: "The last segment is the message's id, a colon, and what to do: {id}:retry submits it again, {id}:drop gives it up."},
		func(ctx context.Context, in *struct {
			Act string `path:"act" maxLength:"80" doc:"{id}:retry or {id}:drop"`
		}) (Settled, error) {
			return g.settle(ctx, in.Act)
		})
}

// settle carries out {id}:retry or {id}:drop.
func (g *Gateway) settle(ctx context.Context, act string) (Settled, error) {
	id, verb := cutLast(act, ':')
	var err error
	switch verb {
	case "retry":
		err = g.cfg.ParkedLog.Retry(ctx, id)
	case "drop":
		err = g.cfg.ParkedLog.Drop(ctx, id)
	default:
		return Settled{}, problem(http.StatusNotFound, "no-route", "no such act", "write {id}:retry or {id}:drop")
	}
	return Settled{ID: id, Result: verb}, err
}

// Settled says what was done with a parked message.
type Settled struct {
	ID     string `json:"id"`
	Result string `json:"result" enum:"retry,drop"`
}

func cutLast(s string, sep byte) (before, after string) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == sep {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// tooLate answers an as_of that is not final yet.
func tooLate(err error) *Problem {
	var late *inquiry.TooLateError
	if !errors.As(err, &late) {
		return nil
	}
	p := problem(http.StatusConflict, "as-of-too-late", "the ledger is not final as of that instant", "ask as of latest_as_of or earlier, or leave as_of out")
	if late.Latest.IsZero() {
		p.Detail = "no instant is final yet: wait until all five recorders have reported, see /readyz"
		p.retryAfter = 2
	}
	p.LatestAsOf = late.Latest
	return p
}
