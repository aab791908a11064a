package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/assenso/assenso/events"
)

// binaryMode reports whether the request is a CloudEvent in binary mode:
// attributes in ce-… headers, data in the body.
func binaryMode(h http.Header) bool {
	return h.Get("Ce-Specversion") != "" || h.Get("Ce-Type") != "" || h.Get("Ce-Id") != ""
}

// structured turns a binary-mode CloudEvent into the structured form. Header
// values are percent-decoded as the CloudEvents HTTP binding asks. A body that
// is not JSON is returned as it stands, so that the item is rejected as
// json_invalid.
func structured(h http.Header, body []byte) []byte {
	attributes := map[string]string{}
	for name, values := range h {
		name = strings.ToLower(name)
		if !strings.HasPrefix(name, "ce-") || name == "ce-data" || len(values) == 0 {
			continue
		}
		value, err := url.PathUnescape(values[0])
		if err != nil {
			value = values[0]
		}
		attributes[name] = value
	}
	event, err := events.FromBinary(attributes, body)
	if err != nil {
		return body
	}
	return event
}
