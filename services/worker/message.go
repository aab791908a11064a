package worker

import (
	"context"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
)

// Message is one message of the bus. Body and Header belong to the receiver
// until its batch is acknowledged and must not be changed: a batch that is
// handed out again is the same memory.
type Message struct {
	Stream   string
	Sequence uint64 // in Stream, from 1
	Subject  string
	Header   map[string][]string // nil for none; keys in the sender's case
	Body     []byte
	StoredAt time.Time // by the broker's clock, UTC
}

// Get returns the first value of a header, "" when absent. A repeated key is
// legal on the bus; the first value counts.
func (m *Message) Get(key string) string {
	if v := m.Header[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// id names the message in logs: "<stream>:<sequence>".
func (m *Message) id() string { return m.Stream + ":" + strconv.FormatUint(m.Sequence, 10) }

// headerUUID carries Watermill's message id over the bus.
const headerUUID = "Watermill-Uuid"

type batchKey struct{}

// batchOf returns the bus messages that a Watermill message carries.
func batchOf(msg *message.Message) []Message {
	b, _ := msg.Context().Value(batchKey{}).([]Message)
	return b
}

// carry makes the Watermill message of a batch. A batch of one has the
// payload, the id and the headers of its message, so that a handler of single
// messages needs to know nothing of batches; a larger one has only its batch.
func carry(ctx context.Context, batch []Message) *message.Message {
	first := &batch[0]
	id := first.Get(headerUUID)
	if id == "" {
		id = first.id()
	}
	var msg *message.Message
	if len(batch) == 1 {
		msg = message.NewMessage(id, first.Body)
		for k, v := range first.Header {
			if k != headerUUID && len(v) > 0 {
				msg.Metadata[k] = v[0]
			}
		}
	} else {
		msg = message.NewMessage(first.id()+"+"+strconv.Itoa(len(batch)), nil)
	}
	msg.SetContext(context.WithValue(ctx, batchKey{}, batch))
	return msg
}

// received turns a delivery into a Message; ok is false when its metadata
// cannot be read, which only happens to messages that are not JetStream's.
func received(m jetstream.Msg) (msg Message, ok bool) {
	meta, err := m.Metadata()
	if err != nil {
		return Message{}, false
	}
	return Message{
		Stream: meta.Stream, Sequence: meta.Sequence.Stream, Subject: m.Subject(),
		Header: m.Headers(), Body: m.Data(), StoredAt: meta.Timestamp.UTC(),
	}, true
}
