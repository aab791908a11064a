package gateway

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// healthRoutes registers what operators and supervisors ask.
func (g *Gateway) healthRoutes(mux *http.ServeMux) {
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.cfg.Metrics, promhttp.HandlerOpts{}))
	register(g, huma.Operation{OperationID: "healthz", Method: http.MethodGet, Path: "/healthz", Tags: []string{"operating"}, Summary: "Is the process alive?"},
		func(context.Context, *struct{}) (Health, error) {
			return Health{Status: "ok", Version: g.cfg.Version}, nil
		})
	ready := schemaOf[Health](g)
	g.raw(&huma.Operation{OperationID: "readyz", Method: http.MethodGet, Path: "/readyz", Tags: []string{"operating"}, Summary: "Does everything behind the door do its work?",
		Responses: map[string]*huma.Response{
			"200": {Description: "ready", Content: map[string]*huma.MediaType{"application/json": {Schema: ready}}},
			"503": {Description: "not ready, with the reasons", Content: map[string]*huma.MediaType{"application/json": {Schema: ready}}},
		}}, g.ready)
}

func (g *Gateway) ready(w http.ResponseWriter, r *http.Request) {
	h := Health{Status: "ok", Version: g.cfg.Version, Durability: g.cfg.Readiness.Durability()}
	h.Reasons, h.Lag = g.cfg.Readiness.Ready(r.Context())
	if len(h.Reasons) > 0 {
		h.Status = "not ready"
		w.Header().Set("Retry-After", "2")
		writeJSON(w, http.StatusServiceUnavailable, "application/json", h)
		return
	}
	writeJSON(w, http.StatusOK, "application/json", h)
}
