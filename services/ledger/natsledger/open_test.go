package natsledger_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/embedded/embeddedtest"
	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/ledger/ledgertest"
	"github.com/assenso/assenso/services/ledger/natsledger"
)

func TestCreatedStreamsHaveTheSettingsOfTheDesign(t *testing.T) {
	srv := embeddedtest.Start(t)
	open(t, embeddedtest.Conn(t, srv), options(srv, nil))
	js := embeddedtest.JetStream(t, srv)
	for _, s := range ledger.Streams(ledgertest.Partitions) {
		stream, err := js.Stream(t.Context(), string(s))
		if err != nil {
			t.Fatal(err)
		}
		have := stream.CachedInfo().Config
		if faults := natsledger.Faults(have, 1); len(faults) > 0 {
			t.Error(faults)
		}
		if !have.DenyDelete || !have.DenyPurge || !have.AllowDirect || !have.AllowAtomicPublish || have.Duplicates != 2*time.Minute ||
			have.Discard != jetstream.DiscardNew || have.MaxMsgs != -1 || have.MaxBytes != -1 || have.MaxAge != 0 || have.Storage != jetstream.FileStorage {
			t.Errorf("%s: %+v", s, have)
		}
		if err := stream.DeleteMsg(t.Context(), 1); err == nil {
			t.Errorf("%s lets delete", s)
		}
		if err := stream.Purge(t.Context()); err == nil {
			t.Errorf("%s lets purge", s)
		}
	}
}

func TestEverySettingThatCouldLoseIsAFault(t *testing.T) {
	for name, weaken := range map[string]func(*jetstream.StreamConfig){
		"storage":                   func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"retention":                 func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy },
		"discard":                   func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
		"discard_new_per_subject":   func(c *jetstream.StreamConfig) { c.DiscardNewPerSubject = true },
		"replicas":                  func(c *jetstream.StreamConfig) { c.Replicas = 1 },
		"subjects":                  func(c *jetstream.StreamConfig) { c.Subjects = []string{"ledger.>"} },
		"max_msgs":                  func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 },
		"max_bytes":                 func(c *jetstream.StreamConfig) { c.MaxBytes = 10 },
		"max_age":                   func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"max_msgs_per_subject":      func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 },
		"max_msg_size":              func(c *jetstream.StreamConfig) { c.MaxMsgSize = 100 },
		"deny_delete":               func(c *jetstream.StreamConfig) { c.DenyDelete = false },
		"deny_purge":                func(c *jetstream.StreamConfig) { c.DenyPurge = false },
		"allow_direct":              func(c *jetstream.StreamConfig) { c.AllowDirect = false },
		"allow_atomic":              func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false },
		"duplicate_window":          func(c *jetstream.StreamConfig) { c.Duplicates = time.Second },
		"compression":               func(c *jetstream.StreamConfig) { c.Compression = jetstream.S2Compression },
		"allow_rollup_hdrs":         func(c *jetstream.StreamConfig) { c.AllowRollup = true },
		"allow_msg_ttl":             func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true },
		"allow_msg_schedules":       func(c *jetstream.StreamConfig) { c.AllowMsgSchedules = true },
		"subject_delete_marker_ttl": func(c *jetstream.StreamConfig) { c.SubjectDeleteMarkerTTL = time.Second },
		"allow_msg_counter":         func(c *jetstream.StreamConfig) { c.AllowMsgCounter = true },
		"persist_mode":              func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode },
		"sealed":                    func(c *jetstream.StreamConfig) { c.Sealed = true },
		"no_ack":                    func(c *jetstream.StreamConfig) { c.NoAck = true },
		"first_seq":                 func(c *jetstream.StreamConfig) { c.FirstSeq = 100 },
		"mirror":                    func(c *jetstream.StreamConfig) { c.Mirror = &jetstream.StreamSource{Name: "X"} },
		"sources":                   func(c *jetstream.StreamConfig) { c.Sources = []*jetstream.StreamSource{{Name: "X"}} },
		"subject_transform":         func(c *jetstream.StreamConfig) { c.SubjectTransform = &jetstream.SubjectTransformConfig{} },
		"republish":                 func(c *jetstream.StreamConfig) { c.RePublish = &jetstream.RePublish{} },
	} {
		conf := natsledger.Config("LEDGER_00", 3)
		if faults := natsledger.Faults(conf, 3); len(faults) > 0 {
			t.Fatal(faults)
		}
		weaken(&conf)
		if faults := natsledger.Faults(conf, 3); len(faults) != 1 || !strings.Contains(faults[0], name+" is") || !strings.Contains(faults[0], "LEDGER_00") {
			t.Errorf("%s: %q", name, faults)
		}
	}
}

