package pgtx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What the server says of a commit decides: its own refusal means that nothing
// is stored, everything else that nobody knows.
func TestCommitErrors(t *testing.T) {
	said := func(severity, code string) error {
		return fmt.Errorf("commit: %w", &pgconn.PgError{Severity: severity, SeverityUnlocalized: severity, Code: code})
	}
	for name, c := range map[string]struct {
		err              error
		ambiguous, again bool
	}{
		"no error":                     {nil, false, false},
		"rolled back by the server":    {pgx.ErrTxCommitRollback, false, false},
		"deferred constraint":          {said("ERROR", "23505"), false, false},
		"serialization failure":        {said("ERROR", "40001"), false, true},
		"deadlock":                     {said("ERROR", "40P01"), false, true},
		"statement completion unknown": {said("ERROR", "40003"), true, false},
		"transaction result unknown":   {said("ERROR", "08007"), true, false},
		"server shuts down":            {said("FATAL", "57P01"), true, false},
		"connection lost":              {io.ErrUnexpectedEOF, true, false},
		"context ended":                {context.Canceled, true, false},
		"old server, no plain word":    {&pgconn.PgError{Severity: "ERROR", Code: "23505"}, false, false},
	} {
		if got := committed(c.err, true); !errors.Is(got, c.err) || errors.Is(got, ErrAmbiguous) {
			t.Errorf("%s, never sent: %v, want %v as it is", name, got, c.err)
		}
		got := committed(c.err, false)
		if errors.Is(got, ErrAmbiguous) != c.ambiguous || again(got) != c.again || !errors.Is(got, c.err) {
			t.Errorf("%s: %v: ambiguous %v, again %v; want %v, %v", name, got, errors.Is(got, ErrAmbiguous), again(got), c.ambiguous, c.again)
		}
	}
}

func TestVersions(t *testing.T) {
	for version, good := range map[string]bool{
		"15.8 (Debian 15.8-0+deb12u1)": true, "17": true, "16beta1": true, "14.13": false, "9.6.24": false, "": false, "x": false,
	} {
		if err := checkVersion(false, version); (err == nil) != good || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v, want good: %v", version, err, good)
		}
	}
	if err := checkVersion(true, "13.0.0"); err != nil {
		t.Errorf("CockroachDB, which claims to be an old PostgreSQL: %v", err)
	}
}

func TestUnreadableURL(t *testing.T) {
	_, err := Open(t.Context(), "postgres://u:secret@host:notaport/x", Options{})
	if !errors.Is(err, ErrRefused) {
		t.Fatalf("got %v, want ErrRefused", err)
	}
}
