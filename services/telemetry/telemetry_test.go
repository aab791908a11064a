package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/telemetry"
)

func TestRedactMasksNumbers(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"call to +393331234567 failed", "call to [number] failed"},
		{"call to +39 333 123 4567 failed", "call to [number] failed"},
		{"call to +39-02-1234-5678.", "call to [number]."},
		{"0039 333 1234567", "[number]"},
		{"3331234567", "[number]"},
		{"333 1234567", "[number]"},
		{"06/12345678", "[number]"},
		{"sip:393331234567@host", "sip:[number]@host"},
		{"GET /contacts/%2B393331234567", "GET /contacts/[number]"},
		{`{"phone":"+393331234567"}`, `{"phone":"[number]"}`},
		{"seq 12345678 of LEDGER_03", "seq 12345678 of LEDGER_03"},
		{"2026-11-23T10:11:12.123456Z", "2026-11-23T10:11:12.123456Z"},
		{"contact 00112233445566778899aabbccddeeff", "contact 00112233445566778899aabbccddeeff"},
		{"listening on 127.0.0.1:42331", "listening on 127.0.0.1:42331"},
		{"synced in 4.512345ms", "synced in 4.512345ms"},
		{"plain words", "plain words"},
	} {
		if got := telemetry.Redact(c.in); got != c.want {
			t.Errorf("Redact(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestRedactMasksEveryE164(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[1-9][0-9]{7,14}`).Draw(t, "digits")
		before := rapid.SampledFrom([]string{"", " ", "to=", "\"", "(", "phone:"}).Draw(t, "before")
		after := rapid.SampledFrom([]string{"", " ", ",", "\"", ")", " failed"}).Draw(t, "after")
		if got, want := telemetry.Redact(before+"+"+digits+after), before+telemetry.Mask+after; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

const number = "+393331234567"

type person struct{ Phone string }

func (p person) String() string { return p.Phone }

func (p person) MarshalLogObject(e zapcore.ObjectEncoder) error {
	e.AddString("phone", p.Phone)
	return nil
}

func TestNoFieldLeaksANumber(t *testing.T) {
	core, seen := observer.New(zapcore.DebugLevel)
	log := zap.New(telemetry.Redacting(core))
	p := person{number}
	fields := []zap.Field{
		zap.String("a", number), zap.ByteString("b", []byte(number)), zap.Binary("c", []byte(number)),
		zap.NamedError("cause", fmt.Errorf("append: %w", errors.New(number))), zap.Stringer("d", p), zap.Any("e", p),
		zap.Object("f", p), zap.Strings("g", []string{number}), zap.Reflect("h", map[string]string{"x": number}),
		zap.Inline(p), telemetry.Err(errors.New(number)), zap.Errors("i", []error{errors.New(number)}),
	}
	log.With(fields...).Info("with " + number)
	log.Info("plain "+number, fields...)
	if seen.Len() != 2 {
		t.Fatalf("%d lines, want 2", seen.Len())
	}
	for _, e := range seen.All() {
		text, err := json.Marshal(e.ContextMap())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(e.Message+string(text), number[1:]) {
			t.Errorf("the number is in the line: %s %s", e.Message, text)
		}
		if got := strings.Count(string(text), telemetry.Mask); got < len(fields) {
			t.Errorf("%d masks for %d fields: %s", got, len(fields), text)
		}
	}
}

func TestFieldsNameWhatTheyHold(t *testing.T) {
	core, seen := observer.New(zapcore.DebugLevel)
	key, err := events.ParseContactKey("00112233445566778899aabbccddeeff")
	if err != nil {
		t.Fatal(err)
	}
	zap.New(telemetry.Redacting(core)).Info("x", telemetry.Contact(key), telemetry.Stream("LEDGER_03"),
		telemetry.Seq(uint64(123456789012)), telemetry.Family(events.FamilyGrants), telemetry.Count(3),
		telemetry.Type(events.TypeConsentGranted), telemetry.Err(nil))
	want := map[string]any{
		"contact": "00112233445566778899aabbccddeeff", "stream": "LEDGER_03", "seq": uint64(123456789012),
		"family": "grants", "count": int64(3), "type": "consent.granted.v1",
	}
	if diff := cmp.Diff(want, seen.All()[0].ContextMap()); diff != "" {
		t.Error(diff)
	}
}

func TestLoggerKeepsRepeatedLines(t *testing.T) {
	var out bytes.Buffer
	log, err := telemetry.New(telemetry.Options{Output: &out})
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		log.Info("the same line")
	}
	log.Debug("not at this level")
	if got := strings.Count(out.String(), "the same line"); got != 500 {
		t.Errorf("%d lines written, want 500", got)
	}
	if strings.Contains(out.String(), "not at this level") {
		t.Error("a debug line at level info")
	}
}

func TestLoggerRefusesUnknownOptions(t *testing.T) {
	for _, o := range []telemetry.Options{{Level: "loud"}, {Format: "xml"}} {
		if _, err := telemetry.New(o); err == nil {
			t.Errorf("New(%+v) gave no error", o)
		}
	}
	var out bytes.Buffer
	log, err := telemetry.New(telemetry.Options{Level: "debug", Format: "console", Output: &out})
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("seen")
	if !strings.Contains(out.String(), "DEBUG") || !strings.Contains(out.String(), "Z\t") {
		t.Errorf("console line without level or UTC instant: %q", out.String())
	}
}

func TestMetricsBearTheProjectsNames(t *testing.T) {
	reg := telemetry.NewRegistry()
	m := telemetry.For(reg, "ledger")
	m.Counter("appended_total", "Entries appended.", "stream").WithLabelValues("LEDGER_00").Add(2)
	m.Counter("appended_total", "Entries appended.", "stream").WithLabelValues("LEDGER_00").Inc()
	m.Gauge("pending_entries", "Entries waiting.").WithLabelValues().Set(7)
	m.Durations("commit_seconds", "Commit.", "stream").WithLabelValues("LEDGER_00").Observe(0.004)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "assenso_") {
			metric := f.GetMetric()[0]
			got[f.GetName()] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{"assenso_ledger_appended_total": 3, "assenso_ledger_pending_entries": 7, "assenso_ledger_commit_seconds": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
