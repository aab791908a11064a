package worker

import (
	"github.com/ThreeDotsLabs/watermill"
	"go.uber.org/zap"
)

// routerLog gives the router's own messages to zap. It passes no fields but
// the handler's name: Watermill's others may quote a message.
type routerLog struct{ log *zap.Logger }

var _ watermill.LoggerAdapter = routerLog{}

// Error implements watermill.LoggerAdapter.
func (l routerLog) Error(msg string, err error, _ watermill.LogFields) {
	l.log.Warn("router: "+firstLine(msg), zap.Error(describe(err)))
}

// Info implements watermill.LoggerAdapter; the router's information is noise.
func (l routerLog) Info(msg string, _ watermill.LogFields) { l.log.Debug("router: " + msg) }

// Debug implements watermill.LoggerAdapter and does nothing.
func (routerLog) Debug(string, watermill.LogFields) {}

// Trace implements watermill.LoggerAdapter and does nothing.
func (routerLog) Trace(string, watermill.LogFields) {}

// With implements watermill.LoggerAdapter.
func (l routerLog) With(watermill.LogFields) watermill.LoggerAdapter { return l }

func firstLine(s string) string {
	for i := range len(s) {
		if s[i] == '\n' {
			return s[:i]
		}
	}
	return s
}
