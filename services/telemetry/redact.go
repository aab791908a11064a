package telemetry

import (
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Mask stands where a number was.
const Mask = "[number]"

// numbers matches what looks like a telephone number: with + or 00 and
// separators (E.164 as people write it), nine to fifteen digits on their own,
// and Italian national numbers with separators. Hex keys, dates, instants and
// sequences below 100,000,000 stay.
var numbers = regexp.MustCompile(
	`(?:\+|%2[Bb])[ ./()-]{0,2}[1-9](?:[ ./()-]{0,2}[0-9]){6,14}` +
		`|\b00[ ./()-]{0,2}[1-9](?:[ ./()-]{0,2}[0-9]){6,14}\b` +
		`|\b[0-9]{9,15}\b` +
		`|\b[03][0-9]{1,3}[ ./-][0-9]{2,4}(?:[ ./-]?[0-9]{2,4}){1,2}\b`)

// Redact masks everything in s that looks like a telephone number. In doubt it
// masks: a long sequence or amount may fall too.
func Redact(s string) string {
	if !hasDigits(s, 6) {
		return s
	}
	return numbers.ReplaceAllString(s, Mask)
}

// hasDigits reports whether s holds at least n digits; most lines do not, and
// then the expression need not run.
func hasDigits(s string, n int) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= '0' && c <= '9' {
			if n--; n == 0 {
				return true
			}
		}
	}
	return false
}

// Redacting returns a core that masks messages and all fields before they
// reach next. Numeric fields stay as they are, so a telephone number must never
// be held in an integer; sequences and counts are.
func Redacting(next zapcore.Core) zapcore.Core { return redacting{next} }

type redacting struct{ zapcore.Core }

// With implements zapcore.Core.
func (r redacting) With(fields []zapcore.Field) zapcore.Core {
	return redacting{r.Core.With(redactFields(fields))}
}

// Check implements zapcore.Core.
func (r redacting) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if r.Enabled(e.Level) {
		return ce.AddCore(e, r)
	}
	return ce
}

// Write implements zapcore.Core.
func (r redacting) Write(e zapcore.Entry, fields []zapcore.Field) error {
	e.Message = Redact(e.Message)
	return r.Core.Write(e, redactFields(fields))
}

func redactFields(fields []zapcore.Field) []zapcore.Field {
	out := make([]zapcore.Field, len(fields))
	for i, f := range fields {
		out[i] = redactField(f)
	}
	return out
}

func redactField(f zapcore.Field) zapcore.Field {
	switch f.Type {
	case zapcore.StringType:
		f.String = Redact(f.String)
		return f
	case zapcore.ByteStringType, zapcore.BinaryType:
		b, _ := f.Interface.([]byte)
		return zap.String(f.Key, Redact(string(b)))
	case zapcore.ErrorType, zapcore.StringerType:
		return zap.String(f.Key, Redact(fmt.Sprint(f.Interface)))
	case zapcore.ReflectType, zapcore.ObjectMarshalerType, zapcore.ArrayMarshalerType, zapcore.InlineMarshalerType:
		return redactValue(f)
	}
	return f
}

// redactValue renders a structured field as JSON text and masks that.
func redactValue(f zapcore.Field) zapcore.Field {
	enc := zapcore.NewMapObjectEncoder()
	f.AddTo(enc)
	var v any = enc.Fields[f.Key]
	if f.Type == zapcore.InlineMarshalerType {
		v = enc.Fields
	}
	text, err := json.Marshal(v)
	if err != nil {
		text = fmt.Appendf(nil, "%T", v)
	}
	return zap.String(f.Key, Redact(string(text)))
}

// utcClock gives log lines UTC instants whatever the machine's zone.
type utcClock struct{}

// Now implements zapcore.Clock.
func (utcClock) Now() time.Time { return time.Now().UTC() }

// NewTicker implements zapcore.Clock.
func (utcClock) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }
