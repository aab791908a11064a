//go:build postgres

package crdbview_test

import (
	"context"
	"os"
	"testing"

	"github.com/assenso/assenso/services/crdb/pgtest"
	"github.com/assenso/assenso/services/view"
	"github.com/assenso/assenso/services/view/crdbview"
	"github.com/assenso/assenso/services/view/viewtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func open(t testing.TB, url string) *crdbview.Store {
	t.Helper()
	s, err := crdbview.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPort(t *testing.T) {
	pgtest.Each(t, func(t *testing.T, s pgtest.Server) {
		viewtest.Run(t, func(t *testing.T) viewtest.Harness {
			url := s.Schema(t)
			return viewtest.Harness{Open: func(t *testing.T) view.Store { return open(t, url) }}
		})
	})
}
