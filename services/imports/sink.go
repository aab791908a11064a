package imports

import (
	"context"
	"errors"

	"github.com/assenso/assenso/events"
)

// MaxBatch is the largest number of submissions handed to a Sink at once.
const MaxBatch = 1000

// MaxBatchBytes is the size after which a batch is handed over though it holds
// fewer than MaxBatch submissions.
const MaxBatchBytes = 4 << 20

// MaxBody is the largest submission in bytes (events.md 6, json_invalid).
const MaxBody = 256 << 10

// Result says what became of one submission.
type Result string

// The results of a submission (design.md 5).
const (
	Recorded  Result = "recorded"  // in the ledger
	Duplicate Result = "duplicate" // was there already
	Conflict  Result = "conflict"  // recorded beside another variant of its identity
	Rejected  Result = "rejected"  // see Errors
	Accepted  Result = "accepted"  // durable in the queue before the ledger; the receipt is late
)

// Outcome is a sink's answer for one submission.
type Outcome struct {
	Result  Result
	Errors  []events.Fault    // of a rejected one
	Contact events.ContactKey // of the recorded event; zero where there is none, or it is not told
}

// Sink takes submissions. It is called from several goroutines when
// Options.InFlight is more than one.
type Sink interface {
	// Send hands over 1 to MaxBatch submissions, each the JSON of one
	// CloudEvent without line feeds, and returns one outcome for each in the
	// same order. An error means that nothing is known of any of them: sending
	// them again is safe, their identity keeps them single. Send must not keep
	// the batch.
	Send(ctx context.Context, batch [][]byte) ([]Outcome, error)
}

// ErrSink is wrapped by errors of a sink that has given up: the import stopped
// after its last acknowledged row. Run it again when the cause is gone; it
// goes on from there.
var ErrSink = errors.New("the receiving side does not answer")
