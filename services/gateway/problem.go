package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/access"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/vault"
	"github.com/assenso/assenso/services/view"
)

// Problem is an RFC 9457 problem document. It never repeats what the client
// sent.
type Problem struct {
	Type   string `json:"type" doc:"stable name of the problem" example:"urn:assenso:problem:intake-full"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty" doc:"what is wrong here, and what to do"`
	// Errors are the single faults of the request.
	Errors []events.Fault `json:"errors,omitempty"`
	// Results are the items of a batch that was not taken as a whole; those
	// that were taken need not be sent again, but may.
	Results []*Item `json:"results,omitempty"`
	// LatestAsOf answers an as_of that is too late.
	LatestAsOf events.Instant `json:"latest_as_of,omitzero" doc:"the latest possible as_of, UTC"`

	retryAfter int // seconds; 0 = no header
}

const problemType = "urn:assenso:problem:"

// Error implements error.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	return h
}

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// row is one line of the problem table.
type row struct {
	err    error
	name   string
	status int
	retry  int // seconds for Retry-After
	title  string
}

// problems is the one mapping from errors to answers, narrow sentinels before
// the broad ones they wrap. It is read off the comments at the sentinels.
var problems = []row{
	{intake.ErrFull, "intake-full", http.StatusServiceUnavailable, 5, "the queue is full: nothing is lost, send again later"},
	{intake.ErrUnavailable, "intake-unavailable", http.StatusServiceUnavailable, 2, "the queue cannot be reached: send again, the identity keeps an event single"},
	{ledger.ErrFull, "ledger-full", http.StatusServiceUnavailable, 60, "the ledger has no room left: an operator must act"},
	{ledger.ErrUnavailable, "ledger-unavailable", http.StatusServiceUnavailable, 2, "the ledger cannot be reached: try again"},
	{view.ErrUnavailable, "view-unavailable", http.StatusServiceUnavailable, 2, "the view cannot be reached: try again"},
	{view.ErrBehind, "view-behind", http.StatusServiceUnavailable, 1, "the view has not applied what was asked for: try again"},
	{inquiry.ErrBehind, "view-behind", http.StatusServiceUnavailable, 1, "the view has not applied what was asked for: try again"},
	{inquiry.ErrUnknown, "unknown", http.StatusNotFound, 0, "nothing is recorded under this name"},
	{inquiry.ErrAmbiguous, "ambiguous", http.StatusConflict, 0, "several controllers have a campaign of this id: name the controller"},
	{ErrNoGate, "no-gate", http.StatusServiceUnavailable, 1, "no gate answers: do not call, ask again"},
	{listcheck.ErrDoubt, "in-doubt", http.StatusServiceUnavailable, 1, "the gate is in doubt, so no list is answered: check it again, see /readyz"},
	{listcheck.ErrCampaign, "campaign-unknown", http.StatusUnprocessableEntity, 0, "this controller opened no such campaign: publish campaign.opened first"},
	{listcheck.ErrPack, "no-pack", http.StatusUnprocessableEntity, 0, "no rule pack is valid at the instant: add one to the packs"},
	{listcheck.ErrPast, "instant-past", http.StatusUnprocessableEntity, 0, "the instant has passed: leave it out to check the list now, or name a later one to plan"},
	{ErrReceipt, "receipt-not-genuine", http.StatusUnprocessableEntity, 0, "this is no receipt of this gate, or it was changed"},
	{ErrUnknown, "unknown", http.StatusNotFound, 0, "nothing is kept under this id"},
	{ErrFeedAway, "feed-away", http.StatusServiceUnavailable, 1, "no feed answers: stop calling once the last heartbeat is old, and ask again"},
	{ErrFeedSlow, "feed-slow", http.StatusServiceUnavailable, 1, "the reader did not take what came: follow again from the last position"},
	{access.ErrUnauthenticated, "unauthenticated", http.StatusUnauthorized, 0, "not authenticated"},
	{vault.ErrUnavailable, "vault-unavailable", http.StatusServiceUnavailable, 2, "the vault cannot be reached: try again"},
	{vault.ErrUnknown, "unknown", http.StatusNotFound, 0, "the vault holds no such entry"},
	{context.DeadlineExceeded, "timeout", http.StatusGatewayTimeout, 2, "the answer took too long: try again"},
	{context.Canceled, "cancelled", 499, 0, "the request was given up"},
}

// problemOf maps an error to its document. An error that the table does not
// know is an internal one: its text stays in the log.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var unread *events.Refusal
	if errors.As(err, &unread) {
		return &Problem{Type: problemType + "bad-request", Title: "the request cannot be understood", Status: http.StatusBadRequest, Errors: unread.Errors}
	}
	if late := tooLate(err); late != nil {
		return late
	}
	for _, r := range problems {
		if errors.Is(err, r.err) {
			return &Problem{Type: problemType + r.name, Title: r.title, Status: r.status, retryAfter: r.retry}
		}
	}
	return &Problem{Type: problemType + "internal", Title: "internal error", Status: http.StatusInternalServerError,
		Detail: "the cause is in the server's log under this request's id"}
}

// problem makes a document for a fault of the request.
func problem(status int, name, title, detail string) *Problem {
	return &Problem{Type: problemType + name, Title: title, Status: status, Detail: detail}
}

// write sends the document.
func (p *Problem) write(w http.ResponseWriter) {
	h := w.Header()
	for k, v := range p.GetHeaders() {
		h[k] = v
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone if this fails; nobody is left to tell
}

var replaceHumaErrors sync.Once

// useProblems makes huma answer with Problem. huma keeps this hook in a
// package variable; ours does the same for every API, so setting it once is
// enough. Values that huma quotes are dropped: they may be numbers.
func useProblems() {
	replaceHumaErrors.Do(func() {
		huma.DefaultArrayNullable = false // an empty list is [], never null
		huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
			p := problem(status, "bad-request", http.StatusText(status), redact(msg))
			if status >= http.StatusInternalServerError {
				p.Type, p.Detail = problemType+"internal", ""
			}
			for _, err := range errs {
				if err == nil {
					continue
				}
				if known := problemOf(err); known.Type != problemType+"internal" {
					return known
				}
				p.Errors = append(p.Errors, faultOf(err))
			}
			return p
		}
	})
}

// faultOf keeps the place and the kind of a fault of the request's form.
func faultOf(err error) events.Fault {
	var d huma.ErrorDetailer
	if errors.As(err, &d) {
		detail := d.ErrorDetail()
		return events.Fault{Code: "request_invalid", Field: redact(detail.Location), Hint: redact(detail.Message)}
	}
	return events.Fault{Code: "request_invalid", Hint: "the request cannot be read: see /openapi.json for its form"}
}
