package crdbview

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/view"
)

func (r *reading) campaigns(query string, args ...any) ([]view.Campaign, error) {
	var out []view.Campaign
	err := r.each(func(row pgx.Rows) error {
		c := view.Campaign{Counters: map[string]int64{}}
		var controller, campaign, counters []byte
		var first, last *int64
		if err := row.Scan(&controller, &campaign, &first, &last, &counters, &c.Starts); err != nil {
			return err
		}
		c.Controller, c.Campaign = string(controller), string(campaign)
		c.FirstDialled, c.LastDialled = orZero(first), orZero(last)
		if err := json.Unmarshal(counters, &c.Counters); err != nil {
			return fmt.Errorf("%w: counters of a campaign: %w", view.ErrCorrupt, err)
		}
		out = append(out, c)
		return nil
	}, query, args...)
	return out, err
}

// campaign returns the line of c, an empty one if there is none.
func (r *reading) campaign(c view.CampaignRef) (line view.Campaign, there bool, err error) {
	list, err := r.campaigns(sqlCampaign, []byte(c.Controller), []byte(c.Campaign))
	if err != nil || len(list) == 0 {
		return view.Campaign{CampaignRef: c, Counters: map[string]int64{}}, false, err
	}
	return list[0], true, nil
}

// Change implements view.Tx.
func (t *transaction) Change(changes []view.Change) error {
	for i := range changes {
		if err := t.change(&changes[i]); err != nil {
			return failed("count", err)
		}
	}
	return nil
}

func (t *transaction) change(c *view.Change) error {
	line, _, err := t.campaign(c.CampaignRef)
	if err != nil {
		return err
	}
	for name, n := range c.Counters {
		if line.Counters[name] += n; line.Counters[name] == 0 {
			delete(line.Counters, name)
		}
	}
	if c.FirstDialled != 0 && (line.FirstDialled == 0 || c.FirstDialled < line.FirstDialled) {
		line.FirstDialled = c.FirstDialled
	}
	line.LastDialled = max(line.LastDialled, c.LastDialled)
	if c.Starts != nil {
		line.Starts = c.Starts
	}
	if c.Recount {
		if err := t.recount(&line); err != nil {
			return err
		}
	}
	return t.putCampaign(&line)
}

// recount takes first and last attempt from the rows.
func (t *transaction) recount(line *view.Campaign) error {
	var first, last *int64
	err := t.tx.QueryRow(t.ctx, sqlDialled, []byte(line.Controller), []byte(line.Campaign)).Scan(&first, &last)
	line.FirstDialled, line.LastDialled = orZero(first), orZero(last)
	return err
}

func (t *transaction) putCampaign(line *view.Campaign) error {
	counters, err := json.Marshal(line.Counters)
	if err != nil {
		return err
	}
	_, err = t.exec(sqlPutCampaign, []byte(line.Controller), []byte(line.Campaign), orNull(line.FirstDialled), orNull(line.LastDialled), counters, line.Starts)
	return err
}

// Campaigns implements view.Tx.
func (t *transaction) Campaigns() ([]view.Campaign, error) {
	out, err := t.campaigns(sqlCampaigns)
	return out, failed("list campaigns", err)
}

// Campaigns implements view.Reader.
func (s *Store) Campaigns(ctx context.Context) ([]view.Campaign, error) {
	return ask(ctx, s, "list campaigns", func(r *reading) ([]view.Campaign, error) { return r.campaigns(sqlCampaigns) })
}

// Campaign implements view.Reader.
func (s *Store) Campaign(ctx context.Context, c view.CampaignRef) (view.Campaign, error) {
	return ask(ctx, s, "read campaign", func(r *reading) (view.Campaign, error) {
		line, there, err := r.campaign(c)
		if err == nil && !there {
			return view.Campaign{}, view.ErrUnknown
		}
		return line, err
	})
}

// Sweeps implements view.Tx.
func (t *transaction) Sweeps() ([]view.Sweep, error) {
	out, err := t.sweeps()
	return out, failed("read sweeps", err)
}

func (r *reading) sweeps() ([]view.Sweep, error) {
	var out []view.Sweep
	err := r.each(func(row pgx.Rows) error {
		var s view.Sweep
		var controller, campaign, contact []byte
		var from, until int64
		if err := row.Scan(&controller, &campaign, &from, &until, &contact); err != nil {
			return err
		}
		s.Controller, s.Campaign, s.After = string(controller), string(campaign), events.ContactKey(contact)
		s.From, s.Until = instant(from), instant(until)
		out = append(out, s)
		return nil
	}, sqlSweeps)
	return out, err
}

// PutSweeps implements view.Tx. The line of a campaign is made by Change.
func (t *transaction) PutSweeps(sweeps []view.Sweep) error {
	sweeps = fold(sweeps, func(s *view.Sweep) view.CampaignRef { return s.CampaignRef })
	return failed("store sweeps", write(&t.reading, sqlPutSweeps, sweeps, func(rows []view.Sweep) []any {
		return []any{
			column(rows, func(s *view.Sweep) []byte { return []byte(s.Controller) }),
			column(rows, func(s *view.Sweep) []byte { return []byte(s.Campaign) }),
			column(rows, func(s *view.Sweep) int64 { return s.From.UnixMicro() }),
			column(rows, func(s *view.Sweep) int64 { return s.Until.UnixMicro() }),
			column(rows, func(s *view.Sweep) []byte { return s.After[:] }),
		}
	}))
}

// DropSweeps implements view.Tx.
func (t *transaction) DropSweeps(campaigns []view.CampaignRef) error {
	return failed("drop sweeps", write(&t.reading, sqlDropSweeps, campaigns, func(rows []view.CampaignRef) []any {
		return []any{
			column(rows, func(c *view.CampaignRef) []byte { return []byte(c.Controller) }),
			column(rows, func(c *view.CampaignRef) []byte { return []byte(c.Campaign) }),
		}
	}))
}
