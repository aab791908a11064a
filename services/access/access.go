// Package access says who may do what: roles, keys, tokens, NATS permissions.
//
// Two policies exist. Local trusts this machine and nobody else:
//
//	actor, err := access.Local{}.Authenticate(access.Request{Remote: "127.0.0.1:5000", Host: "localhost:8080"})
//
// Keys asks for a bearer key out of a file of hashed keys. Roles narrower than
// admin are named here and not yet told apart by any door.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// Role is what an actor may be.
type Role string

// The roles (design.md 11).
const (
	CRM     Role = "crm"
	Dialer  Role = "dialer"
	Auditor Role = "auditor"
	Officer Role = "officer"
	Admin   Role = "admin"
	Portal  Role = "portal"
)

// Roles lists all roles.
var Roles = []Role{CRM, Dialer, Auditor, Officer, Admin, Portal}

// Actor is who asks. ID is a key's id or a pseudonym, never a name.
type Actor struct {
	ID   string
	Role Role
}

// Request is what a policy may look at.
type Request struct {
	Remote        string // address of the connection, host:port
	Host          string // Host header
	Authorization string // Authorization header
}

// ErrUnauthenticated: the request bears no valid credential. HTTP answers 401
// (with keys) or 403 (without).
var ErrUnauthenticated = errors.New("access not authenticated")

// Policy decides who a request comes from.
type Policy interface {
	// Authenticate returns the actor, or an error that wraps
	// ErrUnauthenticated. It never quotes the credential.
	Authenticate(r Request) (Actor, error)
}

// Local takes every request from this machine as its administrator's and
// refuses all others. The Host header must be local too: a web page elsewhere
// that points its own name at 127.0.0.1 is refused.
type Local struct{}

// Authenticate implements Policy.
func (Local) Authenticate(r Request) (Actor, error) {
	remote, err := netip.ParseAddrPort(r.Remote)
	if err != nil || !remote.Addr().Unmap().IsLoopback() {
		return Actor{}, fmt.Errorf("access authenticate: %w: without keys only this machine may ask", ErrUnauthenticated)
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return Actor{}, fmt.Errorf("access authenticate: %w: ask for localhost or a loopback address", ErrUnauthenticated)
	}
	return Actor{ID: "local", Role: Admin}, nil
}

// Keys asks for "Authorization: Bearer <key>".
type Keys struct{ keys []key }

type key struct {
	actor Actor
	hash  [sha256.Size]byte
}

// ReadKeys reads a key file: a line "id role sha256-of-the-key" for each key,
// # begins a comment. The file must be readable by its owner only.
func ReadKeys(path string) (Keys, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Keys{}, fmt.Errorf("access read keys: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Keys{}, fmt.Errorf("access read keys: %s is open to others: chmod 600 it", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Keys{}, fmt.Errorf("access read keys: %w", err)
	}
	return parseKeys(path, string(text))
}

func parseKeys(path, text string) (Keys, error) {
	var ks Keys
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		k := key{}
		if len(f) != 3 || !slices.Contains(Roles, Role(f[1])) {
			return Keys{}, fmt.Errorf("access read keys: %s line %d: write id, role and the key's SHA-256", path, i+1)
		}
		if n, err := hex.Decode(k.hash[:], []byte(f[2])); err != nil || n != len(k.hash) {
			return Keys{}, fmt.Errorf("access read keys: %s line %d: the third word must be 64 hex digits", path, i+1)
		}
		k.actor = Actor{ID: f[0], Role: Role(f[1])}
		ks.keys = append(ks.keys, k)
	}
	if len(ks.keys) == 0 {
		return Keys{}, fmt.Errorf("access read keys: %s holds no key: nobody could ask", path)
	}
	return ks, nil
}

// Authenticate implements Policy. It compares with every key, so that the time
// it takes tells nothing.
func (ks Keys) Authenticate(r Request) (Actor, error) {
	scheme, secret, ok := strings.Cut(r.Authorization, " ")
	if ok && strings.EqualFold(scheme, "bearer") {
		hash := sha256.Sum256([]byte(strings.TrimSpace(secret)))
		var found *Actor
		for i := range ks.keys {
			if subtle.ConstantTimeCompare(hash[:], ks.keys[i].hash[:]) == 1 {
				found = &ks.keys[i].actor
			}
		}
		if found != nil {
			return *found, nil
		}
	}
	return Actor{}, fmt.Errorf("access authenticate: %w: send a valid key as bearer token", ErrUnauthenticated)
}

// NewKey makes a key and the line of the key file that admits it. The key is
// shown once and not kept.
func NewKey(id string, role Role) (secret, line string) {
	secret = rand.Text()
	hash := sha256.Sum256([]byte(secret))
	return secret, id + " " + string(role) + " " + hex.EncodeToString(hash[:])
}
