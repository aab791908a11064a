package report

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/contact"
	"github.com/assenso/assenso/services/rules"
	"github.com/assenso/assenso/services/view"
)

// Format is the version of the report's JSON form.
const Format = "assenso.report/1"

// Engine is what the report needs of rules.Engine.
type Engine interface {
	Assess(h *contact.History, ref *rules.Reference, a rules.Attempt, r events.Instant) rules.Assessment
}

// Source is where a report is built from. It is set once and shared.
type Source struct {
	View   view.Reader
	Decode func(body []byte) (events.Event, error)
	Engine Engine
	// Open returns what the log within asOf holds of the campaign.
	Open     func(ctx context.Context, c view.CampaignRef, asOf view.Positions) (Campaign, error)
	Rules    []rules.Rule
	Packs    *rules.Packs
	Program  string // version of the program
	ZoneData string // version of the time-zone database
	Workers  int    // how many attempts are evaluated side by side; 0 = 2
}

// Campaign is the part of the log that one campaign's report is built from.
type Campaign interface {
	// Reference returns the reference facts, ready for the evaluation of every
	// attempt of the campaign, side by side.
	Reference() *rules.Reference
	// Contacts visits the histories of the contacts with a call of the
	// campaign, in the order of their keys, once each; it may visit others.
	// yield must not keep the history.
	Contacts(ctx context.Context, yield func(view.History) error) error
	// Rows counts the contacts that stood on a list at any time, as of r.
	Rows(ctx context.Context, list string, r events.Instant) (int, error)
	// Objects evaluates the object-level rules as of r, but LED-01, as far as
	// they concern the campaign, its contacts or its controller; in any order.
	// Nobody reads the Reference meanwhile.
	Objects(ctx context.Context, r events.Instant) ([]rules.Finding, error)
}

// Question says which report is wanted.
type Question struct {
	Campaign view.CampaignRef
	// AsOf is R, Positions the vector that it resolves to. The caller has seen
	// to it that both are final and that the view has applied them.
	AsOf      events.Instant
	Positions view.Positions
	// Since is an earlier R; corrections recorded after it are listed. Zero:
	// all corrections.
	Since events.Instant
}

// Report is a campaign's report. Its parts are those of rules.md 7, in their
// order. It is immutable once built.
type Report struct {
	Format      string      `json:"format"`
	Header      Header      `json:"header"`
	Register    Register    `json:"register"`
	Bases       Bases       `json:"bases"`
	Oppositions Oppositions `json:"oppositions"`
	Lists       Lists       `json:"lists"`
	Conduct     Conduct     `json:"conduct"`
	Pressure    Pressure    `json:"pressure"`
	Contracts   Contracts   `json:"contracts"`
	Findings    Findings    `json:"findings"`
	Gaps        Gaps        `json:"gaps"`
	NonFindings NonFindings `json:"non_findings"`
	// Digest is SHA-256 of the RFC 8785 form of the report without this field.
	Digest events.Digest `json:"digest,omitzero"`

	titles map[string]rules.Text // of the rules, for people
}

// ErrNoCampaign: the log within the positions opens no such campaign and holds
// no attempt of it.
var ErrNoCampaign = fmt.Errorf("campaign unknown: %w", view.ErrUnknown)

// Build makes the report. The errors wrap ErrNoCampaign, those of the view, or
// that of ctx; a report is whole or not there.
func Build(ctx context.Context, s Source, q Question) (*Report, error) {
	b := &builder{source: s, question: q}
	if err := b.references(ctx); err != nil {
		return nil, err
	}
	if err := b.gather(ctx); err != nil {
		return nil, err
	}
	if len(b.opened) == 0 && b.attempts == 0 {
		return nil, fmt.Errorf("build report of campaign %s of %s: %w", q.Campaign.Campaign, q.Campaign.Controller, ErrNoCampaign)
	}
	objects, err := b.log.Objects(ctx, q.AsOf)
	if err != nil {
		return nil, fmt.Errorf("build report: evaluate objects: %w", err)
	}
	r := &Report{Format: Format, titles: map[string]rules.Text{}}
	for i := range s.Rules {
		r.titles[s.Rules[i].ID] = s.Rules[i].Title
	}
	r.Findings = b.findings.finish(b, objects)
	r.Gaps = b.gaps(objects)
	r.Register = b.register.finish(b)
	r.Bases = b.bases.finish()
	r.Oppositions = b.oppositions.finish(&r.Findings)
	if r.Lists, err = b.listsPart(ctx, &r.Findings); err != nil {
		return nil, err
	}
	r.Conduct = b.conduct.finish(&r.Findings)
	r.Pressure = b.pressure.finish()
	r.Contracts = b.contracts.finish(b, &r.Findings)
	r.NonFindings = b.nonFindings(&r.Findings)
	r.Header = b.header()
	if r.Digest, err = r.digest(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Report) digest() (events.Digest, error) {
	bare := *r
	bare.Digest = events.Digest{}
	h := sha256.New()
	err := writeCanonical(h, reflect.ValueOf(bare), streamDepth)
	return events.Digest(h.Sum(nil)), err
}

// WriteJSON writes the RFC 8785 form with a line feed behind it.
func (r *Report) WriteJSON(w io.Writer) error {
	buffered := bufio.NewWriter(w)
	if err := writeCanonical(buffered, reflect.ValueOf(r).Elem(), streamDepth); err != nil {
		return err
	}
	if err := errors.Join(buffered.WriteByte('\n'), buffered.Flush()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
