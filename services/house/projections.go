package house

import (
	"context"

	"go.uber.org/zap"

	"github.com/assenso/assenso/services/projection"
	"github.com/assenso/assenso/services/projection/consentstate"
	"github.com/assenso/assenso/services/telemetry"
	"github.com/assenso/assenso/services/view"
)

// consentState is whose progress says how current the event index is.
var consentState = consentstate.Name

// openProjections wires the projections that this house runs.
func (h *House) openProjections(context.Context) error {
	h.projected = []view.Projection{consentState}
	if h.cfg.Runs(ServiceConsentState) {
		h.project(ServiceConsentState, consentstate.New(nil), projection.Config{})
	}
	return nil
}

// project adds a runner; what it retries is logged.
func (h *House) project(name string, p projection.Projection, cfg projection.Config) *projection.Runner {
	cfg.Report = func(err error) {
		h.log.Warn("projection: trying again", zap.String("service", name), telemetry.Err(err))
	}
	r := projection.NewRunner(h.ledger, h.view, p, cfg)
	h.running = append(h.running, service{name, r.Run})
	return r
}
