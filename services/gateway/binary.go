package gateway

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// binaryMode reports whether the request is a CloudEvent in binary mode:
// attributes in ce-… headers, data in the body.
func binaryMode(h http.Header) bool {
	return h.Get("Ce-Specversion") != "" || h.Get("Ce-Type") != "" || h.Get("Ce-Id") != ""
}

// structured turns a binary-mode CloudEvent into the structured form. Header
// values are percent-decoded as the CloudEvents HTTP binding asks; sourceseq
// is an integer. A body that is not JSON is returned as it stands, so that the
// item is rejected as json_invalid.
func structured(h http.Header, body []byte) []byte {
	data := strings.TrimSpace(string(body))
	if data != "" && !json.Valid(body) {
		return body
	}
	members := make([]string, 0, 10)
	for name, values := range h {
		attr, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
		if ok && len(values) > 0 && attr != "data" {
			members = append(members, quote(attr)+":"+attributeValue(attr, values[0]))
		}
	}
	slices.Sort(members)
	if data != "" {
		members = append(members, `"data":`+data)
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}

func attributeValue(attr, value string) string {
	if decoded, err := url.PathUnescape(value); err == nil {
		value = decoded
	}
	if attr == "sourceseq" && json.Valid([]byte(value)) {
		return value
	}
	return quote(value)
}

// quote writes s as a JSON string; invalid UTF-8 becomes U+FFFD.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}
