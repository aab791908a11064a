package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/access"
)

func (f *fakeDesk) Number(_ context.Context, key events.ContactKey) (string, error) {
	if key == (events.ContactKey{2}) {
		return "", fmt.Errorf("fake vault: %w", ErrUnknown)
	}
	return "+393331234567", f.err
}

// as lets everybody in under one role.
type as access.Role

func (r as) Authenticate(access.Request) (access.Actor, error) {
	return access.Actor{ID: "key-1", Role: access.Role(r)}, nil
}

func TestNumbersAreForTheRoleThatMaySeeThem(t *testing.T) {
	for _, role := range access.Roles {
		b := start(t, func(c *Config) { c.Access = as(role) })
		status, _, body := b.post(t, "/v1/campaigns/K-A/report:numbers", "application/json", `{"reason":"request 12/2026"}`)
		if !role.SeesNumbers() {
			if status != http.StatusForbidden || strings.Contains(string(body), "+39") {
				t.Errorf("%s: %d %s", role, status, body)
			}
			continue
		}
		got := decode[ReportNumbers](t, body)
		taken := b.intake.submissions()
		if len(taken) != 1 {
			t.Fatalf("%s: %d events were submitted, want access.exercised alone", role, len(taken))
		}
		said := decode[struct {
			ID   string
			Type events.Type
			Data events.AccessExercised
		}](t, taken[0].Body)
		if want := (events.AccessExercised{Act: "report.numbers", Actor: "key-1", Object: "report of K-A", Reason: "request 12/2026"}); said.Type != events.TypeAccessExercised || said.ID != got.Exercised.ID || said.Data != want {
			t.Errorf("%s: submitted %+v, want %+v", role, said, want)
		}
		if status != http.StatusOK || len(got.Numbers) != 1 || got.Numbers[0].Number != "+393331234567" || got.Forgotten != 1 || got.Exercised.ID == "" {
			t.Errorf("%s: %d %s", role, status, body)
		}
	}
}

func TestWithoutARecordNoNumberIsGiven(t *testing.T) {
	b := start(t, nil)
	b.intake.full = 1000
	status, _, body := b.post(t, "/v1/campaigns/K-A/report:numbers", "application/json", `{"reason":"request 12/2026"}`)
	if status != http.StatusServiceUnavailable || strings.Contains(string(body), "+39") {
		t.Errorf("%d %s", status, body)
	}
}

func TestNumbersNeedAReason(t *testing.T) {
	b := start(t, nil)
	if status, _, answer := b.post(t, "/v1/campaigns/K-A/report:numbers", "application/json", `{"reason":"ask +39 333 123 4567"}`); status != http.StatusBadRequest || len(b.intake.submissions()) != 0 {
		t.Errorf("a reason with a number: %d %s", status, answer)
	}
	for _, body := range []string{`{}`, `{"reason":"x"}`} {
		if status, _, answer := b.post(t, "/v1/campaigns/K-A/report:numbers", "application/json", body); status != http.StatusUnprocessableEntity || strings.Contains(string(answer), "+39") {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
}
