package embedded_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/ledger"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(fullFolder); dir != "" {
		if err := fill(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, o embedded.Options) *embedded.Server {
	t.Helper()
	srv, err := embedded.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

func TestStoresAcrossARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	srv := start(t, embedded.Options{Data: dir})
	put := func(srv *embedded.Server, connect func(...nats.Option) (*nats.Conn, error)) uint64 {
		nc, err := connect()
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "X", Subjects: []string{"x"}}); err != nil {
			t.Fatal(err)
		}
		ack, err := js.Publish(t.Context(), "x", []byte("kept"))
		if err != nil {
			t.Fatal(err)
		}
		return ack.Sequence
	}
	if got := put(srv, srv.Conn); got != 1 {
		t.Fatalf("first sequence %d", got)
	}
	if err := srv.Check(); err != nil {
		t.Errorf("a healthy broker: %v", err)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	again := start(t, embedded.Options{Data: dir})
	if got := put(again, again.Bulk); got != 2 {
		t.Errorf("sequence after restart %d, want 2", got)
	}
}

func TestSyncIsThatOfTheMode(t *testing.T) {
	for mode, want := range map[ledger.Mode]struct {
		always   bool
		interval time.Duration
	}{
		"":             {true, 2 * time.Minute},
		ledger.Strict:  {true, 2 * time.Minute},
		ledger.Bounded: {false, 100 * time.Millisecond},
		ledger.Fast:    {false, 2 * time.Minute},
	} {
		srv := start(t, embedded.Options{Data: t.TempDir(), Mode: mode})
		always, interval := srv.Sync()
		if always != want.always || !always && interval != want.interval {
			t.Errorf("mode %q: sync always %v every %v", mode, always, interval)
		}
	}
	if _, err := embedded.Start(t.Context(), embedded.Options{Data: t.TempDir(), Mode: "loose"}); err == nil {
		t.Error("an unknown mode starts")
	}
}

func TestTwoOnOneFolderAreRefused(t *testing.T) {
	dir := t.TempDir()
	srv := start(t, embedded.Options{Data: dir})
	_, err := embedded.Start(t.Context(), embedded.Options{Data: dir})
	if !errors.Is(err, embedded.ErrInUse) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "stop it") {
		t.Errorf("second start: %v", err)
	}
	if held, err := embedded.Locked(dir); err != nil || !held {
		t.Errorf("Locked = %v, %v while running", held, err)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if held, err := embedded.Locked(dir); err != nil || held {
		t.Errorf("Locked = %v, %v after Close", held, err)
	}
	if held, err := embedded.Locked(filepath.Join(dir, "nowhere")); err != nil || held {
		t.Errorf("Locked = %v, %v of a missing folder", held, err)
	}
}

func TestUnusableFoldersAreRefusedWithAdvice(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(base, "open")
	if err := os.MkdirAll(filepath.Join(open, "something"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir, advice := range map[string]string{"": "set data", file: "not a folder", open: "chmod 700", filepath.Join(file, "below"): "not a directory"} {
		_, err := embedded.Start(t.Context(), embedded.Options{Data: dir})
		if !errors.Is(err, embedded.ErrFolder) || !strings.Contains(err.Error(), advice) {
			t.Errorf("data folder %q: %v; want advice %q", dir, err, advice)
		}
	}
}

func TestAnEmptyFolderIsClosedToOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "empty")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	start(t, embedded.Options{Data: dir})
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("permissions %#o, want 0700", got)
	}
}

func TestAFullDiskIsAFatalState(t *testing.T) {
	dir := t.TempDir()
	free, err := embedded.FreeBytes(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = embedded.Start(t.Context(), embedded.Options{Data: dir, MinFree: 2 * free})
	if !errors.Is(err, embedded.ErrFailed) || !strings.Contains(err.Error(), "free space") {
		t.Errorf("start on a full disk: %v", err)
	}
	if held, err := embedded.Locked(dir); err != nil || held {
		t.Errorf("the refused start left the lock: %v, %v", held, err)
	}
}

func TestABrokenStoreIsReported(t *testing.T) {
	var conf *natsserver.Options
	srv := start(t, embedded.Options{Data: t.TempDir(), Configure: func(o *natsserver.Options) { conf = o }})
	if !conf.NoSigs {
		t.Error("the broker would take the process's signals")
	}
	nc, err := srv.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "X", Subjects: []string{"x"}}); err != nil {
		t.Fatal(err)
	}
	if err := embedded.BreakStore(srv); err != nil {
		t.Fatal(err)
	}
	if err := <-srv.Failed(); !errors.Is(err, embedded.ErrFailed) || !strings.Contains(err.Error(), "start again") {
		t.Errorf("Failed delivered %v", err)
	}
}

func TestOnlyLoopbackListensWithoutUsers(t *testing.T) {
	if _, err := embedded.Start(t.Context(), embedded.Options{Data: t.TempDir(), Listen: "0.0.0.0:0"}); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("listening on every address without users: %v", err)
	}
	for _, listen := range []string{"nowhere", "127.0.0.1:http"} {
		if _, err := embedded.Start(t.Context(), embedded.Options{Data: t.TempDir(), Listen: listen}); err == nil {
			t.Errorf("listening on %q", listen)
		}
	}
	srv := start(t, embedded.Options{Data: t.TempDir(), Listen: "127.0.0.1:0"})
	nc, err := nats.Connect(srv.URL())
	if err != nil {
		t.Fatalf("another process on loopback: %v", err)
	}
	nc.Close()
	closed := start(t, embedded.Options{Data: t.TempDir()})
	if nc, err := nats.Connect(closed.URL()); err == nil {
		nc.Close()
		t.Error("without Listen a stranger gets in")
	}
}

func TestTheBrokersLinesReachZapWithoutNumbers(t *testing.T) {
	core, seen := observer.New(zapcore.DebugLevel)
	srv := start(t, embedded.Options{Data: t.TempDir(), Log: zap.New(core)})
	if seen.Len() == 0 {
		t.Error("no line of the broker in the log")
	}
	embedded.LogLine(srv, "slow consumer on %q", "receipts.+393331234567")
	last := seen.All()[seen.Len()-1]
	if strings.Contains(last.Message, "3331234567") || last.Level != zapcore.WarnLevel {
		t.Errorf("line %q at %v", last.Message, last.Level)
	}
}
