package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A disk that fills while events come in: the program stops by itself with exit
// code 3 and says what to do; with room it starts again, and everything that it
// acknowledged is there once, where it said. The disk is a file-size limit.
func TestADiskThatFillsStopsTheProgram(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // to find a free port
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	serve := "exec assenso serve --durability fast --listen " + address + " --data " + filepath.Join(t.TempDir(), "data")
	full := begin(t, address, "ulimit -f 6000; "+serve) // 3 MB a file
	places := map[string]string{}
	deadline := time.Now().Add(3 * time.Minute)
	batches := 0
	for full.running() {
		if time.Now().After(deadline) {
			t.Fatalf("%d events were acknowledged, no file takes more, and the program goes on", len(places))
		}
		acknowledged := full.post(t, batches)
		for id, place := range acknowledged {
			places[id] = place
		}
		if len(acknowledged) > 0 {
			batches++
		}
	}
	if code := full.cmd.ProcessState.ExitCode(); code != exitFatal || !strings.Contains(full.said.String(), "start again") {
		t.Fatalf("exit code %d, want %d and what to do:\n%s", code, exitFatal, full.said.String())
	}
	if len(places) == 0 {
		t.Fatal("nothing was acknowledged: the case proves nothing")
	}

	roomy := begin(t, address, serve)
	for n := range batches {
		for id, place := range roomy.post(t, n) {
			if was, acknowledged := places[id]; acknowledged && was != "" && place != was {
				t.Errorf("%s lies at %s, the receipt said %s", id, place, was)
			}
			if !roomy.duplicate[id] && places[id] != "" {
				t.Errorf("%s was recorded at %s and is not known", id, places[id])
			}
			delete(places, id)
		}
	}
	if len(places) > 0 {
		t.Errorf("%d events were not sent again", len(places))
	}
	if err := roomy.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-roomy.ended; err != nil {
		t.Errorf("asked to stop: %v", err)
	}
}

const batchOf = 200

// serving is a program under test.
type serving struct {
	cmd       *exec.Cmd
	said      *bytes.Buffer
	url       string
	ended     chan error
	over      bool
	duplicate map[string]bool
}

// begin starts the program by a shell and waits until it is ready.
func begin(t *testing.T, address, script string) *serving {
	t.Helper()
	s := &serving{cmd: exec.CommandContext(t.Context(), "sh", "-c", script), said: &bytes.Buffer{}, url: "http://" + address, ended: make(chan error, 1), duplicate: map[string]bool{}}
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // polls a process
		if !s.running() || time.Now().After(deadline) {
			t.Fatalf("the program is not ready:\n%s", s.said)
		}
		resp, err := http.Get(s.url + "/readyz")
		if err != nil {
			continue
		}
		if err := resp.Body.Close(); err == nil && resp.StatusCode == http.StatusOK {
			return s
		}
	}
}

func (s *serving) running() bool {
	select {
	case err := <-s.ended:
		s.over = true
		s.ended <- err
	default:
	}
	return !s.over
}

// post sends the n-th batch and returns where each acknowledged event lies; ""
// when it is only accepted. A program that goes away acknowledges nothing more.
func (s *serving) post(t *testing.T, n int) map[string]string {
	t.Helper()
	list := make([]string, batchOf)
	for i := range list {
		list[i] = fmt.Sprintf(`{"specversion":"1.0","id":"g-%d-%d","source":"crm.a.example","type":"consent.granted.v1","time":"2026-03-04T09:00:00+01:00","controller":"A",
			"data":{"phone":"+39340%07d","purposes":["marketing"],"channels":["operator_call"],"evidence":{"ip":"192.0.2.7","form":"%0300d"}}}`, n, i, n*batchOf+i, i)
	}
	client := http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Post(s.url+"/v1/events", "application/cloudevents-batch+json", strings.NewReader("["+strings.Join(list, ",")+"]"))
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var answer struct {
		Results []struct {
			ID, Result, Stream string
			Sequence           uint64
			Errors             json.RawMessage
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil
	}
	out := map[string]string{}
	for _, it := range answer.Results {
		switch it.Result {
		case "recorded", "duplicate":
			out[it.ID] = fmt.Sprint(it.Stream, ":", it.Sequence)
			s.duplicate[it.ID] = it.Result == "duplicate"
		case "accepted":
			out[it.ID] = ""
		case "unavailable":
		default:
			t.Errorf("%s is %s: %s", it.ID, it.Result, it.Errors)
		}
	}
	return out
}
