package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// debian is where Debian keeps the programs of a server.
const debian = "/usr/lib/postgresql/*/bin"

// server is a process started for the tests.
type server struct {
	folder string
	port   int
	end    func() error
	scheme string
}

func (s *server) url() string { return fmt.Sprintf(s.scheme, s.port) }

func (s *server) stop() error { return errors.Join(s.end(), os.RemoveAll(s.folder)) }

// ErrNone: there is no PostgreSQL on this machine.
var ErrNone = errors.New("no PostgreSQL here: set " + PostgresURL + ", or install the package postgresql-15")

// Launch starts PostgreSQL for a measurement, with its files below folder and
// every commit on disk, and returns its URL. ErrNone if there is none.
func Launch(folder string) (url string, stop func() error, err error) {
	s, err := startPostgres(folder, "on")
	if err != nil {
		return "", nil, err
	}
	return s.url(), s.stop, nil
}

// startPostgres makes a database in a folder below parent, "" = a temporary
// one, and starts it on loopback.
func startPostgres(parent, fsync string) (*server, error) {
	found, err := filepath.Glob(debian)
	if err != nil || len(found) == 0 {
		return nil, errors.Join(ErrNone, err)
	}
	bin := slices.Max(found)
	s, err := newServer(parent, "postgres://assenso@127.0.0.1:%d/postgres?sslmode=disable")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(s.folder, "data")
	owner, err := unprivileged(s.folder)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	ctl := filepath.Join(bin, "pg_ctl")
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories= -c fsync=%s -c max_connections=200", s.port, fsync)
	for _, step := range [][]string{
		{filepath.Join(bin, "initdb"), "-D", data, "-U", "assenso", "-E", "UTF8", "--auth=trust", "--no-sync"},
		{ctl, "start", "-D", data, "-w", "-t", "60", "-l", filepath.Join(s.folder, "log"), "-o", options},
	} {
		if err := run(owner, s.folder, step...); err != nil {
			return nil, errors.Join(err, os.RemoveAll(s.folder))
		}
	}
	s.end = func() error { return run(owner, s.folder, ctl, "stop", "-D", data, "-w", "-m", "immediate") }
	return s, nil
}

// startCockroach starts one node in memory.
func startCockroach(binary string) (*server, error) {
	s, err := newServer("", "postgres://root@127.0.0.1:%d/defaultdb?sslmode=disable")
	if err != nil {
		return nil, err
	}
	pid := filepath.Join(s.folder, "pid")
	err = run(nil, s.folder, binary, "start-single-node", "--insecure", "--background", "--store=type=mem,size=1GiB",
		"--listen-addr="+net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), "--http-addr=127.0.0.1:0", "--pid-file="+pid)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	s.end = func() error {
		text, err := os.ReadFile(pid)
		if err != nil {
			return err
		}
		id, err := strconv.Atoi(string(bytes.TrimSpace(text)))
		if err != nil {
			return err
		}
		return syscall.Kill(id, syscall.SIGKILL)
	}
	return s, nil
}

func newServer(parent, scheme string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(parent, "assenso-database-*")
	return &server{folder: folder, port: port, scheme: scheme}, err
}

// unprivileged returns the user as whom PostgreSQL runs, who gets the folder:
// nil for our own, another where we are root, whom PostgreSQL refuses.
func unprivileged(folder string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(folder, int(uid), int(gid))
}

// run waits for a command. Its output goes to a file: a server that goes on
// in the background would keep a pipe open.
func run(as *syscall.Credential, folder string, command ...string) error {
	out, err := os.Create(filepath.Join(folder, "output"))
	if err != nil {
		return err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	err = errors.Join(cmd.Run(), out.Close())
	if err == nil {
		return nil
	}
	said, readErr := os.ReadFile(out.Name())
	return errors.Join(fmt.Errorf("%s: %w: %s", filepath.Base(command[0]), err, bytes.TrimSpace(said)), readErr)
}
