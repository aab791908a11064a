package house

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/access"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/rules"
)

func TestARestartKeepsEverythingAndDoublesNothing(t *testing.T) {
	cfg := quick(t)
	first := startWith(t, cfg, Options{})
	_, body := first.do(t, http.MethodPost, "/v1/events", "application/json", grant)
	recorded := decode[gateway.Item](t, body)
	if recorded.Result != gateway.Recorded {
		t.Fatalf("%s", body)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := startWith(t, cfg, Options{})
	second.settle(t)
	_, body = second.do(t, http.MethodPost, "/v1/events", "application/json", grant)
	again := decode[gateway.Item](t, body)
	if again.Result != gateway.Duplicate || again.Stream != recorded.Stream || again.Sequence != recorded.Sequence || again.RecordedTime != recorded.RecordedTime {
		t.Errorf("again %+v, first %+v", again, recorded)
	}
	status, body := second.do(t, http.MethodGet, "/v1/contacts/"+recorded.Contact+"/timeline", "", "")
	if line := decode[inquiry.Timeline](t, body); status != 200 || len(line.Entries) != 1 || !line.Entries[0].Counts {
		t.Errorf("%d %s", status, body)
	}
}

func TestARecorderRunsAlone(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Only = []string{ServiceGateway, RecorderOf(events.FamilyRevocations)}
		c.Gateway.ReceiptWait = 10 * time.Second
	})
	if _, body := r.do(t, http.MethodPost, "/v1/events", "application/json", wish); decode[gateway.Item](t, body).Result != gateway.Recorded {
		t.Errorf("a revocation: %s", body)
	}
	r2 := start(t, func(c *Config) {
		c.Only = []string{ServiceGateway, RecorderOf(events.FamilyRevocations)}
		c.Gateway.ReceiptWait = 100 * time.Millisecond
	})
	if status, body := r2.do(t, http.MethodPost, "/v1/events", "application/json", grant); status != 202 || decode[gateway.Item](t, body).Result != gateway.Accepted {
		t.Errorf("a grant without its recorder: %d %s", status, body)
	}
	status, body := r2.do(t, http.MethodGet, "/readyz", "", "")
	if h := decode[gateway.Health](t, body); status != 503 || !strings.Contains(strings.Join(h.Reasons, ";"), "recorder.grants has never reported") {
		t.Errorf("readiness: %d %s", status, body)
	}
}

func TestADecisionIsBlockedUntilTheCampaignIsKnown(t *testing.T) {
	r := start(t, nil)
	r.settle(t)
	ask := `{"number":"+393401234567","controller":"A","campaign":"K-A","cli":"+390844100100"}`
	status, body := r.do(t, http.MethodPost, "/v1/decisions", "application/json", ask)
	d := decode[events.Receipt](t, body)
	if status != 200 || d.Verdict != events.VerdictBlock || !hasReason(d, rules.UnknownCampaign) {
		t.Errorf("%d %s", status, body)
	}
	opened := `{"specversion":"1.0","id":"k-1","source":"crm.a.example","type":"campaign.opened.v1","time":"2026-01-10T12:00:00+01:00","controller":"A","campaign":"K-A","data":{"purpose":"marketing","channels":["operator_call"],"sector":"telecom","lists":["L-A"],"clis":["+390844100100"]}}`
	if _, body := r.do(t, http.MethodPost, "/v1/events", "application/json", opened); decode[gateway.Item](t, body).Result != gateway.Recorded {
		t.Fatalf("%s", body)
	}
	r.settle(t)
	_, body = r.do(t, http.MethodPost, "/v1/decisions", "application/json", ask)
	d = decode[events.Receipt](t, body)
	if d.Verdict != events.VerdictBlock || hasReason(d, rules.UnknownCampaign) || !hasReason(d, "IT-CON-01") || d.Pack == "" {
		t.Errorf("%s", body)
	}
	status, body = r.do(t, http.MethodGet, "/v1/campaigns/K-A/report", "", "")
	if status != 200 || !strings.Contains(string(body), `"digest"`) {
		t.Errorf("report: %d %s", status, body)
	}
	if status, body = r.do(t, http.MethodGet, "/v1/campaigns/K-A/report?as_of=2036-01-01T00:00:00Z", "", ""); status != 409 || decode[gateway.Problem](t, body).LatestAsOf.IsZero() {
		t.Errorf("report of the future: %d %s", status, body)
	}
}

func hasReason(d events.Receipt, rule string) bool {
	for _, r := range d.Reasons {
		if r.Rule == rule {
			return true
		}
	}
	return false
}

func TestMetricsTellLagAndBeats(t *testing.T) {
	r := start(t, nil)
	r.settle(t)
	status, body := r.do(t, http.MethodGet, "/metrics", "", "")
	for _, series := range []string{`assenso_projection_lag_events{projection="violations"} 0`, `assenso_beat_age_seconds{family="revocations"}`} {
		if status != 200 || !strings.Contains(string(body), series) {
			t.Errorf("%d without %s", status, series)
		}
	}
}

func TestWithKeysOnlyTheirHoldersAreAnswered(t *testing.T) {
	secret, line := access.NewKey("ops", access.Admin)
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, func(c *Config) { c.Access.Keys = path })
	for key, want := range map[string]int{"": 401, "Bearer wrong": 401, "Bearer " + secret: 200} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v1/campaigns", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != want {
			t.Errorf("key %q: %d, want %d (%v)", key, resp.StatusCode, want, err)
		}
	}
	cfg := quick(t)
	cfg.Access.Keys = path + ".missing"
	if err := refused(t, cfg); !errors.Is(err, ErrConfig) {
		t.Errorf("missing key file: %v", err)
	}
}

// The empty key names no contact, although the view keeps under it what bears
// on reference facts: here a campaign that was opened in two ways.
func TestTheEmptyKeyIsNoContact(t *testing.T) {
	r := start(t, nil)
	for _, list := range []string{"L-A", "L-B"} {
		opened := `{"specversion":"1.0","id":"k-1","source":"crm.a.example","type":"campaign.opened.v1","time":"2026-01-10T12:00:00+01:00","controller":"A","campaign":"K-A","data":{"purpose":"marketing","channels":["operator_call"],"sector":"telecom","lists":["` + list + `"],"clis":["+390844100100"]}}`
		if status, body := r.do(t, http.MethodPost, "/v1/events", "application/json", opened); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	r.settle(t)
	for _, path := range []string{"", "/timeline"} {
		if status, body := r.do(t, http.MethodGet, "/v1/contacts/"+strings.Repeat("0", 32)+path, "", ""); status != 404 {
			t.Errorf("%q: %d %s", path, status, body)
		}
	}
}
