package recorder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/worker"
)

// Streams of what was not recorded.
const (
	StreamRejects = "REJECTS"
	StreamParked  = "PARKED"
)

// MaxPage is the largest page of rejects or parked messages.
const MaxPage = 1000

// ErrUnknown: there is no reject or parked message with this id.
var ErrUnknown = errors.New("no such id")

// Provision creates the streams REJECTS and PARKED, or brings them to the
// number of replicas. A repetition of a message within a day is stored once;
// later ones are found by their id.
func Provision(ctx context.Context, nc *nats.Conn, replicas int) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("provision rejects: %w", err)
	}
	for name, subject := range map[string]string{StreamRejects: "rejects.*", StreamParked: "parked.*"} {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{subject}, Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage,
			Replicas: max(replicas, 1), Duplicates: 24 * time.Hour, AllowDirect: true, AllowAtomicPublish: true,
		})
		if err != nil {
			return fmt.Errorf("provision rejects: stream %s: %w", name, err)
		}
	}
	return nil
}

// idOf derives the id of a reject or parked message from the queued message, so
// that a repetition after a crash has the same. The broker's time of storage
// tells apart two lives of a stream.
func idOf(m *worker.Message) string {
	b := append([]byte(m.Stream), 0)
	b = strconv.AppendUint(b, m.Sequence, 10)
	b = append(b, 0)
	b = strconv.AppendInt(b, m.StoredAt.UnixNano(), 10)
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:12])
}

// shelf keeps one JSON message an entry in a stream, found by page.
type shelf[T any] struct {
	js     jetstream.JetStream
	stream string
}

// note is one message to be put on a shelf.
type note[T any] struct {
	subject string
	id      string
	body    T
}

// put stores notes durably; one that is there already is not stored again.
func (s *shelf[T]) put(ctx context.Context, notes []note[T]) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	futures := make([]jetstream.PubAckFuture, 0, len(notes))
	for _, n := range notes {
		body, err := json.Marshal(n.body)
		if err != nil {
			return fmt.Errorf("write to %s: %w", s.stream, err)
		}
		msg := &nats.Msg{Subject: n.subject, Data: body, Header: nats.Header{jetstream.MsgIDHeader: {n.id}}}
		f, err := s.js.PublishMsgAsync(msg)
		if err != nil {
			return fmt.Errorf("write to %s: %w: %w", s.stream, errTransient, err)
		}
		futures = append(futures, f)
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			return fmt.Errorf("write to %s: %w: %w", s.stream, errTransient, err)
		case <-ctx.Done():
			return fmt.Errorf("write to %s: %w: %w", s.stream, errTransient, ctx.Err())
		}
	}
	return nil
}

// stored is one message of a shelf.
type stored struct {
	sequence uint64
	body     []byte
}

// list returns a page of entries; see page. subject "" = all.
func (s *shelf[T]) list(ctx context.Context, subject, cursor string, limit int) (page []T, next string, err error) {
	list, next, err := s.page(ctx, subject, cursor, limit)
	if err != nil {
		return nil, "", err
	}
	page = make([]T, len(list))
	for i, m := range list {
		if err := json.Unmarshal(m.body, &page[i]); err != nil {
			return nil, "", fmt.Errorf("message %d of %s is unreadable: %w", m.sequence, s.stream, err)
		}
	}
	return page, next, nil
}

// find returns the entry that is meant and where it stands, or ErrUnknown. It
// reads the stream from the beginning: for a person who looks at one, not for a
// loop. What is unreadable is passed over.
func (s *shelf[T]) find(ctx context.Context, meant func(*T) bool) (one T, sequence uint64, err error) {
	for cursor := ""; ; {
		list, next, err := s.page(ctx, "", cursor, MaxPage)
		if err != nil {
			return one, 0, err
		}
		for _, m := range list {
			var found T
			if err := json.Unmarshal(m.body, &found); err == nil && meant(&found) {
				return found, m.sequence, nil
			}
		}
		if cursor = next; cursor == "" {
			return one, 0, ErrUnknown
		}
	}
}

// page returns up to limit messages from a cursor on ("" = the oldest), and the
// cursor of the next page, "" at the end.
func (s *shelf[T]) page(ctx context.Context, filter, cursor string, limit int) ([]stored, string, error) {
	from := uint64(1)
	if cursor != "" {
		var err error
		if from, err = strconv.ParseUint(cursor, 10, 64); err != nil || from == 0 {
			return nil, "", fmt.Errorf("read %s: cursor: %w: send next of the page before", s.stream, ErrUnknown)
		}
	}
	limit = max(1, min(limit, MaxPage))
	opts := []jetstreamext.GetBatchOpt{jetstreamext.GetBatchSeq(from)}
	if filter != "" {
		opts = append(opts, jetstreamext.GetBatchSubject(filter))
	}
	batch, err := jetstreamext.GetBatch(ctx, s.js, s.stream, limit+1, opts...)
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w: %w", s.stream, errTransient, err)
	}
	var out []stored
	for m, err := range batch {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			break
		}
		if err != nil {
			return nil, "", fmt.Errorf("read %s: %w: %w", s.stream, errTransient, err)
		}
		if len(out) == limit {
			return out, strconv.FormatUint(m.Sequence, 10), nil
		}
		out = append(out, stored{m.Sequence, m.Data})
	}
	return out, "", nil
}

// Patterns of what may stand in a stream that holds no personal data.
var (
	typeForm = regexp.MustCompile(`^[a-z_]{1,32}\.[a-z_]{1,48}\.v[0-9]{1,3}$`)
	longRun  = regexp.MustCompile(`\+[0-9][0-9 ./-]{6,}`)
)

// cleanType returns t if it looks like a type, known or not, else "".
func cleanType(t string) events.Type {
	if typeForm.MatchString(t) {
		return events.Type(t)
	}
	return ""
}

// clean returns s unless it bears what looks like a number, a mail address or
// an IP address: a sender may write anything in the envelope of a submission
// that is then refused.
func clean(s string) string {
	if len(s) > 256 || strings.ContainsRune(s, '@') || longRun.MatchString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ""
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return ""
	}
	return s
}