func TestAMissingLedgerIsNotAFreshStart(t *testing.T) {
	srv := embeddedtest.Start(t)
	o := options(srv, nil)
	o.Create = false
	if _, err := natsledger.Open(t.Context(), embeddedtest.Conn(t, srv), o); !errors.Is(err, natsledger.ErrNoLedger) || !strings.Contains(err.Error(), "init") {
		t.Errorf("%v", err)
	}
	js := embeddedtest.JetStream(t, srv)
	if there, err := natsledger.Exists(t.Context(), js); err != nil || there {
		t.Errorf("Exists = %v, %v", there, err)
	}
	o.Create = true
	open(t, embeddedtest.Conn(t, srv), o)
	if there, err := natsledger.Exists(t.Context(), js); err != nil || !there {
		t.Errorf("Exists = %v, %v after the creation", there, err)
	}
}

func TestPartitionsAreFixedAtCreation(t *testing.T) {
	srv := embeddedtest.Start(t)
	o := options(srv, nil)
	o.Partitions = 7
	open(t, embeddedtest.Conn(t, srv), o)
	o.Partitions = 2
	if got := open(t, embeddedtest.Conn(t, srv), o).Partitions(); got != 7 {
		t.Errorf("P = %d", got)
	}
	for _, p := range []int{-1, 257} {
		o.Partitions = p
		if _, err := natsledger.Open(t.Context(), embeddedtest.Conn(t, srv), o); err == nil {
			t.Errorf("%d partitions", p)
		}
	}
}

func TestAnInterruptedCreationIsCompleted(t *testing.T) {
	srv := embeddedtest.Start(t)
	js := embeddedtest.JetStream(t, srv)
	ref := natsledger.Config(ledger.Reference, 1)
	ref.Metadata = map[string]string{"assenso_partitions": "3", "assenso_state": "creating"}
	for _, conf := range []jetstream.StreamConfig{ref, natsledger.Config("LEDGER_00", 1)} {
		if _, err := js.CreateStream(t.Context(), conf); err != nil {
			t.Fatal(err)
		}
	}
	o := options(srv, nil)
	o.Create = false
	if _, err := natsledger.Open(t.Context(), embeddedtest.Conn(t, srv), o); !errors.Is(err, natsledger.ErrNoLedger) {
		t.Errorf("opened half made: %v", err)
	}
	o.Create = true
	log := open(t, embeddedtest.Conn(t, srv), o)
	if log.Partitions() != 3 {
		t.Errorf("P = %d", log.Partitions())
	}
	var b ledgertest.Books
	b.Record(t, log, ledgertest.Entry(0, 1, 100), ledgertest.Entry(1, 2, 100), ledgertest.Entry(2, 3, 100))
	ledgertest.Check(t, log, &b)
}

func TestAStreamThatIsMissingLaterIsNeverMadeAnew(t *testing.T) {
	for _, lost := range []ledger.Stream{"LEDGER_02", ledger.Reference} {
		srv := embeddedtest.Start(t)
		open(t, embeddedtest.Conn(t, srv), options(srv, nil)).Close()
		if err := embeddedtest.JetStream(t, srv).DeleteStream(t.Context(), string(lost)); err != nil {
			t.Fatal(err)
		}
		if _, err := natsledger.Open(t.Context(), embeddedtest.Conn(t, srv), options(srv, nil)); !errors.Is(err, ledger.ErrGone) {
			t.Errorf("without %s: %v", lost, err)
		}
	}
}

