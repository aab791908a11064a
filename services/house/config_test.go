package house

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "assenso.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLaterSourcesWin(t *testing.T) {
	path := write(t, "data: /from/file\nlisten: 127.0.0.1:1\ngateway: {receipt_wait: 2s}\nonly: [gateway]\n")
	got, err := Load(path, []string{"ASSENSO_LISTEN=127.0.0.1:2", "ASSENSO_LEDGER__DURABILITY=bounded", "ASSENSO_SERVER=http://x", "OTHER=1"},
		map[string]any{"ledger.partitions": 8})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Data, want.Listen, want.Only = "/from/file", "127.0.0.1:2", []string{"gateway"}
	want.Ledger.Durability, want.Ledger.Partitions, want.Gateway.ReceiptWait = "bounded", 8, 2*time.Second
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("configuration differs (-want +got):\n%s", d)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	got, err := Load("", nil, nil)
	if err != nil || cmp.Diff(Default(), got) != "" {
		t.Errorf("%v %s", err, cmp.Diff(Default(), got))
	}
}

func TestFaultsNameTheKeyAndTheRemedy(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"unknown key", "dta: x\n", "dta"},
		{"unknown nested key", "ledger: {partition: 4}\n", "partition"},
		{"not yaml", "data: [\n", "assenso.yaml"},
		{"service", "only: [gateways]\n", "recorder.revocations"},
		{"open door", "listen: 0.0.0.0:8080\n", "loopback"},
		{"no port", "listen: localhost\n", "host:port"},
		{"durability", "ledger: {durability: most}\n", "strict, bounded or fast"},
		{"partitions", "ledger: {partitions: 0}\n", "between 1 and 256"},
		{"log", "log: {level: loud, format: prose}\n", "log.format"},
		{"wait", "gateway: {receipt_wait: 0s}\n", "greater than zero"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(write(t, c.file), nil, nil)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not say %q", err, c.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "missing.yaml"), nil, nil); !errors.Is(err, ErrConfig) {
		t.Errorf("missing file: %v", err)
	}
}

func TestOnlyChoosesServices(t *testing.T) {
	all, some := Default(), Default()
	some.Only = []string{ServiceGateway}
	for _, s := range Services {
		if !all.Runs(s) || some.Runs(s) != (s == ServiceGateway) {
			t.Errorf("%s: all %v, some %v", s, all.Runs(s), some.Runs(s))
		}
	}
}
