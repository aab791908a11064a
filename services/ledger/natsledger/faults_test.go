package natsledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/embedded/embeddedtest"
	"github.com/assenso/assenso/services/groupcommit"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/ledgertest"
	"github.com/assenso/assenso/services/ledger/natsledger"
)

// partition returns n entries of partition 0.
func partition(from, n int) []ledger.Entry {
	out := make([]ledger.Entry, n)
	for i := range out {
		out[i] = ledgertest.Entry(0, from+i, 200)
	}
	return out
}

func TestALostAnswerIsSettledByResending(t *testing.T) {
	for name, n := range map[string]int{"singly": 1, "batch": 1000} {
		t.Run(name, func(t *testing.T) {
			srv := embeddedtest.Start(t)
			wire := embeddedtest.NewWire(t, srv)
			clock := ledgertest.NewClock()
			log := open(t, wire.Conn, options(srv, clock.Now))
			list := partition(0, n)
			var b ledgertest.Books
			lost := wire.LoseAnswerTo(list[n-1].MessageID)
			done := make(chan []ledger.Placed)
			go func() { done <- b.Record(t, log, list...) }()
			<-lost
			clock.Move(time.Hour) // a stamp made anew would show
			wire.Cut()
			for i, p := range <-done {
				if p.Err != nil || p.Duplicate || p.RecordedAt != ledgertest.Epoch {
					t.Fatalf("entry %d: %+v", i, p)
				}
			}
			ledgertest.Check(t, log, &b)
		})
	}
}

func TestWhenCtxEndsDuringAnOutageTheFateIsAmbiguousAndARepetitionSettlesIt(t *testing.T) {
	srv := embeddedtest.Start(t)
	wire := embeddedtest.NewWire(t, srv)
	log := open(t, wire.Conn, options(srv, nil))
	list := partition(0, 100)
	var b ledgertest.Books
	lost := wire.LoseAnswerTo("Nats-Batch-Commit")
	ctx, cancel := context.WithCancel(t.Context())
	type outcome struct {
		placed []ledger.Placed
		err    error
	}
	done := make(chan outcome)
	go func() {
		placed, err := log.Append(ctx, list)
		done <- outcome{placed, err}
	}()
	<-lost
	cancel()
	o := <-done
	if !errors.Is(o.err, context.Canceled) {
		t.Errorf("error %v", o.err)
	}
	for i, p := range o.placed {
		if !errors.Is(p.Err, ledger.ErrAmbiguous) {
			t.Fatalf("entry %d: %v", i, p.Err)
		}
	}
	wire.Cut()
	for i, p := range b.Record(t, log, list...) {
		if p.Err != nil || !p.Duplicate {
			t.Fatalf("repeated entry %d: %+v", i, p)
		}
	}
	ledgertest.Check(t, log, &b)
}

func TestABatchOfAThousandWithADuplicateInside(t *testing.T) {
	srv := embeddedtest.Start(t)
	clock := ledgertest.NewClock()
	other := open(t, embeddedtest.Conn(t, srv), options(srv, clock.Now))
	var b ledgertest.Books
	list := partition(0, 1000)
	first := b.Record(t, other, list[500])[0]
	clock.Move(time.Minute)
	var tries []groupcommit.Commit
	o := options(srv, clock.Now)
	o.Commit = func(c groupcommit.Commit) { tries = append(tries, c) }
	log := open(t, embeddedtest.Conn(t, srv), o)
	for i, p := range b.Record(t, log, list...) {
		if p.Err != nil || p.Duplicate != (i == 500) {
			t.Fatalf("entry %d: %+v", i, p)
		}
		if i == 500 && (p.Sequence != first.Sequence || p.RecordedAt != first.RecordedAt) {
			t.Errorf("duplicate %+v, first copy %+v", p, first)
		}
	}
	ledgertest.Check(t, log, &b)
	log.Close()
	if len(tries) != 1 || !tries[0].Batch || tries[0].Tries < 2 {
		t.Errorf("commits %+v, want one batch and a second try", tries)
	}
}

