package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// Media types of POST /v1/events.
const (
	typeJSON   = "application/json"
	typeEvent  = "application/cloudevents+json"
	typeBatch  = "application/cloudevents-batch+json"
	typeNDJSON = "application/x-ndjson"
)

// MaxBatch is the largest number of events of one JSON array.
const MaxBatch = 1000

// Batch is the answer to a JSON array of events.
type Batch struct {
	Results []*Item        `json:"results" doc:"one for each event, in its order"`
	Counts  map[Result]int `json:"counts" doc:"how many of each result"`
}

// submit answers POST /v1/events.
func (g *Gateway) submit(w http.ResponseWriter, r *http.Request) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && !binaryMode(r.Header) {
		problem(http.StatusUnsupportedMediaType, "media-type", "content type missing or unreadable",
			"send "+typeEvent+", "+typeBatch+", "+typeJSON+" or "+typeNDJSON).write(w)
		return
	}
	wait := g.cfg.ReceiptWait
	if prefersAsync(r.Header) {
		wait = 0
		w.Header().Set("Preference-Applied", "respond-async")
	}
	switch {
	case media == typeNDJSON || media == "application/ndjson":
		g.submitStream(w, r, wait)
	case binaryMode(r.Header) && media != typeEvent && media != typeBatch:
		g.submitBody(w, r, wait, func(body []byte) ([][]byte, bool) { return [][]byte{structured(r.Header, body)}, false })
	case media == typeEvent:
		g.submitBody(w, r, wait, func(body []byte) ([][]byte, bool) { return [][]byte{body}, false })
	case media == typeBatch:
		g.submitBody(w, r, wait, wholeBatch)
	case media == typeJSON:
		g.submitBody(w, r, wait, oneOrMany)
	default:
		problem(http.StatusUnsupportedMediaType, "media-type", "content type not supported",
			"send "+typeEvent+", "+typeBatch+", "+typeJSON+" or "+typeNDJSON).write(w)
	}
}

// wholeBatch reads a body that must be an array; what is none is one broken
// element.
func wholeBatch(body []byte) (raws [][]byte, many bool) {
	if raws, ok := elements(body); ok {
		return raws, true
	}
	return [][]byte{body}, true
}

// oneOrMany reads an array or a single event.
func oneOrMany(body []byte) (raws [][]byte, many bool) {
	if raws, ok := elements(body); ok {
		return raws, true
	}
	return [][]byte{body}, false
}

func prefersAsync(h http.Header) bool {
	for _, line := range h.Values("Prefer") {
		for p := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(p), "respond-async") {
				return true
			}
		}
	}
	return false
}

// submitBody answers a request that is read as a whole.
func (g *Gateway) submitBody(w http.ResponseWriter, r *http.Request, wait time.Duration, split func([]byte) ([][]byte, bool)) {
	if err := http.NewResponseController(w).SetReadDeadline(g.deadline(g.cfg.IdleTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		problemOf(err).write(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.cfg.MaxBody))
	if err != nil {
		bodyProblem(err).write(w)
		return
	}
	raws, many := split(body)
	if len(raws) > MaxBatch {
		problem(http.StatusRequestEntityTooLarge, "batch-too-large", "too many events in one array",
			fmt.Sprintf("an array holds at most %d events: cut it, or send them as %s, which has no limit", MaxBatch, typeNDJSON)).write(w)
		return
	}
	p := g.door.send(r.Context(), 0, raws, traceparent(r.Header))
	g.door.finish(r.Context(), p, wait)
	g.count(p.items)
	if p.fault != nil {
		doc := problemOf(p.fault)
		doc.Detail = "items with result unavailable were not taken: send them again"
		doc.Results = p.items
		doc.write(w)
		return
	}
	if many {
		answerBatch(w, p.items)
		return
	}
	answerOne(w, p.items[0])
}

// bodyProblem tells a body that is too large from one that broke off.
func bodyProblem(err error) *Problem {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return problem(http.StatusRequestEntityTooLarge, "body-too-large", "request body too large",
			fmt.Sprintf("a body holds at most %d bytes: cut it, or send the events as %s", large.Limit, typeNDJSON))
	}
	return problem(http.StatusBadRequest, "body-unreadable", "request body broke off", "nothing of it was taken: send it again")
}

func answerBatch(w http.ResponseWriter, items []*Item) {
	b := Batch{Results: items, Counts: map[Result]int{}}
	status := http.StatusOK
	for _, it := range items {
		b.Counts[it.Result]++
		if it.Result == Accepted {
			status = http.StatusAccepted
		}
	}
	writeJSON(w, status, "application/json", b)
}

// answerOne answers a single event: 200 when a recorder took it, 202 when the
// receipt is late, 422 as a problem when it was rejected.
func answerOne(w http.ResponseWriter, it *Item) {
	switch it.Result {
	case Rejected:
		doc := problem(http.StatusUnprocessableEntity, "event-rejected", "the event was rejected",
			"mend it and send it again under the same identity; the original is kept under its reject id")
		writeJSON(w, doc.Status, "application/problem+json", rejectedEvent{Problem: doc, Item: it})
	case Accepted:
		writeJSON(w, http.StatusAccepted, "application/json", it)
	default:
		writeJSON(w, http.StatusOK, "application/json", it)
	}
}

// rejectedEvent is a problem document that bears the item's members too, so
// that a client reads any answer to a single event as an Item.
type rejectedEvent struct {
	*Problem
	*Item
}

// MarshalJSON joins the members of both.
func (e rejectedEvent) MarshalJSON() ([]byte, error) {
	type members struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Item
	}
	return json.Marshal(members{e.Problem.Type, e.Title, e.Status, e.Detail, *e.Item})
}

func writeJSON(w http.ResponseWriter, status int, media string, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		problemOf(fmt.Errorf("gateway encode answer: %w", err)).write(w)
		return
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client is gone if this fails
}

// traceparent returns the W3C trace context of the request if it has its form.
func traceparent(h http.Header) string {
	t := h.Get("Traceparent")
	if len(t) != 55 || strings.Trim(t, "0123456789abcdef-") != "" {
		return ""
	}
	return t
}
