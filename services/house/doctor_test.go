package house

import (
	"net"
	"strings"
	"testing"
)

// doctor says what is wrong with a database that does not answer, and how to
// mend it, without its password.
func TestDoctorLooksAtTheDatabase(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"": "SQLite", "postgres://assenso:hunter2@" + gone + "/assenso?sslmode=disable": gone,
		"postgres://assenso:hunter2@" + gone + "/assenso?sslmode=perhaps": "sslmode",
	} {
		cfg := Default()
		cfg.Data, cfg.Database = t.TempDir(), url
		found := Check{}
		for _, c := range Examine(t.Context(), cfg) {
			if c.Name == "database" {
				found = c
			}
		}
		if found.OK != (url == "") || !strings.Contains(found.Detail, want) || (found.Remedy == "") != found.OK {
			t.Errorf("%q: %+v", url, found)
		}
		if strings.Contains(found.Detail+found.Remedy, "hunter2") {
			t.Errorf("the password is shown: %+v", found)
		}
	}
}
