package worker

import (
	"context"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/zap"
)

// bisect traces an error that repeating cannot help to the message that causes
// it, and parks that message alone. The order of the stream is kept: the first
// half is handled before the second is tried.
func (s *Service) bisect(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		return nil, s.try(msg.Context(), next, batchOf(msg))
	}
}

func (s *Service) try(ctx context.Context, next message.HandlerFunc, batch []Message) error {
	_, err := next(carry(ctx, batch))
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, isContextError(err), s.cfg.Transient(err):
		return err
	case len(batch) == 1:
		return s.park(ctx, batch[0], describe(err))
	}
	half := len(batch) / 2
	if err := s.try(ctx, next, batch[:half]); err != nil {
		return err
	}
	return s.try(ctx, next, batch[half:])
}

func (s *Service) park(ctx context.Context, m Message, cause error) error {
	if err := s.cfg.Park(ctx, m, cause); err != nil {
		return err
	}
	s.metrics.parked.Inc()
	s.cfg.Logger.Error("message parked: look at it with parked list, then retry or drop it",
		zap.String("service", s.cfg.Name), zap.String("message", m.id()), zap.Error(cause))
	return nil
}

// panicSite finds the frame that panicked in a stack trace.
func panicSite(stack string) string {
	_, after, found := strings.Cut(stack, "panic(")
	if !found {
		return "unknown site"
	}
	for _, line := range strings.Split(after, "\n")[1:] {
		if i := strings.LastIndexByte(line, '/'); i >= 0 && strings.Contains(line, ".go:") && !strings.Contains(line, "/runtime/") {
			site, _, _ := strings.Cut(line[i+1:], " ")
			return site
		}
	}
	return "unknown site"
}