func TestAFullBrokerSaysSo(t *testing.T) {
	srv := embeddedtest.Start(t)
	log := open(t, embeddedtest.Conn(t, srv), options(srv, nil))
	conf := natsledger.Config("LEDGER_00", 1)
	conf.MaxMsgs = 5
	if _, err := embeddedtest.JetStream(t, srv).UpdateStream(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
	var b ledgertest.Books
	for i, p := range b.Record(t, log, partition(0, 40)...) {
		if errors.Is(p.Err, ledger.ErrFull) != (i >= 5) {
			t.Errorf("entry %d: %+v", i, p)
		}
	}
	ledgertest.Check(t, log, &b)
}

// TestAHoleInTheMiddle makes one as somebody with the stream API could: a limit
// per subject deletes all but the youngest of each.
func TestAHoleInTheMiddle(t *testing.T) {
	srv := embeddedtest.Start(t)
	log := open(t, embeddedtest.Conn(t, srv), options(srv, nil))
	list := partition(0, 9)
	list[2].Subject = "ledger.00.consent.revoked.v1.acme"
	list[4].Subject = "ledger.00.consent.refused.v1.acme"
	ledgertest.Append(t, log, list...)
	conf := natsledger.Config("LEDGER_00", 1)
	conf.MaxMsgsPerSubject, conf.Discard = 1, jetstream.DiscardOld
	if _, err := embeddedtest.JetStream(t, srv).UpdateStream(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Read(t.Context(), "LEDGER_00", 3, 3); !errors.Is(err, ledger.ErrGone) {
		t.Errorf("Read over the hole: %v", err)
	}
	f, err := log.Follow(t.Context(), ledger.Positions{"LEDGER_00": 2})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	if got := ledgertest.Next(t, f, 10); len(got) != 1 || got[0].Sequence != 3 {
		t.Errorf("before the hole: %d records", len(got))
	}
	if _, err := f.Next(t.Context(), 10); !errors.Is(err, ledger.ErrGone) {
		t.Errorf("Next at the hole: %v", err)
	}
}

// TestAFollowerHoldsLittleOfLargeRecords follows more bytes than a follower
// keeps, before the first Next.
func TestAFollowerHoldsLittleOfLargeRecords(t *testing.T) {
	srv := embeddedtest.Start(t)
	bulk, err := srv.Bulk()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bulk.Close)
	o := options(srv, nil)
	o.Bulk = bulk
	log := open(t, embeddedtest.Conn(t, srv), o)
	const n = 600
	for from := 0; from < n; from += 100 {
		list := make([]ledger.Entry, 100)
		for i := range list {
			list[i] = ledgertest.Entry(0, from+i, 60_000)
		}
		ledgertest.Append(t, log, list...)
	}
	f, err := log.Follow(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	for got := 0; got < n; {
		list := ledgertest.Next(t, f, 1000)
		if len(list) > 300 { // 13.4 MB of the 64 are this stream's share
			t.Errorf("%d records of 60 kB at once", len(list))
		}
		got += len(list)
	}
}

func TestOnlyIdAndTraceparentAreAddedToWhatIsStored(t *testing.T) {
	for name, n := range map[string]int{"singly": 1, "batch": 30} {
		srv := embeddedtest.Start(t)
		log := open(t, embeddedtest.Conn(t, srv), options(srv, nil))
		list := partition(0, n)
		list[0].Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		ledgertest.Append(t, log, list...)
		stream, err := embeddedtest.JetStream(t, srv).Stream(t.Context(), "LEDGER_00")
		if err != nil {
			t.Fatal(err)
		}
		m, err := stream.GetMsg(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []string{
			"Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit", // kept by the broker
			"Nats-Sequence", "Nats-Stream", "Nats-Subject", "Nats-Time-Stamp", // of the direct get
		} {
			delete(m.Header, h)
		}
		want := nats.Header{jetstream.MsgIDHeader: {list[0].MessageID}, "traceparent": {list[0].Trace}}
		if diff := cmp.Diff(want, m.Header); diff != "" {
			t.Error(name, diff)
		}
	}
}

func TestAnotherProgramsBeatIsNotBelieved(t *testing.T) {
	srv := embeddedtest.Start(t)
	log := open(t, embeddedtest.Conn(t, srv), options(srv, nil))
	if _, err := embeddedtest.JetStream(t, srv).Publish(t.Context(), "beat.grants", []byte(`{"family":"outcomes"}`)); err != nil {
		t.Fatal(err)
	}
	if got, err := log.Beats(t.Context()); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestRestartOfTheBroker stops the broker under an open log and a follower and
// starts it again on the same folder and address.
func TestRestartOfTheBroker(t *testing.T) {
	dir := t.TempDir()
	start := func(listen string) *embedded.Server {
		t.Helper()
		srv, err := embedded.Start(t.Context(), embedded.Options{Data: dir, Listen: listen})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = srv.Close() }) // the test has closed one of them itself
		return srv
	}
	srv := start("127.0.0.1:0")
	address := srv.URL()[len("nats://"):]
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	log := open(t, nc, options(srv, nil))
	var b ledgertest.Books
	b.Record(t, log, ledgertest.Entries(0, 100)...)
	f, err := log.Follow(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	for n := 0; n < 100; {
		n += len(ledgertest.Next(t, f, 10))
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	for nc.IsConnected() {
	}
	for i, p := range b.Record(t, log, ledgertest.Entries(100, 50)...) {
		if !errors.Is(p.Err, ledger.ErrUnavailable) {
			t.Fatalf("entry %d without a broker: %+v", i, p)
		}
	}
	start(address)
	for !nc.IsConnected() {
	}
	for {
		placed, err := log.Append(t.Context(), ledgertest.Entries(100, 50))
		if err != nil {
			t.Fatal(err)
		}
		if placed[0].Err == nil && placed[49].Err == nil {
			break
		}
	}
	b.Record(t, log, ledgertest.Entries(100, 50)...)
	for n := 0; n < 50; {
		n += len(ledgertest.Next(t, f, 10))
	}
	ledgertest.Check(t, log, &b)
}
