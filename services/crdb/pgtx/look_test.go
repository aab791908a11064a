//go:build postgres

package pgtx_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/assenso/assenso/services/crdb/pgtest"
	"github.com/assenso/assenso/services/crdb/pgtx"
)

func TestLook(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, server pgtest.Server) {
		own := server.Schema(t)
		s, err := pgtx.Look(t.Context(), own)
		if err != nil {
			t.Fatal(err)
		}
		if s.Cockroach != (server.Name == "cockroach") || s.Version == "" || !strings.HasPrefix(s.Schema, "test_") || !s.MayMake {
			t.Errorf("%+v", s)
		}
		u, err := url.Parse(own)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("search_path", "nowhere")
		u.RawQuery = q.Encode()
		if s, err := pgtx.Look(t.Context(), u.String()); err != nil || s.Schema != "" || s.MayMake {
			t.Errorf("a schema that is not there: %+v, %v", s, err)
		}
	})
}
