package imports

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/assenso/assenso/events"
)

// Consultation says of which consultation of the public register a file holds
// the answers. When the last row is recorded, register.screening_completed is:
// with the counts of the answers that were recorded and the commitment to their
// contacts. Rows that were refused are in neither; their numbers stay
// unanswered, so they are blocked. The event is the same however often the file
// is imported.
type Consultation struct {
	Controller  string
	Source      string // the publishing system; "" = that of the mapping
	Batch       string // id of the consultation
	List        string // "" = of no list
	SubmittedBy string
	Register    events.Register
	SnapshotAt  events.Instant // the state of the register that was asked
	AnsweredAt  events.Instant // when the answer arrived
	// SetRoot commits to contacts that stand in ascending order, each once.
	SetRoot func(contacts []events.ContactKey) events.Digest
}

// Completion is what a consultation came to.
type Completion struct {
	ID        string        `json:"id"` // of the register.screening_completed
	Result    Result        `json:"result"`
	Submitted int           `json:"submitted"`
	Clear     int           `json:"clear"`
	Opposed   int           `json:"opposed"`
	Selective int           `json:"selective"`
	Invalid   int           `json:"invalid"`
	Contacts  int           `json:"contacts"` // different ones
	SetRoot   events.Digest `json:"set_root"`
}

// answers is a file of the answers that were recorded so far, so that an
// interrupted import can count them all: for each a byte and a contact key. A nil
// one keeps nothing.
type answers struct {
	path string
	file *os.File
	size int64
	buf  bytes.Buffer
}

// answerCodes are the answers in the order of their bytes.
var answerCodes = []events.RegisterAnswer{events.AnswerClear, events.AnswerOpposed, events.AnswerSelective, events.AnswerInvalid}

const answerSize = 1 + len(events.ContactKey{})

// openAnswers opens the file and cuts off what was written after the last
// acknowledged row.
func openAnswers(path string, size int64) (*answers, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("imports keep answers: %w", err)
	}
	st, err := f.Stat()
	if err == nil && st.Size() < size {
		err = errors.New("it is shorter than it was: delete the state file to start again")
	}
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("imports keep answers %s: %w", filepath.Base(path), err), f.Close())
	}
	return &answers{path: path, file: f, size: size}, nil
}

// add takes the recorded answers of a batch. A batch of which a receipt is late
// is not taken: its contacts are not known yet.
func (a *answers) add(j *job) error {
	a.buf.Reset()
	for i, o := range j.outcomes {
		switch o.Result {
		case Rejected:
			continue
		case Accepted:
			return fmt.Errorf("imports read receipts: %w: a row is taken and not recorded yet: run the same import again", ErrSink)
		}
		var body struct {
			Data struct {
				Answer events.RegisterAnswer `json:"answer"`
			} `json:"data"`
		}
		if err := json.Unmarshal(j.bodies[i], &body); err != nil {
			return fmt.Errorf("imports count answers: %w", err)
		}
		code := slices.Index(answerCodes, body.Data.Answer)
		if code < 0 || o.Contact.IsZero() {
			return fmt.Errorf("imports count answers: %w: a row was recorded without an answer of the register or its contact: is the mapping one of register.screened, and the server of this version?", ErrSink)
		}
		a.buf.WriteByte(byte(code))
		a.buf.Write(o.Contact[:])
	}
	return nil
}

// flush puts what was added on disk and returns the size of the file.
func (a *answers) flush() (int64, error) {
	n, err := a.file.Write(a.buf.Bytes())
	a.size += int64(n)
	if err == nil {
		err = a.file.Sync()
	}
	a.buf.Reset()
	if err != nil {
		return 0, fmt.Errorf("imports keep answers: %w", err)
	}
	return a.size, nil
}

func (a *answers) close() error {
	if a == nil {
		return nil
	}
	return a.file.Close()
}

func (a *answers) remove() error {
	if a == nil {
		return nil
	}
	if err := os.Remove(a.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("imports remove answers: %w", err)
	}
	return nil
}

// read counts the answers, and returns the contacts, each once, in order.
func (a *answers) read(c *Completion) ([]events.ContactKey, error) {
	if _, err := a.file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("imports count answers: %w", err)
	}
	in := bufio.NewReader(io.LimitReader(a.file, a.size))
	keys := make([]events.ContactKey, 0, int(a.size)/answerSize)
	var one [answerSize]byte
	for {
		_, err := io.ReadFull(in, one[:])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("imports count answers: %w", err)
		}
		c.Submitted++
		switch answerCodes[int(one[0])%len(answerCodes)] {
		case events.AnswerClear:
			c.Clear++
		case events.AnswerOpposed:
			c.Opposed++
		case events.AnswerSelective:
			c.Selective++
		case events.AnswerInvalid:
			c.Invalid++
		}
		keys = append(keys, events.ContactKey(one[1:]))
	}
	slices.SortFunc(keys, func(x, y events.ContactKey) int { return bytes.Compare(x[:], y[:]) })
	keys = slices.Compact(keys)
	c.Contacts = len(keys)
	return keys, nil
}

// complete records the completion, after the last row.
func (w *work) complete(ctx context.Context) error {
	o := w.o.Consultation
	c := &Completion{}
	keys, err := w.answers.read(c)
	if err != nil || len(keys) == 0 {
		return err
	}
	c.SetRoot = o.SetRoot(keys)
	c.ID = "consultation-" + digestHex([]byte(w.state.File + w.state.Mapping))[:32]
	source := o.Source
	if source == "" {
		source = w.o.Mapping.source
	}
	body, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": c.ID, "source": source, "type": events.TypeRegisterScreeningCompleted, "time": o.AnsweredAt, "controller": o.Controller,
		"data": events.RegisterScreeningCompleted{Batch: o.Batch, List: o.List, SnapshotAt: o.SnapshotAt, Submitted: &c.Submitted, Clear: &c.Clear, Opposed: &c.Opposed,
			Selective: &c.Selective, Invalid: &c.Invalid, SetRoot: c.SetRoot, SubmittedBy: o.SubmittedBy, Register: o.Register},
	})
	if err != nil {
		return fmt.Errorf("imports complete consultation: %w", err)
	}
	out, err := w.o.Sink.Send(ctx, [][]byte{body})
	if err != nil {
		return fmt.Errorf("imports complete consultation: %w", err)
	}
	c.Result = out[0].Result
	w.state.Summary.Consultation = c
	if c.Result == Rejected {
		return fmt.Errorf("imports complete consultation: %w: its completion was rejected: %s", ErrMapping, out[0].Errors)
	}
	return nil
}
