package events

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

// The sample numbers of RFC 8785, appendix B.
func TestCanonicalNumbers(t *testing.T) {
	cases := []struct {
		bits uint64
		want string
	}{
		{0x0000000000000000, "0"},
		{0x8000000000000000, "0"},
		{0x0000000000000001, "5e-324"},
		{0x8000000000000001, "-5e-324"},
		{0x7fefffffffffffff, "1.7976931348623157e+308"},
		{0xffefffffffffffff, "-1.7976931348623157e+308"},
		{0x4340000000000000, "9007199254740992"},
		{0xc340000000000000, "-9007199254740992"},
		{0x4430000000000000, "295147905179352830000"},
		{0x44b52d02c7e14af5, "9.999999999999997e+22"},
		{0x44b52d02c7e14af6, "1e+23"},
		{0x44b52d02c7e14af7, "1.0000000000000001e+23"},
		{0x444b1ae4d6e2ef4e, "999999999999999700000"},
		{0x444b1ae4d6e2ef4f, "999999999999999900000"},
		{0x444b1ae4d6e2ef50, "1e+21"},
		{0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
		{0x3eb0c6f7a0b5ed8d, "0.000001"},
		{0x41b3de4355555553, "333333333.3333332"},
		{0x41b3de4355555554, "333333333.33333325"},
		{0x41b3de4355555555, "333333333.3333333"},
		{0x41b3de4355555556, "333333333.3333334"},
		{0x41b3de4355555557, "333333333.33333343"},
		{0xbecbf647612f3696, "-0.0000033333333333333333"},
		{0x43143ff3c1cb0959, "1424953923781206.2"},
	}
	for _, c := range cases {
		got, err := AppendCanonical(nil, math.Float64frombits(c.bits))
		if err != nil || string(got) != c.want {
			t.Errorf("%016x: got %s, %v; want %s", c.bits, got, err, c.want)
		}
		if again, err := CanonicalJSON(got); err != nil || string(again) != c.want {
			t.Errorf("%s read back: %s, %v", c.want, again, err)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := AppendCanonical(nil, f); !errors.Is(err, ErrCanonical) {
			t.Errorf("%v: %v, want ErrCanonical", f, err)
		}
	}
}

func TestCanonicalJSON(t *testing.T) {
	cases := map[string]string{
		// RFC 8785, 3.2.2
		`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`: `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		// RFC 8785, 3.2.3: order by UTF-16 code units
		`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`: "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}",
		`{"a":{},"A":[],"":"","aa":-0,"a\u0000":0.0}`:                                 `{"":"","A":[],"a":{},"a\u0000":0,"aa":0}`,
		`"\u0000\u0007\b\t\n\f\r\u001f\u007f\u2028<&>"`:                               "\"\\u0000\\u0007\\b\\t\\n\\f\\r\\u001f\u007f\u2028<&>\"",
		`{"x":1,"x":2}`:                         `{"x":2}`,
		` [ 1 , 9007199254740993 , -1e-7 ] `:    `[1,9007199254740992,-1e-7]`,
		"\"\\ud800 \xff\"":                      "\"\ufffd \ufffd\"",
		`100000000000000000000000000000000`:     `1e+32`,
		`[1e-9,123456789e-12,12e300,1e21,1e20]`: `[1e-9,0.000123456789,1.2e+301,1e+21,100000000000000000000]`,
	}
	for in, want := range cases {
		got, err := CanonicalJSON([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s\n got %s, %v\nwant %s", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "{", "nul", "1 2", `{"a":1e400}`, "[1,]", "01", strings.Repeat("[", 100_000)} {
		if _, err := CanonicalJSON([]byte(bad)); !errors.Is(err, ErrCanonical) {
			t.Errorf("%.20q: %v, want ErrCanonical", bad, err)
		}
	}
}

func TestAppendCanonicalOfGoValues(t *testing.T) {
	at, _ := ParseInstant("2026-01-01T00:00:00Z")
	got, err := AppendCanonical([]byte("x="), map[string]any{
		"i": 7, "l": int64(-7), "n": json.Number("1.50"), "b": true, "nil": nil, "list": []any{"a", 2.0}, "set": AllPurposes, "r": json.RawMessage(`{"b":1, "a":2}`), "t": at.String(),
	})
	want := `x={"b":true,"i":7,"l":-7,"list":["a",2],"n":1.5,"nil":null,"r":{"a":2,"b":1},"set":["marketing","market_research","profiling","third_party_disclosure","service"],"t":"2026-01-01T00:00:00.000Z"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	for _, v := range []any{struct{}{}, map[string]any{"a": []any{make(chan int)}}, json.Number("abc"), json.RawMessage("{")} {
		if _, err := AppendCanonical(nil, v); !errors.Is(err, ErrCanonical) {
			t.Errorf("%T: %v, want ErrCanonical", v, err)
		}
	}
}
