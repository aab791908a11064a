package house

import (
	"context"

	"go.uber.org/zap"

	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/consentstate"
	"github.com/assenso/assenso/services/projection/violations"
	"github.com/assenso/assenso/services/telemetry"
	"github.com/assenso/assenso/services/view"
)

// openProjections wires the projections that this house runs. violations reads
// what consentstate has written, so it waits for it.
func (h *House) openProjections(context.Context) error {
	h.projected = []view.Projection{consentstate.Name, violations.Name}
	upstream := projection.Poll(h.view, consentstate.Name, settlePoll)
	if h.cfg.Runs(ServiceConsentState) {
		upstream = h.project(ServiceConsentState, consentstate.New(nil), projection.Config{}).Await
	}
	h.indexed = upstream
	if h.cfg.Runs(ServiceViolations) {
		h.project(ServiceViolations, violations.New(h.engine), projection.Config{Upstream: upstream})
	}
	return nil
}

// project adds a runner; what it retries is logged.
func (h *House) project(name string, p projection.Projection, cfg projection.Config) *projection.Runner {
	cfg.Report = func(err error) {
		h.notice(err)
		h.log.Warn("projection: trying again", zap.String("service", name), telemetry.Err(err))
	}
	var source projection.Source = h.ledger
	if h.shuffle != nil {
		source = shuffled{source, *h.shuffle}
	}
	r := projection.NewRunner(source, h.view, p, cfg)
	h.running = append(h.running, service{name, background(r.Run)})
	return r
}
