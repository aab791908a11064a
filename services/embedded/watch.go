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
			if err := s.Check(); err != nil {
				s.opts.Log.Error("broker failed", telemetry.Err(err))
				s.failed <- err
				return
			}
		}
	}
}

// Check asks the broker and the disk now; nil means that it can store. The
// error wraps ErrFailed and says what to do.
func (s *Server) Check() error {
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
	answer := health{header: http.Header{}}
	req, err := http.NewRequest(http.MethodGet, "/healthz", nil)
	if err != nil {
		return fmt.Errorf("ask broker's health: %w: %w", ErrFailed, err)
	}
	s.srv.HandleHealthz(&answer, req)
	if answer.status != 0 && answer.status != http.StatusOK {
		return fmt.Errorf("store in %s: %w: %s: mend the cause, start again", s.opts.Data, ErrFailed, telemetry.Redact(strings.TrimSpace(answer.body.String())))
	}
	return nil
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
type brokerLog struct{ log *zap.SugaredLogger }

func line(format string, v []any) string { return telemetry.Redact(fmt.Sprintf(format, v...)) }

// Noticef implements the broker's Logger.
func (l *brokerLog) Noticef(format string, v ...any) { l.log.Debug(line(format, v)) }

// Warnf implements the broker's Logger.
func (l *brokerLog) Warnf(format string, v ...any) { l.log.Warn(line(format, v)) }

// Fatalf implements the broker's Logger; it never ends the process.
func (l *brokerLog) Fatalf(format string, v ...any) { l.log.Error(line(format, v)) }

// Errorf implements the broker's Logger.
func (l *brokerLog) Errorf(format string, v ...any) { l.log.Error(line(format, v)) }

// Debugf implements the broker's Logger.
func (l *brokerLog) Debugf(string, ...any) {}

// Tracef implements the broker's Logger.
func (l *brokerLog) Tracef(string, ...any) {}
