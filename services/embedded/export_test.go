package embedded

import "go.uber.org/zap"

// BreakStore makes the broker switch its store off, as a write error does.
func BreakStore(s *Server) error { return s.srv.DisableJetStream() }

// LogLine writes a warning as the broker would.
func LogLine(s *Server, format string, v ...any) {
	(&brokerLog{log: s.opts.Log.WithOptions(zap.AddCallerSkip(1)).Sugar()}).Warnf(format, v...)
}
