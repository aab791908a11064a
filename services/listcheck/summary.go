package listcheck

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/assenso/assenso/events"
)

// Head is what is known of a list check before its first answer.
type Head struct {
	// Asked is the question as it was judged, with its defaults, without numbers.
	Asked events.Question `json:"asked"`
	// Begun is the gate's clock when the check began, Instant the one that is
	// judged; UTC both. They differ in a plan.
	Begun   events.Instant `json:"begun"`
	Instant events.Instant `json:"instant"`
	// Plan says that the answers are for a later instant: no permission.
	Plan bool   `json:"plan"`
	Pack string `json:"pack"`
	// Positions are those at the beginning: every answer rests on them at least.
	Positions map[string]uint64 `json:"positions"`
}

// Summary is the last line of a list's answer, and what the recorded
// decision.batch_issued commits to.
type Summary struct {
	// Batch names question, instant and positions: see ID.
	Batch string `json:"batch"`
	Head
	Count int           `json:"count"`
	Allow int           `json:"allow"`
	Warn  int           `json:"warn"`
	Block int           `json:"block"`
	Root  events.Digest `json:"root"` // Merkle root over the answers, see the package
	// Applied are the positions at the end: no answer rests on more.
	Applied map[string]uint64 `json:"applied"`
	// ExpiresAt is the earliest instant at which an answer that is not block may
	// change by time alone; where there is none, the earliest of any.
	ExpiresAt events.Instant `json:"expires_at"`
	// Record says where the commitment is recorded.
	Record Record `json:"record"`
	Note   string `json:"note"`
}

// Record is the receipt of the recorded commitment.
type Record struct {
	Source       string         `json:"source"`
	ID           string         `json:"id"`
	Result       string         `json:"result"` // recorded; duplicate; accepted: on disk before the ledger
	Stream       string         `json:"stream,omitempty"`
	Sequence     uint64         `json:"sequence,omitempty"`
	RecordedTime events.Instant `json:"recordedtime,omitzero"`
}

// Notes of a summary.
const (
	NotePlan = "this is a plan for a later instant and no permission: check again then, and ask the gate before each call"
	NoteNow  = "this is as of the instant: ask the gate before each call"
)

// Summarise joins the head of a check and what it came to. Applied are the
// positions at the end.
func Summarise(h *Head, t *Totals, applied map[string]uint64) (Summary, error) {
	s := Summary{Head: *h, Count: t.Count, Allow: t.Allow, Warn: t.Warn, Block: t.Block, Root: t.Root, Applied: applied, ExpiresAt: t.Until, Note: NoteNow}
	if s.ExpiresAt.IsZero() {
		s.ExpiresAt = s.Instant
	}
	if h.Plan {
		s.Note = NotePlan
	}
	var err error
	s.Batch, err = s.ID()
	s.Record = Record{Source: events.GateSource, ID: s.eventID()}
	return s, err
}

// ID derives the id of the batch: the first 128 bits, in hexadecimal digits, of
// the SHA-256 of the RFC 8785 form of asked, begun, instant, pack, plan and
// positions. So the recorded commitment, which bears the id, binds the question.
func (h *Head) ID() (string, error) {
	raw, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("name list check: %w", err)
	}
	canonical, err := events.CanonicalJSON(raw)
	if err != nil {
		return "", fmt.Errorf("name list check: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:16]), nil
}

// eventID is the id of the event: the same commitment always has the same, so
// that handing it in again records nothing twice; the same question put to
// another list has another.
func (s *Summary) eventID() string { return "list-" + s.Batch + "-" + s.Root.String()[:16] }

// Event returns the submission that records the commitment.
func (s *Summary) Event() ([]byte, error) {
	positions := make(map[string]int64, len(s.Positions))
	for stream, n := range s.Positions {
		positions[stream] = int64(n)
	}
	raw, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": s.eventID(), "source": events.GateSource, "type": events.TypeDecisionBatchIssued,
		"time": s.Begun, "controller": s.Asked.Controller, "campaign": s.Asked.Campaign,
		"data": events.DecisionBatchIssued{
			Batch: s.Batch, Count: s.Count, Root: s.Root, Allow: s.Allow, Warn: s.Warn, Block: s.Block,
			Pack: s.Pack, Positions: positions, ExpiresAt: s.ExpiresAt,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encode list check: %w", err)
	}
	return raw, nil
}
