package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/listcheck"
	"github.com/assenso/assenso/services/rules"
)

// Lists checks lists of contacts; the gate of this process does.
type Lists interface {
	// OpenList makes a question ready for many contacts, judged at an instant to
	// plan for, zero = now. The errors are those of package listcheck, or
	// ErrNoGate.
	OpenList(ctx context.Context, a rules.Attempt, at events.Instant) (ListCheck, error)
}

// ListCheck is one question that is put to many contacts.
type ListCheck interface {
	listcheck.List
	Head() listcheck.Head
	// Applied returns the positions that answers given from now on rest on.
	Applied() map[string]uint64
}

// batchRoutes registers list checks.
func (g *Gateway) batchRoutes() {
	ndjson := func(description string) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{typeNDJSON: {Schema: &huma.Schema{Type: huma.TypeString, Description: description}}}
	}
	g.raw(&huma.Operation{
		OperationID: "decideList", Method: http.MethodPost, Path: "/v1/decisions:batch", Tags: []string{"decisions"},
		Summary: "Which numbers of a list may be called?",
		Description: "NDJSON of any length. The first line is the question, as in POST /v1/decisions without number, contact and attempt; with at, the list is planned for that later instant. " +
			"Each further line is a number, or an object with number (or contact), country and ref. Each is answered by one line, in order, while the request is read; the last line is the summary: " +
			"counts, ledger positions and the Merkle root over the answers, recorded as decision.batch_issued. A last line with the member problem says why the check ended early: then nothing is recorded, check the list again. " +
			"The answer plans: it replaces no question before the call. How the root is made is said in services/listcheck.",
		RequestBody: &huma.RequestBody{Required: true, Content: ndjson("the question, then one number a line")},
		Responses: map[string]*huma.Response{
			"200": {Description: "one answer a line, then the summary", Content: ndjson("answers {contact, errors, index, reasons, ref, register_until, valid_until, verdict}, then the summary")},
			"400": g.problemResponse("the question cannot be understood"),
			"415": g.problemResponse("content type not supported"),
			"422": g.problemResponse("unknown campaign, no rule pack, or an instant that has passed"),
			"503": g.problemResponse("the gate is in doubt or away: check the list again"),
		},
	}, g.checkList)
	register(g, huma.Operation{OperationID: "getListCheck", Method: http.MethodGet, Path: "/v1/lists/{id}", Tags: []string{"decisions"}, Summary: "Recorded commitment to a list check",
		Description: "The decision.batch_issued of a list check, by the id that its summary names, once the view has applied it."},
		func(ctx context.Context, in *struct {
			ID string `path:"id" maxLength:"128"`
		}) (inquiry.ListCheck, error) {
			return g.cfg.Desk.ListCheck(ctx, in.ID)
		})
}

// checkList answers POST /v1/decisions:batch.
func (g *Gateway) checkList(w http.ResponseWriter, r *http.Request) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != typeNDJSON && media != "application/ndjson" {
		problem(http.StatusUnsupportedMediaType, "media-type", "content type not supported", "send "+typeNDJSON+": the question, then one number a line").write(w)
		return
	}
	s := &listStream{gateway: g, rc: http.NewResponseController(w), body: r.Body, fill: r.ContentLength > 0, w: w}
	s.in = bufio.NewReaderSize(s, 256<<10)
	question, err := s.first()
	if err != nil {
		bodyProblem(err).write(w)
		return
	}
	q, at, faults := listcheck.ParseQuestion(question)
	if len(faults) > 0 {
		problemOf(&events.Refusal{Errors: faults}).write(w)
		return
	}
	list, err := g.cfg.Lists.OpenList(r.Context(), listcheck.Attempt(&q), at)
	if err != nil {
		g.failed(r.Context(), err).write(w)
		return
	}
	if err := s.rc.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		problemOf(err).write(w)
		return
	}
	w.Header().Set("Content-Type", typeNDJSON)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	if err := s.answer(r.Context(), list, q.Country); err != nil {
		g.log.Info("gateway: list check ended early", requestField(r.Context()), errorField(err))
	}
}

// listStream reads a list and writes its answers.
type listStream struct {
	gateway *Gateway
	rc      *http.ResponseController
	in      *bufio.Reader
	fill    bool // wait for whole chunks: the body is not written line by line
	w       http.ResponseWriter
	stopped atomic.Bool

	body  io.Reader
	mu    sync.Mutex
	ended bool // the body has been read to its end
}

// Read implements io.Reader: it reads the body and notes its end.
func (s *listStream) Read(b []byte) (int, error) {
	n, err := s.body.Read(b)
	if errors.Is(err, io.EOF) {
		s.mu.Lock()
		s.ended = true
		s.mu.Unlock()
	}
	return n, err
}