func TestAWeakerBrokerIsRefused(t *testing.T) {
	syncs := map[ledger.Mode]natsledger.Sync{
		ledger.Strict:  {Always: true, Version: "2.15.2"},
		ledger.Bounded: {Interval: 100 * time.Millisecond, Version: "2.15.2"},
		ledger.Fast:    {Interval: 2 * time.Minute, Version: "2.15.2"},
	}
	broken := func(context.Context) (natsledger.Sync, error) { return natsledger.Sync{}, errors.New("nobody answers") }
	for _, c := range []struct {
		broker, asked ledger.Mode
		probe         natsledger.SyncProbe
		weak          bool
		means         string
	}{
		{ledger.Strict, ledger.Strict, nil, false, "on disk on 1 of 1"},
		{ledger.Bounded, ledger.Strict, nil, true, "within 100ms"},
		{ledger.Fast, ledger.Strict, nil, true, "in memory"},
		{ledger.Fast, ledger.Bounded, nil, true, "in memory"},
		{ledger.Bounded, ledger.Bounded, nil, false, "within 100ms"},
		{ledger.Strict, ledger.Fast, nil, false, "on disk on 1 of 1"},
		{ledger.Strict, ledger.Strict, broken, true, "in memory"},
	} {
		srv := embeddedtest.Start(t)
		o := options(srv, nil)
		o.Sync = func(context.Context) (natsledger.Sync, error) { return syncs[c.broker], nil }
		o.Mode = c.asked
		if c.probe != nil {
			o.Sync = c.probe
		}
		nc := embeddedtest.Conn(t, srv)
		log, err := natsledger.Open(t.Context(), nc, o)
		if errors.Is(err, ledger.ErrWeak) != c.weak {
			t.Errorf("%s asked of %s: %v", c.asked, c.broker, err)
		}
		if c.weak {
			if !strings.Contains(err.Error(), "--accept-loss") {
				t.Errorf("no advice in %v", err)
			}
			o.AcceptLoss = true
			log = open(t, nc, o)
		}
		d, err := log.Durability(t.Context())
		if err != nil || !strings.Contains(d.String(), c.means) {
			t.Errorf("%s asked of %s: %s, %v", c.asked, c.broker, d, err)
		}
		log.Close()
	}
	srv := embeddedtest.Start(t)
	o := options(srv, nil)
	o.Mode = "loose"
	if _, err := natsledger.Open(t.Context(), embeddedtest.Conn(t, srv), o); err == nil {
		t.Error("an unknown mode opens")
	}
}

func TestWeakeningIsNoticedWhileOpenAndRefusedAtTheNextStart(t *testing.T) {
	srv := embeddedtest.Start(t)
	told := make(chan []string, 10)
	o := options(srv, nil)
	o.Weaker = func(faults []string) { told <- faults }
	log := open(t, embeddedtest.Conn(t, srv), o)
	if got := log.Faults(); len(got) != 0 {
		t.Fatal(got)
	}
	js := embeddedtest.JetStream(t, srv)
	conf := natsledger.Config("LEDGER_01", 1)
	conf.MaxAge = time.Hour
	if _, err := js.UpdateStream(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
	want := []string{"LEDGER_01: max_age is 1h0m0s"}
	if diff := cmp.Diff(want, <-told); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, log.Faults()); diff != "" {
		t.Error(diff)
	}
	if _, err := natsledger.Open(t.Context(), embeddedtest.Conn(t, srv), options(srv, nil)); !errors.Is(err, ledger.ErrWeak) || !strings.Contains(err.Error(), want[0]) {
		t.Errorf("the next start: %v", err)
	}
	conf.MaxAge = 0
	if _, err := js.UpdateStream(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
	if got := <-told; len(got) != 0 {
		t.Errorf("mended, still %v", got)
	}
	if err := js.DeleteStream(t.Context(), "LEDGER_03"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"LEDGER_03: the stream does not exist"}, <-told); diff != "" {
		t.Error(diff)
	}
	if placed, err := log.Append(t.Context(), []ledger.Entry{ledgertest.Entry(3, 1, 100)}); err != nil || !errors.Is(placed[0].Err, ledger.ErrUnavailable) {
		t.Errorf("append to the deleted stream: %+v, %v", placed, err)
	}
	if _, err := log.Last(t.Context()); !errors.Is(err, ledger.ErrGone) {
		t.Errorf("Last: %v", err)
	}
}

