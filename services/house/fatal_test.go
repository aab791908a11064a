package house

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/vault"
)

// fresh is the configuration of a quick house in a folder of its own.
func quick(t *testing.T) Config {
	cfg := Default()
	cfg.Data, cfg.Listen, cfg.Ledger.Durability = filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", ledger.Fast
	return cfg
}

// refused opens a house that must not start and returns the error.
func refused(t *testing.T, cfg Config) error {
	t.Helper()
	h, err := Open(t.Context(), cfg, Options{Log: zap.NewNop()})
	if err == nil {
		t.Error(h.Close())
		t.Fatal("the house opened")
	}
	return err
}

func TestFaultsThatStopTheStartSayWhatToDo(t *testing.T) {
	made := func(t *testing.T, cfg Config) {
		r := startWith(t, cfg, Options{})
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, cfg *Config)
		want    string
	}{
		{"the pepper was changed", func(t *testing.T, cfg *Config) {
			made(t, *cfg)
			path := filepath.Join(cfg.Data, vault.PepperFile)
			if err := os.WriteFile(path, []byte(strings.Repeat("ab", 32)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "pepper"},
		{"the pepper is gone", func(t *testing.T, cfg *Config) {
			made(t, *cfg)
			if err := os.Remove(filepath.Join(cfg.Data, vault.PepperFile)); err != nil {
				t.Fatal(err)
			}
		}, vault.PepperFile},
		{"the keys were made anew", func(t *testing.T, cfg *Config) {
			made(t, *cfg)
			for _, name := range []string{vault.PepperFile, vault.SealFile, "vault.db"} {
				if err := os.Remove(filepath.Join(cfg.Data, name)); err != nil {
					t.Fatal(err)
				}
			}
		}, "restore"},
		{"the data folder is a file", func(t *testing.T, cfg *Config) {
			if err := os.WriteFile(cfg.Data, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a folder"},
		{"the data folder is open to everybody", func(t *testing.T, cfg *Config) {
			made(t, *cfg)
			if err := os.Chmod(cfg.Data, 0o777); err != nil {
				t.Fatal(err)
			}
		}, "chmod 700"},
		{"another process works on the folder", func(t *testing.T, cfg *Config) { startWith(t, *cfg, Options{}) }, "another assenso process"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := quick(t)
			c.prepare(t, &cfg)
			if err := refused(t, cfg); !errors.Is(err, ErrFatal) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want a fatal one that says %q", err, c.want)
			}
		})
	}
}

func TestABadPackStopsTheStartWithItsLine(t *testing.T) {
	cfg := quick(t)
	cfg.Law.Packs = t.TempDir()
	if err := os.WriteFile(filepath.Join(cfg.Law.Packs, "calendar.yaml"), []byte("holidays: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := refused(t, cfg); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "calendar.yaml") {
		t.Errorf("error %v", err)
	}
}

func TestAnAddressInUseIsAFaultOfTheConfiguration(t *testing.T) {
	r := start(t, nil)
	cfg := quick(t)
	cfg.Listen = r.Address()
	if err := refused(t, cfg); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "another address") {
		t.Errorf("error %v", err)
	}
}

func TestABrokerThatPromisesLessIsRefusedUnlessLossIsAccepted(t *testing.T) {
	owner := quick(t)
	owner.NATS.Listen = "127.0.0.1:0"
	owner.Only = slices.DeleteFunc(slices.Clone(Services), func(name string) bool { return name == RecorderOf(events.FamilyRevocations) })
	first := startWith(t, owner, Options{}) // on a broker in mode fast
	cfg := quick(t)
	cfg.Data, cfg.NATS.URL, cfg.Ledger.Durability = owner.Data, first.broker.URL(), ledger.Strict
	cfg.Only = []string{RecorderOf(events.FamilyRevocations)}
	if err := refused(t, cfg); !errors.Is(err, ErrFatal) || !errors.Is(err, ledger.ErrWeak) || !strings.Contains(err.Error(), "--accept-loss") {
		t.Errorf("error %v", err)
	}
	cfg.Ledger.AcceptLoss = true
	second := startWith(t, cfg, Options{})
	if !strings.Contains(second.Banner(), "acknowledged means") {
		t.Errorf("banner %q", second.Banner())
	}
	status, body := first.do(t, http.MethodPost, "/v1/events", "application/json", wish)
	if it := decode[gateway.Item](t, body); status != 200 || it.Result != gateway.Recorded {
		t.Errorf("a recorder apart from the door: %d %s", status, body)
	}
}

func TestWeakenedSettingsStopARunningHouse(t *testing.T) {
	h, err := Open(t.Context(), quick(t), Options{Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := h.js.Stream(t.Context(), string(ledger.Partition(0)))
	if err != nil {
		t.Fatal(err)
	}
	weak := stream.CachedInfo().Config
	weak.MaxMsgs = 10
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if _, err := h.js.UpdateStream(ctx, weak); err != nil {
		t.Fatal(err)
	}
	if err := h.Run(ctx); !errors.Is(err, ErrFatal) || !errors.Is(err, ledger.ErrWeak) {
		t.Errorf("the house ran on: %v", err)
	}
}
