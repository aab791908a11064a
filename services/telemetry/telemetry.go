// Package telemetry is zap, metrics, traces; field constructors that cannot
// leak a number.
//
// A logger from New drops no line and masks whatever looks like a telephone
// number, in messages and in fields of any kind, before a line is encoded:
//
//	log, err := telemetry.New(telemetry.Options{Level: "info", Format: "json"})
//	log.Warn("append failed", telemetry.Stream("LEDGER_03"), telemetry.Contact(key), telemetry.Err(err))
package telemetry

import (
	"fmt"
	"io"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/assenso/assenso/events"
)

// Options of a logger. The zero value writes JSON from level info to stderr.
type Options struct {
	Level  string    // debug, info, warn, error; "" = info
	Format string    // json, console; "" = json
	Output io.Writer // nil = stderr
}

// New returns a logger as zap's production preset makes it (UTC instants in
// RFC 3339, caller, no stack traces below panic), but without sampling, since
// that drops repeated lines, and behind Redacting.
func New(o Options) (*zap.Logger, error) {
	level := zapcore.InfoLevel
	if o.Level != "" {
		var err error
		if level, err = zapcore.ParseLevel(o.Level); err != nil {
			return nil, fmt.Errorf("configure log: level must be debug, info, warn or error: %w", err)
		}
	}
	conf := zap.NewProductionEncoderConfig()
	conf.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	conf.EncodeDuration = zapcore.StringDurationEncoder
	var enc zapcore.Encoder
	switch o.Format {
	case "", "json":
		enc = zapcore.NewJSONEncoder(conf)
	case "console":
		conf.EncodeLevel = zapcore.CapitalLevelEncoder
		enc = zapcore.NewConsoleEncoder(conf)
	default:
		return nil, fmt.Errorf("configure log: format must be json or console")
	}
	var out io.Writer = os.Stderr
	if o.Output != nil {
		out = o.Output
	}
	core := zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(out)), level)
	return zap.New(Redacting(core), zap.AddCaller(), zap.WithClock(utcClock{})), nil
}

// Contact is the field for a contact point: its key, never its number.
func Contact(key events.ContactKey) zap.Field { return zap.Stringer("contact", key) }

// Stream is the field for a stream's name.
func Stream[S ~string](name S) zap.Field { return zap.String("stream", string(name)) }

// Seq is the field for a position in a stream.
func Seq[S ~uint64](n S) zap.Field { return zap.Uint64("seq", uint64(n)) }

// Family is the field for a recorder's family.
func Family(f events.Family) zap.Field { return zap.String("family", string(f)) }

// Type is the field for an event type.
func Type(t events.Type) zap.Field { return zap.String("type", string(t)) }

// Count is the field for a number of things.
func Count(n int) zap.Field { return zap.Int("count", n) }

// Err is the field for an error, masked with Redact.
func Err(err error) zap.Field {
	if err == nil {
		return zap.Skip()
	}
	return zap.String("error", Redact(err.Error()))
}