func TestABrokerThatComesBackWeakerIsNoticed(t *testing.T) {
	srv := embeddedtest.Start(t)
	var mu sync.Mutex
	state := natsledger.Sync{Always: true, Version: "2.15.2"}
	var silent error
	set := func(s natsledger.Sync, err error) {
		mu.Lock()
		defer mu.Unlock()
		state, silent = s, err
	}
	told := make(chan []string, 10)
	o := options(srv, nil)
	o.WatchEvery = time.Millisecond
	o.Weaker = func(faults []string) { told <- faults }
	asked := make(chan struct{})
	o.Sync = func(context.Context) (natsledger.Sync, error) {
		mu.Lock()
		defer mu.Unlock()
		select {
		case asked <- struct{}{}:
		default:
		}
		return state, silent
	}
	open(t, embeddedtest.Conn(t, srv), o)
	set(natsledger.Sync{}, errors.New("no answer for the moment"))
	<-asked
	<-asked
	set(natsledger.Sync{Interval: time.Minute, Version: "2.15.2"}, nil)
	if diff := cmp.Diff([]string{"broker: it syncs fast, strict was asked for"}, <-told); diff != "" {
		t.Error(diff)
	}
	set(natsledger.Sync{Always: true, Version: "2.15.2"}, nil)
	if got := <-told; len(got) != 0 {
		t.Errorf("strict again, still %v", got)
	}
}

func TestSyncIsReadFromMonitoringAddresses(t *testing.T) {
	server := func(body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/varz" {
				w.WriteHeader(http.StatusNotFound)
			}
			_, _ = w.Write([]byte(body)) // the client fails the test
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	defer http.DefaultClient.CloseIdleConnections()
	strict := server(`{"version":"2.15.2","jetstream":{"config":{"sync_always":true,"sync_interval":120000000000}}}`)
	loose := server(`{"version":"2.15.1","jetstream":{"config":{"sync_interval":60000000000}}}`)
	got, err := natsledger.AskMonitor(strict)(t.Context())
	if err != nil || !got.Always || got.Version != "2.15.2" {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = natsledger.AskMonitor(strict, loose)(t.Context())
	if err != nil || got.Always || got.Interval != 2*time.Minute || got.Version != "2.15.1" {
		t.Errorf("the weakest of two: %+v, %v", got, err)
	}
	for name, addresses := range map[string][]string{"none": nil, "not a server": {server("hello")}, "nobody there": {"http://127.0.0.1:1"}, "no address": {"::"}} {
		if got, err := natsledger.AskMonitor(addresses...)(t.Context()); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSyncIsReadFromTheSystemAccount(t *testing.T) {
	system := natsserver.NewAccount("SYS")
	srv, err := embedded.Start(t.Context(), embedded.Options{Data: t.TempDir(), Configure: func(o *natsserver.Options) {
		o.Accounts, o.SystemAccount = []*natsserver.Account{system}, "SYS"
		o.Users = append(o.Users, &natsserver.User{Username: "sys", Password: "sys", Account: system})
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("close broker: %v", err)
		}
	})
	nc, err := nats.Connect(srv.URL(), nats.UserInfo("sys", "sys"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	got, err := natsledger.AskSystem(nc)(t.Context())
	if err != nil || !got.Always || got.Version != natsserver.VERSION {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := natsledger.AskSystem(embeddedtest.Conn(t, srv))(t.Context()); err == nil {
		t.Errorf("an ordinary user reads %+v", got)
	}
}
