package house

import (
	"fmt"
	"io"
	"runtime/debug"

	"go.uber.org/zap"

	"github.com/assenso/assenso/services/telemetry"
)

// NewLog makes the process's own log, in which no line is dropped and no number
// is written out.
func NewLog(cfg LogConfig, out io.Writer) (*zap.Logger, error) {
	log, err := telemetry.New(telemetry.Options{Level: cfg.Level, Format: cfg.Format, Output: out})
	if err != nil {
		return nil, fmt.Errorf("%w: log: %w", ErrConfig, err)
	}
	return log, nil
}

// release is set by the linker for released binaries.
var release string

// Version is the program's version: the release, or the revision it was built
// from, or "devel".
func Version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
