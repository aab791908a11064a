package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/assenso/assenso/events"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"assenso": func() { os.Exit(mainCode()) }})
}

// TestScripts plays testdata/script: what a person types, sees and gets back
// as exit code.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			listener, err := net.Listen("tcp", "127.0.0.1:0") // to find a free port
			if err != nil {
				return err
			}
			env.Setenv("ASSENSO_LISTEN", listener.Addr().String())
			env.Setenv("ASSENSO_SERVER", "http://"+listener.Addr().String())
			return listener.Close()
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "ready": ready, "settle": settle, "contact": contact, "positions": positions, "dated": dated, "moment": moment, "day": day,
		},
	})
}

// exits runs "exits CODE assenso ARGS…" and fails on any other exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command args…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = exitStatus(err)
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s (%v)", code, args[0], err)
	}
}

// ready waits until the server says that it is ready.
func ready(ts *testscript.TestScript, _ bool, _ []string) { await(ts, "/readyz") }

// settle waits until what is recorded so far is final and applied.
func settle(ts *testscript.TestScript, _ bool, _ []string) {
	await(ts, "/v1/objects/findings?as_of="+url.QueryEscape(time.Now().UTC().Format(time.RFC3339Nano)))
}

func await(ts *testscript.TestScript, path string) {
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		resp, err := client.Get(ts.Getenv("ASSENSO_SERVER") + path)
		if err != nil {
			continue
		}
		ts.Check(resp.Body.Close())
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("the server never answered %s with 200", path)
}

// contact takes the contact key out of the last command's JSON into a variable.
func contact(ts *testscript.TestScript, _ bool, args []string) {
	var found struct{ Contact string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &found))
	ts.Setenv(args[0], found.Contact)
}

// moment runs "moment VAR 26h": an instant that far from now, RFC 3339.
func moment(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	ts.Setenv(args[0], time.Now().Add(d).UTC().Format(time.RFC3339))
}

// day runs "day VAR 20": the date in Rome so many days from now.
func day(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Setenv(args[0], (events.DateOf(events.InstantOf(time.Now()), events.Rome) + events.Date(n)).String())
}

// dated runs "dated FILE…": @-72h@ and @-1d@ in the files become that instant
// and that date.
func dated(ts *testscript.TestScript, _ bool, files []string) {
	now := events.InstantOf(time.Now())
	for _, name := range files {
		text := relative.ReplaceAllStringFunc(ts.ReadFile(name), func(m string) string {
			parts := relative.FindStringSubmatch(m)
			n, err := strconv.Atoi(parts[1])
			ts.Check(err)
			if parts[2] == "h" {
				return now.Add(time.Duration(n) * time.Hour).String()
			}
			return (events.DateOf(now, events.Rome) + events.Date(n)).String()
		})
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

var relative = regexp.MustCompile(`@(-?[0-9]+)([hd])@`)
