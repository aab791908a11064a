package gateway

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// ErrUnknown: there is no such reject or parked message.
var ErrUnknown = errors.New("unknown")

// Desk answers questions; *inquiry.Desk is one.
type Desk interface {
	Contact(ctx context.Context, key events.ContactKey, c inquiry.Cutoffs) (inquiry.Contact, error)
	Timeline(ctx context.Context, key events.ContactKey, c inquiry.Cutoffs) (inquiry.Timeline, error)
	Campaigns(ctx context.Context, asOf inquiry.AsOf) (inquiry.Campaigns, error)
	ListCheck(ctx context.Context, id string) (inquiry.ListCheck, error)
	Resolve(ctx context.Context, controller, campaign string) (view.CampaignRef, error)
}

// Errors of Gate.
var (
	// ErrNoGate: no gate answers. Do not call; ask again. HTTP answers 503.
	ErrNoGate = errors.New("no gate")
	// ErrReceipt: the receipt is none of this gate's, or was changed. HTTP
	// answers 422.
	ErrReceipt = errors.New("receipt not genuine")
)

// Gate answers questions about calls.
type Gate interface {
	// Ask answers with a signed receipt, which is recorded within a second; a
	// question about an instant of its own is answered from history, unsigned.
	// The error is an *events.Refusal, ErrNoGate or one of the ports'.
	Ask(ctx context.Context, q events.Question) (events.Receipt, error)
	// PublicKeys are those with which receipts verify.
	PublicKeys() []ed25519.PublicKey
	// Recompute gives the law's answer to a receipt's question as of its
	// positions.
	Recompute(ctx context.Context, r events.Receipt) (rules.Decision, error)
}

// Report is a built report.
type Report interface {
	WriteJSON(w io.Writer) error
	WriteCSV(w io.Writer) error // the findings
	WriteZip(w io.Writer) error // one CSV a table
	WriteHTML(w io.Writer, lang string) error
	WritePDF(w io.Writer, lang string) error
	WriteXLSX(w io.Writer) error // one sheet a table
	// Contacts are those that the report names, each once, by key.
	Contacts() []events.ContactKey
}

// Reports builds reports.
type Reports interface {
	// Build makes the report of a campaign as of an instant or positions; zero
	// = the latest possible. It lists the corrections recorded after since; zero =
	// all. The errors are those of inquiry.Desk.Final and of the ports.
	Build(ctx context.Context, c view.CampaignRef, asOf inquiry.AsOf, since events.Instant) (Report, error)
}

// Objects evaluates the rules on objects: lists, contracts, requests, single
// events and so on, of every controller, whether a campaign's report shows them
// or not.
type Objects interface {
	// Findings returns what is found as of an instant or positions; zero = the
	// latest possible. The errors are those of inquiry.Desk.Final and of the ports.
	Findings(ctx context.Context, asOf inquiry.AsOf) (ObjectFindings, error)
}

// RejectLog reads the rejects.
type RejectLog interface {
	// Rejects returns up to limit rejects after the cursor ("" = the first).
	Rejects(ctx context.Context, cursor string, limit int) (RejectPage, error)
	// Reject returns one, or ErrUnknown.
	Reject(ctx context.Context, id string) (Reject, error)
}

// ParkedLog reads and settles the parked messages.
type ParkedLog interface {
	// Parked returns up to limit parked messages after the cursor.
	Parked(ctx context.Context, cursor string, limit int) (ParkedPage, error)
	// Retry submits the message again and takes it out; ErrUnknown if there is
	// no such message.
	Retry(ctx context.Context, id string) error
	// Drop gives the message up; ErrUnknown if there is no such message.
	Drop(ctx context.Context, id string) error
}

// Readiness says whether the services behind the door do their work.
type Readiness interface {
	// Ready returns the reasons why not (none = ready) and, for each
	// projection, how many events it has yet to apply.
	Ready(ctx context.Context) (reasons []string, lag map[string]uint64)
	// Durability says what an acknowledgement means.
	Durability() string
}