// first returns the first line that is not empty.
func (s *listStream) first() ([]byte, error) {
	if err := s.rc.SetReadDeadline(s.gateway.deadline(s.gateway.cfg.IdleTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	for {
		text, err := readLine(s.in)
		if len(text) > 0 || errors.Is(err, io.EOF) {
			return text, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// answer answers the list and ends it with its summary, or with the problem
// that cut it off.
func (s *listStream) answer(ctx context.Context, list ListCheck, country string) error {
	if err := s.rc.Flush(); err != nil { // a client may wait for this before it sends a number
		return err
	}
	summary, err := s.check(ctx, list, country)
	if err == nil {
		return s.last(summary)
	}
	err = s.last(struct {
		Problem *Problem `json:"problem"`
	}{s.gateway.failed(ctx, err)})
	s.drain()
	return err
}

// drain takes in what the client still sends after the last line: a connection
// that is closed on it would take that line from a client that has not read yet.
// It is bounded in bytes and time; a client that goes on may lose the line.
func (s *listStream) drain() {
	if s.ended {
		return
	}
	_ = s.rc.SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.CopyN(io.Discard, s.in, drainBytes)
}

// Bounds of drain.
const (
	drainTime  = 2 * time.Second
	drainBytes = 64 << 20
)

// check answers the list and records the commitment.
func (s *listStream) check(ctx context.Context, list ListCheck, country string) (listcheck.Summary, error) {
	g := s.gateway
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.feeds, cancel)()
	head := list.Head()
	run := listcheck.Run{
		List: list, Normalise: g.cfg.Normalise, Key: g.cfg.Key, Country: country, At: head.Instant,
		Read: s.read, Write: s.write, Stop: s.stop,
	}
	totals, err := run.Do(running)
	if err != nil && g.feeds.Err() != nil {
		return listcheck.Summary{}, problem(http.StatusServiceUnavailable, "stopping", "the server is stopping", "check the list again")
	}
	if err != nil {
		return listcheck.Summary{}, err
	}
	summary, err := listcheck.Summarise(&head, &totals, list.Applied())
	if err == nil && summary.Count > 0 {
		err = g.recordList(ctx, &summary)
	}
	return summary, err
}

// read adds the lines that are there to a chunk, at least one unless the body
// ends. Empty lines are passed over.
func (s *listStream) read(c *listcheck.Chunk) error {
	_ = s.rc.SetReadDeadline(s.gateway.deadline(s.gateway.cfg.IdleTimeout))
	if s.stopped.Load() {
		return context.Canceled
	}
	for !c.Full() {
		text, err := s.line()
		if len(text) > 0 {
			c.Add(text)
		}
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		if err != nil {
			return bodyProblem(err)
		}
		if !s.fill && c.Len() > 0 && !lineBuffered(s.in) {
			return nil
		}
	}
	return nil
}

// line returns the next line, trimmed; it is valid until the next. Of a line
// that is longer than the buffer the beginning is kept: it cannot be read anyway.
func (s *listStream) line() ([]byte, error) {
	text, err := s.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		text = bytes.Clone(text[:listcheck.MaxLine+1])
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = s.in.ReadSlice('\n')
		}
	}
	return bytes.TrimSpace(text), err
}

// stop ends a read that waits for the client. Behind the end of the body the
// server itself listens for the next request: a deadline would break that off,
// and with it every later request of the connection.
func (s *listStream) stop() {
	s.stopped.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	_ = s.rc.SetReadDeadline(time.Unix(1, 0))
}

// write sends the answers of a chunk at once.
func (s *listStream) write(lines []byte) error {
	_ = s.rc.SetWriteDeadline(s.gateway.deadline(s.gateway.cfg.IdleTimeout))
	if _, err := s.w.Write(lines); err != nil {
		return fmt.Errorf("gateway write answers: %w", err)
	}
	return s.rc.Flush()
}

// last sends the line that ends the answer.
func (s *listStream) last(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("gateway encode summary: %w", err)
	}
	return s.write(append(b, '\n'))
}

// recordList records the commitment and waits for its receipt. The same bytes
// are sent until they are taken, so that it is recorded once. It goes on when
// the client has gone: the answers were given.
func (g *Gateway) recordList(ctx context.Context, s *listcheck.Summary) error {
	body, err := s.Event()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.cfg.StallTimeout+g.cfg.ReceiptWait)
	defer cancel()
	p, _ := g.sendPatiently(ctx, 0, [][]byte{body}, "")
	if p.fault != nil {
		return p.fault
	}
	g.door.finish(ctx, p, g.cfg.ReceiptWait)
	g.count(p.items)
	item := p.items[0]
	switch item.Result {
	case Recorded, Duplicate, Accepted:
		s.Record.Result, s.Record.Stream, s.Record.Sequence, s.Record.RecordedTime = string(item.Result), item.Stream, item.Sequence, item.RecordedTime
		return nil
	}
	doc := problem(http.StatusInternalServerError, "list-not-recorded", "the answers were given, but their commitment was not recorded", "check the list again")
	doc.Errors = item.Errors
	return doc
}
