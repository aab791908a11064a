package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
)

// Door answers decide.<controller> over NATS request and reply. Several gates
// share the questions.
type Door struct {
	Conn   *nats.Conn
	Issuer *Issuer
	Log    *zap.Logger
	// Workers is how many questions are answered at once; 0 = two per core.
	Workers int
}

// doorQueue is the queue group of gates, doorWaiting how many questions may
// wait in this process.
const (
	doorQueue   = "gate"
	doorWaiting = 8192
)

// Run answers until ctx ends. The error is that of ctx, or says that the
// subscription failed.
func (d *Door) Run(ctx context.Context) error {
	questions := make(chan *nats.Msg, doorWaiting)
	sub, err := d.Conn.ChanQueueSubscribe("decide.*", doorQueue, questions)
	if err != nil {
		return fmt.Errorf("gate subscribe to questions: %w", err)
	}
	workers := d.Workers
	if workers == 0 {
		workers = 2 * runtime.NumCPU()
	}
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case m := <-questions:
					d.answer(ctx, m)
				}
			}
		})
	}
	<-ctx.Done()
	err = sub.Unsubscribe()
	all.Wait()
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("gate unsubscribe: %w", err)
	}
	return ctx.Err()
}

func (d *Door) answer(ctx context.Context, m *nats.Msg) {
	if m.Reply == "" {
		return
	}
	if err := m.Respond(d.reply(ctx, m)); err != nil && ctx.Err() == nil {
		d.Log.Warn("gate: an answer could not be sent; the caller takes silence for no", zap.Error(err))
	}
}

// reply is the JSON of a receipt or a refusal.
func (d *Door) reply(ctx context.Context, m *nats.Msg) []byte {
	var q events.Question
	if err := json.Unmarshal(m.Data, &q); err != nil {
		return refusal(events.Fault{Code: "json_invalid", Hint: "send one JSON object as events.Question describes it"})
	}
	if events.DecideSubject(q.Controller) != m.Subject {
		return refusal(events.Fault{Code: "not_permitted", Field: "controller", Hint: "the controller is not that of the subject, to which the credential is bound"})
	}
	r, err := d.Issuer.Ask(ctx, q)
	var unread *events.Refusal
	switch {
	case errors.As(err, &unread):
		return refusal(unread.Errors...)
	case err != nil:
		d.Log.Warn("gate: a question was not answered", zap.Error(err))
		return refusal(events.Fault{Code: "unavailable", Hint: "no answer can be given now: do not call, ask again"})
	}
	return r.AppendCanonical(make([]byte, 0, 2048))
}

func refusal(faults ...events.Fault) []byte {
	b, err := json.Marshal(events.Refusal{Errors: faults})
	if err != nil {
		return []byte(`{"errors":[{"code":"unavailable"}]}`)
	}
	return b
}
