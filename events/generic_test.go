package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// byStandardLibrary is decodeGeneric with encoding/json.
func byStandardLibrary(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

func sameAsEncodingJSON(t *testing.T, raw []byte) {
	t.Helper()
	want, wantErr := byStandardLibrary(raw)
	got, gotErr := decodeGeneric(raw)
	if (wantErr == nil) != (gotErr == nil) || !reflect.DeepEqual(got, want) {
		t.Errorf("%.300q:\ngot  %#v, %v\nwant %#v, %v", raw, got, gotErr, want, wantErr)
	}
}

var jsonTexts = []string{
	validGrant, ``, ` `, `null`, `nul`, `nullx`, `true false`, `truefalse`, `[]`, `[ ]`, `[,]`, `[1,]`, `[1 2]`, `{}`, `{ }`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{a:1}`, `{"a":1}}`, `[1]]`,
	`0`, `-0`, `-`, `01`, `1.`, `.5`, `1.5e`, `1.5e+`, `1.5e+7`, `1E-7`, `+1`, `1e400`, `--1`, `0x1`, `1_0`, `Infinity`, `NaN`, `123abc`,
	`"`, `"a`, `"\`, `"\"`, `"\x"`, `"\u12"`, `"\u12G4"`, `"\u0000"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83d\ud83d\ude00"`, `"\ud83dx"`, `"\ud83d\n"`, `"\uFFFD\ufffd"`, `"\/\b\f\n\r\t\\\""`,
	"\"\xff\"", "\"a\xc3\"", "\"\xed\xa0\x80\\n\xff\xfe\"", "\"tab\there\"", "\"nul\x00\"", "\"del\x7f\"", "\"\u2028é😀\"", "\xef\xbb\xbf{}", "{\"\xff\":1,\"\ufffd\":2}",
	`{"a":1,"a":[2],"a":{"b":null}}`, "\v1", "\u00a01", `"a" "b"`, `1 `, "\n[\t1\r,\n2 ] ", `{"a":tru}`, `[fals]`, `[nulL]`,
}

func TestDecodeGenericEqualsEncodingJSON(t *testing.T) {
	for _, s := range jsonTexts {
		sameAsEncodingJSON(t, []byte(s))
	}
	for _, n := range []int{maxDepth - 1, maxDepth, maxDepth + 1} {
		sameAsEncodingJSON(t, []byte(strings.Repeat("[", n)+strings.Repeat("]", n)))
		sameAsEncodingJSON(t, []byte(strings.Repeat(`{"a":`, n)+"1"+strings.Repeat("}", n)))
	}
	sameAsEncodingJSON(t, []byte("["+strings.Repeat("[],{},", maxDepth)+"1]"))
	rnd := rand.New(rand.NewPCG(5, 6))
	const bits = `{}[]",:\u0eE+-. 19tfn` + "\x00\xff\n"
	for range 30_000 {
		raw := []byte(jsonTexts[rnd.IntN(len(jsonTexts))])
		for range 1 + rnd.IntN(3) {
			i := rnd.IntN(len(raw) + 1)
			raw = append(raw[:i:i], append([]byte{bits[rnd.IntN(len(bits))]}, raw[min(len(raw), i+rnd.IntN(2)):]...)...)
		}
		sameAsEncodingJSON(t, raw)
	}
}

func TestDecodeGenericSharesNoMemory(t *testing.T) {
	raw := []byte(`{"name":["text","\u0041",12.5]}`)
	v, err := decodeGeneric(raw)
	clear(raw)
	want := map[string]any{"name": []any{"text", "A", json.Number("12.5")}}
	if err != nil || !reflect.DeepEqual(v, want) {
		t.Errorf("the value changed with the buffer: %#v, %v", v, err)
	}
}

func FuzzDecodeGeneric(f *testing.F) {
	for _, s := range jsonTexts {
		f.Add([]byte(s))
	}
	f.Fuzz(sameAsEncodingJSON)
}
