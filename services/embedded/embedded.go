// Package embedded is NATS server, SQLite and all services in one process; here
// lies the broker: a nats-server with JetStream inside the process, on a data
// folder that is locked against a second one.
//
//	srv, err := embedded.Start(ctx, embedded.Options{Data: ".data", Mode: ledger.Strict, Log: log})
//	nc, err := srv.Conn()      // in process, for commands
//	bulk, err := srv.Bulk()    // over loopback, for bulk reading
//	...
//	srv.Close()
package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
	"golang.org/x/crypto/bcrypt"

	"github.com/assenso/assenso/services/ledger"
)

// Options of the embedded broker. Only Data is required.
type Options struct {
	// Data is the data folder; it is created if it is missing. The broker's
	// files lie in its sub-folder "nats".
	Data string
	// Listen is the address for other processes, "127.0.0.1:4222"; "" = a
	// random port on loopback that only Bulk uses, behind a random password.
	// An address that is not loopback needs Configure to set up users.
	Listen string
	// Mode is the durability; "" = strict, every acknowledgement after fsync.
	Mode ledger.Mode
	// Log receives the broker's lines; nil = none.
	Log *zap.Logger
	// MinFree is the free space in bytes below which the broker counts as
	// failed (default 256 MiB).
	MinFree uint64
	// Configure, if set, may complete the broker's options (users, TLS) just
	// before it starts.
	Configure func(*natsserver.Options)
}

// Errors of the package, for tests with errors.Is.
var (
	// ErrInUse: another process works on the data folder.
	ErrInUse = errors.New("data folder in use")
	// ErrFolder: the data folder cannot be used as it is; the text says what to
	// change.
	ErrFolder = errors.New("data folder unusable")
	// ErrFailed: the running broker can no longer store (disk full, write
	// error). Stop the process, mend the cause, start again; what was
	// acknowledged is safe.
	ErrFailed = errors.New("broker failed")
)

// Server is a running broker.
type Server struct {
	opts     Options
	srv      *natsserver.Server
	lock     *flock.Flock
	user     string
	password string
	failed   chan error // one error, see fail
	broken   atomic.Bool
	watched  sync.WaitGroup
	stop     context.CancelFunc
	closing  sync.Once
}

// internalUser is the account under which this process connects.
const internalUser = "assenso"

// Start locks the data folder, starts the broker and waits until it is ready
// or ctx ends. An error wraps ErrInUse, ErrFolder or that of the broker, and
// says what to do; nothing is left running then.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Mode == "" {
		o.Mode = ledger.Strict
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.MinFree == 0 {
		o.MinFree = 256 << 20
	}
	lock, err := claim(o.Data)
	if err != nil {
		return nil, err
	}
	s := &Server{opts: o, lock: lock, user: internalUser, password: rand.Text(), failed: make(chan error, 1)}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	if free, err := freeBytes(s.opts.Data); err != nil {
		return err
	} else if free < s.opts.MinFree {
		return diskFull(s.opts.Data, free, s.opts.MinFree)
	}
	conf, err := s.config()
	if err != nil {
		return err
	}
	if s.srv, err = natsserver.NewServer(conf); err != nil {
		return fmt.Errorf("start broker on %s: %w", s.opts.Data, err)
	}
	s.srv.SetLoggerV2(&brokerLog{log: s.opts.Log.Sugar().Named("nats"), fail: s.fail}, false, false, false)
	s.srv.Start()
	for !s.srv.ReadyForConnections(50 * time.Millisecond) {
		if err := ctx.Err(); err != nil || !s.srv.Running() {
			s.srv.Shutdown()
			s.srv.WaitForShutdown()
			return fmt.Errorf("start broker on %s: it did not become ready (address %q in use, or a damaged store; see the log lines before): %w",
				s.opts.Data, s.opts.Listen, errors.Join(err, ErrFailed))
		}
	}
	if !s.srv.JetStreamEnabled() {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
		return fmt.Errorf("start broker on %s: JetStream did not come up; see the log lines before: %w", s.opts.Data, ErrFailed)
	}
	watch, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.watched.Go(func() { s.watch(watch, watchEvery) })
	return nil
}

