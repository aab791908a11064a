package embedded

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/assenso/assenso/services/telemetry"
)

// watchEvery is how often the broker's health and the disk are looked at.
const watchEvery = 2 * time.Second

// watch reports the first reason why the broker can no longer store.
func (s *Server) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.check(ctx); err != nil {
				s.fail(err)
				return
			}
		}
	}
}

// fail makes the first reason known; the others are in the log.
func (s *Server) fail(err error) {
	s.broken.Store(true)
	select {
	case s.failed <- err:
		s.opts.Log.Error("broker failed", telemetry.Err(err))
	default:
	}
}

// healthWait is how long the broker may take to say how it is.
const healthWait = 10 * time.Second

// Check asks the broker and the disk now; nil means that it can store. The
// error wraps ErrFailed and says what to do.
func (s *Server) Check() error { return s.check(context.Background()) }

// check is Check until ctx ends; then nothing is known, and nil.
func (s *Server) check(ctx context.Context) error {
	free, err := freeBytes(s.opts.Data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	if free < s.opts.MinFree {
		return diskFull(s.opts.Data, free, s.opts.MinFree)
	}
	if !s.srv.JetStreamEnabled() {
		return fmt.Errorf("store in %s: %w: the broker has switched its store off after a write error: see the log, mend disk or permissions, start again", s.opts.Data, ErrFailed)
	}
	req, err := http.NewRequest(http.MethodGet, "/healthz", nil)
	if err != nil {
		return fmt.Errorf("ask broker's health: %w: %w", ErrFailed, err)
	}
	asked := make(chan *health, 1)
	go func() { // a stuck store never answers
		answer := &health{header: http.Header{}}
		s.srv.HandleHealthz(answer, req)
		asked <- answer
	}()
	select {
	case <-ctx.Done():
		return nil
	case answer := <-asked:
		if answer.status == 0 || answer.status == http.StatusOK {
			return nil
		}
		return fmt.Errorf("store in %s: %w: %s: mend the cause, start again", s.opts.Data, ErrFailed, telemetry.Redact(strings.TrimSpace(answer.body.String())))
	case <-time.After(healthWait):
		return fmt.Errorf("store in %s: %w: the broker does not answer for %s: see the log, mend the cause, start again", s.opts.Data, ErrFailed, healthWait)
	}
}

// health takes the answer of the broker's health handler.
type health struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (h *health) Header() http.Header { return h.header }

// WriteHeader implements http.ResponseWriter.
func (h *health) WriteHeader(status int) { h.status = status }

// Write implements http.ResponseWriter.
func (h *health) Write(b []byte) (int, error) { return h.body.Write(b) }

// brokerLog gives the broker's lines to zap, masked: subjects and client names
// may hold anything.
type brokerLog struct {
	log  *zap.SugaredLogger
	fail func(error)
}

// writeError is what the broker says of a stream or consumer that it will not
// write to any more; it keeps serving the others and counts as healthy.
const writeError = "critical write error"

func line(format string, v []any) string { return telemetry.Redact(fmt.Sprintf(format, v...)) }

// Noticef implements the broker's Logger.
func (l *brokerLog) Noticef(format string, v ...any) { l.log.Debug(line(format, v)) }

// Warnf implements the broker's Logger.
func (l *brokerLog) Warnf(format string, v ...any) { l.log.Warn(line(format, v)) }

// Fatalf implements the broker's Logger; it never ends the process.
func (l *brokerLog) Fatalf(format string, v ...any) { l.log.Error(line(format, v)) }

// Errorf implements the broker's Logger. A store that refused a write is not
// written to again before the next start: the process must stop.
func (l *brokerLog) Errorf(format string, v ...any) {
	said := line(format, v)
	l.log.Error(said)
	if strings.Contains(strings.ToLower(said), writeError) {
		l.fail(fmt.Errorf("store: %w: %s: make room, or mend disk or permissions, then start again", ErrFailed, said))
	}
}

// Debugf implements the broker's Logger.
func (l *brokerLog) Debugf(string, ...any) {}

// Tracef implements the broker's Logger.
func (l *brokerLog) Tracef(string, ...any) {}
