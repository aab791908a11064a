package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assenso/assenso/services/house"
)

// TestTheReportFindsExactlyThePlantedViolations plays a small day from files
// through the doors to the reports.
func TestTheReportFindsExactlyThePlantedViolations(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	var out, log bytes.Buffer
	err := run(t.Context(), []string{"demo", "--data", folder, "--listen", "127.0.0.1:0", "--durability", "fast", "--contacts", "600", "--seed", "5", "--json"},
		streams{in: strings.NewReader(""), out: &out, err: &log})
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), log.String())
	}
	var r demoResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Planted == 0 || r.Found != r.Planted || r.wrong() || len(r.Campaigns) != 4 {
		t.Errorf("planted %d, found %d, missing %v, unexpected %v, differences %v, campaigns %v", r.Planted, r.Found, r.Missing, r.Unexpected, r.Differences, r.Campaigns)
	}
	for _, c := range r.Campaigns {
		for _, suffix := range []string{".json", ".csv", ".zip", ".html", ".it.html", ".it.pdf"} {
			if info, err := os.Stat(filepath.Join(folder, demoFolder, "reports", c+suffix)); err != nil || info.Size() == 0 {
				t.Errorf("report %s%s: %v", c, suffix, err)
			}
		}
	}
	sameAgain(t, folder, r.Campaigns[0])
}

// sameAgain serves the demonstration's folder once more: the report as of the
// same instant has the same bytes.
func sameAgain(t *testing.T, folder, campaign string) {
	t.Helper()
	before, err := os.ReadFile(filepath.Join(folder, demoFolder, "reports", campaign+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Header struct {
			AsOf string `json:"as_of"`
		} `json:"header"`
	}
	if err := json.Unmarshal(before, &r); err != nil || r.Header.AsOf == "" {
		t.Fatalf("the report does not name its as_of: %v", err)
	}
	cfg := house.Default()
	cfg.Data, cfg.Listen, cfg.Ledger.Durability = folder, "127.0.0.1:0", "fast"
	log, err := house.NewLog(house.LogConfig{Level: "error", Format: "json"}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	h, err := house.Open(t.Context(), cfg, house.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	if err := h.Settle(t.Context(), h.Now()); err != nil {
		t.Fatal(err)
	}
	var after bytes.Buffer
	err = run(t.Context(), []string{"report", campaign, "--as-of", r.Header.AsOf, "--server", "http://" + h.Address()}, streams{out: &after, err: os.Stderr})
	cancel()
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after.Bytes()) {
		t.Errorf("the report as of %s has other bytes after a restart", r.Header.AsOf)
	}
}

func TestADemonstrationSparesOtherFolders(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "precious"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"demo", "--data", folder, "--contacts", "300"}, streams{out: os.Stderr, err: os.Stderr})
	if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "precious")); err != nil {
		t.Error(err)
	}
}