// config builds the broker's options.
func (s *Server) config() (*natsserver.Options, error) {
	conf := &natsserver.Options{
		ServerName: "assenso", Host: "127.0.0.1", Port: natsserver.RANDOM_PORT,
		JetStream: true, StoreDir: filepath.Join(s.opts.Data, "nats"),
		NoSigs: true, DisableJetStreamBanner: true, NoSystemAccount: false,
		MaxPayload: 1 << 20, MaxPending: 256 << 20, WriteDeadline: 10 * time.Second,
		JetStreamMaxStore: 1 << 62, JetStreamMaxMemory: 1 << 30,
	}
	switch s.opts.Mode {
	case ledger.Strict:
		conf.SyncAlways = true
	case ledger.Bounded:
		conf.SyncInterval = 100 * time.Millisecond
	case ledger.Fast:
		conf.SyncInterval = 2 * time.Minute
	default:
		return nil, fmt.Errorf("start broker: durability %q is none of strict, bounded, fast", s.opts.Mode)
	}
	hashed, err := bcrypt.GenerateFromPassword([]byte(s.password), bcrypt.MinCost)
	if err != nil {
		return nil, fmt.Errorf("start broker: hash the password of this process: %w", err)
	}
	users := []*natsserver.User{{Username: s.user, Password: string(hashed)}}
	if s.opts.Listen != "" {
		host, port, err := net.SplitHostPort(s.opts.Listen)
		if err != nil {
			return nil, fmt.Errorf("start broker: listen address must be host:port: %w", err)
		}
		if conf.Port, err = strconv.Atoi(port); err != nil {
			return nil, fmt.Errorf("start broker: listen port must be a number: %w", err)
		}
		if conf.Port == 0 {
			conf.Port = natsserver.RANDOM_PORT
		}
		conf.Host = host
		if s.opts.Configure == nil {
			if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
				return nil, fmt.Errorf("start broker: %s is not a loopback address and no users are configured: listen on 127.0.0.1 or configure access", host)
			}
			users = append(users, &natsserver.User{Username: "local"})
			conf.NoAuthUser = "local"
		}
	}
	conf.Users = users
	if s.opts.Configure != nil {
		s.opts.Configure(conf)
	}
	return conf, nil
}

// Conn returns a new in-process connection, best for commands. It reconnects
// for ever; the caller closes it.
func (s *Server) Conn(opts ...nats.Option) (*nats.Conn, error) {
	return s.connect(append([]nats.Option{nats.InProcessServer(s.srv), nats.Name("in process")}, opts...))
}

// Bulk returns a new connection over loopback, which reads in bulk several
// times faster than the in-process pipe. The caller closes it.
func (s *Server) Bulk(opts ...nats.Option) (*nats.Conn, error) {
	return s.connect(append([]nats.Option{nats.Name("bulk")}, opts...))
}

func (s *Server) connect(opts []nats.Option) (*nats.Conn, error) {
	opts = append([]nats.Option{
		nats.UserInfo(s.user, s.password), nats.MaxReconnects(-1), nats.ReconnectWait(50 * time.Millisecond),
		nats.CustomInboxPrefix("_INBOX." + s.user),
	}, opts...)
	nc, err := nats.Connect(s.srv.ClientURL(), opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to embedded broker: %w", err)
	}
	return nc, nil
}

// URL is the address for other processes, "nats://127.0.0.1:4222".
func (s *Server) URL() string { return s.srv.ClientURL() }

// Sync says when the broker syncs: always (before each acknowledgement), or
// else every interval. It reads the running broker's settings.
func (s *Server) Sync() (always bool, interval time.Duration) {
	conf := s.srv.JetStreamConfig()
	if conf == nil {
		return false, 0
	}
	return conf.SyncAlways, conf.SyncInterval
}

// Version of the broker.
func (s *Server) Version() string { return natsserver.VERSION }

// Failed delivers one error that wraps ErrFailed when the broker can no longer
// store. Stop the process then.
func (s *Server) Failed() <-chan error { return s.failed }

// Close stops the broker, waits until its files are closed and releases the
// data folder. Close connections before. A second call does nothing. A broker
// that has failed may never come to an end: it is given up after closeWait, and
// the folder stays locked until the process ends.
func (s *Server) Close() error {
	var err error
	s.closing.Do(func() {
		s.stop()
		s.watched.Wait()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.srv.Shutdown()
			s.srv.WaitForShutdown()
		}()
		var giveUp <-chan time.Time
		if s.broken.Load() {
			giveUp = time.After(closeWait)
		}
		select {
		case <-ended:
			err = s.lock.Unlock()
		case <-giveUp:
			err = fmt.Errorf("close broker on %s: %w: it did not stop within %s: end the process", s.opts.Data, ErrFailed, closeWait)
		}
	})
	return err
}

// closeWait is how long a broker that has failed may take to stop. nats-server
// 2.15 holds a stream's lock for ever when a write fails while it purges
// (compactLocked flushes, and rebuilds its state under the lock that it holds).
const closeWait = 5 * time.Second
