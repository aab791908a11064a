package access

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocalTrustsThisMachineOnly(t *testing.T) {
	for _, c := range []struct {
		remote, host string
		ok           bool
	}{
		{"127.0.0.1:5000", "127.0.0.1:8080", true},
		{"127.0.0.1:5000", "localhost", true},
		{"[::1]:5000", "[::1]:8080", true},
		{"[::ffff:127.0.0.1]:5000", "localhost:8080", true},
		{"192.0.2.1:5000", "localhost:8080", false},
		{"127.0.0.1:5000", "attacker.example:8080", false},
		{"127.0.0.1:5000", "", false},
		{"", "localhost", false},
	} {
		actor, err := Local{}.Authenticate(Request{Remote: c.remote, Host: c.host})
		if (err == nil) != c.ok || c.ok && actor.Role != Admin || !c.ok && !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%s asking for %s: %v %v", c.remote, c.host, actor, err)
		}
	}
}

func TestKeysAdmitWhoHoldsOne(t *testing.T) {
	secret, line := NewKey("ops", Admin)
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("# keys\n\n"+line+" # the operator's\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := ReadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	actor, err := keys.Authenticate(Request{Authorization: "bearer " + secret})
	if err != nil || actor != (Actor{"ops", Admin}) {
		t.Errorf("%v %v", actor, err)
	}
	for _, wrong := range []string{"", "Bearer", "Bearer x", "Basic " + secret, secret} {
		_, err := keys.Authenticate(Request{Authorization: wrong})
		if !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%q admitted: %v", wrong, err)
		}
		if wrong != "" && len(wrong) > 10 && strings.Contains(err.Error(), wrong) {
			t.Error("the error quotes the credential")
		}
	}
	if strings.Contains(line, secret) {
		t.Error("the key file holds the key itself")
	}
}

func TestFaultyKeyFilesAreRefused(t *testing.T) {
	_, line := NewKey("ops", Admin)
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"open to others": {line, 0o644},
		"empty":          {"# nothing\n", 0o600},
		"role":           {strings.Replace(line, "admin", "king", 1), 0o600},
		"hash":           {"ops admin abc\n", 0o600},
		"words":          {"ops admin\n", 0o600},
	} {
		path := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeys(path); err == nil {
			t.Errorf("%s: read without an error", name)
		}
	}
	if _, err := ReadKeys(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file was read")
	}
}
