package natsledger_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/embedded/embeddedtest"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/ledgertest"
	"github.com/assenso/assenso/services/ledger/natsledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, nc *nats.Conn, o natsledger.Options) *natsledger.Ledger {
	t.Helper()
	log, err := natsledger.Open(t.Context(), nc, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	return log
}

func options(srv *embedded.Server, clock func() events.Instant) natsledger.Options {
	return natsledger.Options{Create: true, Partitions: ledgertest.Partitions, Clock: clock, Sync: natsledger.SyncOf(srv)}
}

func TestConformance(t *testing.T) {
	ledgertest.Run(t, ledgertest.Harness{New: func(t *testing.T, clock func() events.Instant) ledgertest.Instance {
		srv := embeddedtest.Start(t)
		js := embeddedtest.JetStream(t, srv)
		wire := embeddedtest.NewWire(t, srv)
		return ledgertest.Instance{
			Log:       open(t, wire.Conn, options(srv, clock)),
			Head:      func(s ledger.Stream, at ledger.Sequence) { removeHead(t, js, s, at) },
			Interrupt: wire.Cut,
			Reopen:    func() ledger.Ledger { return open(t, embeddedtest.Conn(t, srv), options(srv, clock)) },
		}
	}})
}

// removeHead does what DenyDelete and DenyPurge do not prevent: a limit set by
// a stream update deletes events.
func removeHead(t *testing.T, js jetstream.JetStream, s ledger.Stream, at ledger.Sequence) {
	t.Helper()
	stream, err := js.Stream(t.Context(), string(s))
	if err != nil {
		t.Fatal(err)
	}
	info := stream.CachedInfo()
	conf := info.Config
	conf.MaxMsgs = int64(info.State.LastSeq - uint64(at) + 1)
	conf.Discard = jetstream.DiscardOld
	if _, err := js.UpdateStream(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
}
