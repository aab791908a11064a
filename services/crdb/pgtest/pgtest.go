// Package pgtest finds or starts the databases on which the CockroachDB
// backends are tested, and gives each test a schema of its own. It is test
// code: no program links it.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//	func TestPort(t *testing.T) { pgtest.Each(t, func(t *testing.T, s pgtest.Server) { open(t, s.Schema(t)) }) }
//
// PostgreSQL is that of ASSENSO_TEST_POSTGRES, a postgres:// URL that may make
// schemas, or one that is started from Debian's package for the time of the
// tests. CockroachDB joins where COCKROACH_URL names one, or where there is a
// program cockroach. Without PostgreSQL the tests fail: they stand behind the
// build tag postgres, so whoever runs them wants them to run.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Variables of the environment that name databases.
const (
	PostgresURL  = "ASSENSO_TEST_POSTGRES"
	CockroachURL = "COCKROACH_URL"
)

// Server is a database to test on.
type Server struct {
	Name string // "postgres" or "cockroach"
	URL  string
}

var servers []Server

// Main finds or starts the databases, runs the tests and ends what it
// started. It returns the code to exit with.
func Main(m *testing.M) int {
	stop, err := start()
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
	} else {
		code = m.Run()
	}
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = 1
	}
	return code
}

// start fills servers. stop is never nil.
func start() (stop func() error, err error) {
	var stops []func() error
	stop = func() error {
		var errs []error
		for _, f := range stops {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}
	base := os.Getenv(PostgresURL)
	if base == "" {
		p, err := startPostgres("", "off") // it does not outlive the tests
		if err != nil {
			return stop, fmt.Errorf("start PostgreSQL to test on: %w", err)
		}
		stops = append(stops, p.stop)
		base = p.url()
	}
	servers = append(servers, Server{"postgres", base})
	base = os.Getenv(CockroachURL)
	if binary, err := exec.LookPath("cockroach"); base == "" && err == nil {
		c, err := startCockroach(binary)
		if err != nil {
			return stop, fmt.Errorf("start cockroach: %w", err)
		}
		stops = append(stops, c.stop)
		base = c.url()
	}
	if base != "" {
		servers = append(servers, Server{"cockroach", base})
	}
	return stop, nil
}

// Start is Main for a package that has another TestMain: databases for one
// test, which end with it.
func Start(t testing.TB) {
	t.Helper()
	stop, err := start()
	t.Cleanup(func() {
		servers = nil
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Each runs run as a subtest on every database.
func Each(t *testing.T, run func(t *testing.T, s Server)) {
	t.Helper()
	if len(servers) == 0 {
		t.Fatal("no database: call pgtest.Main from TestMain")
	}
	for _, s := range servers {
		t.Run(s.Name, func(t *testing.T) { run(t, s) })
	}
}

// Postgres returns the PostgreSQL server, for tests of what only it does.
func Postgres(t testing.TB) Server {
	t.Helper()
	if len(servers) == 0 {
		t.Fatal("no database: call pgtest.Main from TestMain")
	}
	return servers[0]
}

// Schema makes a schema and returns a URL in which it stands first. It is
// dropped when the test ends.
func (s Server) Schema(t testing.TB) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	s.exec(t, "CREATE SCHEMA "+name)
	t.Cleanup(func() { s.exec(t, "DROP SCHEMA "+name+" CASCADE") })
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

func (s Server) exec(t testing.TB, text string) {
	t.Helper()
	ctx := context.Background() // also after the test's own has ended
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(ctx, text)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
