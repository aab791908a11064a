package pbx

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// headerPrefix begins the names of the headers by which a switch says
// parameters of the question: X-Assenso-Campaign, X-Assenso-Origin-Country.
const headerPrefix = "X-Assenso-"

// headerName is the header of a parameter.
func headerName(parameter string) string {
	parts := strings.Split(parameter, "_")
	for i, p := range parts {
		parts[i] = strings.ToUpper(p[:1]) + p[1:]
	}
	return headerPrefix + strings.Join(parts, "-")
}

// headerTable returns the parameter of each header, by its name in lower case:
// the usual headers, or what the settings say in the form parameter=Header.
func headerTable(settings []string) (map[string]string, error) {
	headers := make(map[string]string, len(settable))
	for name := range settable {
		headers[name] = headerName(name)
	}
	for _, s := range settings {
		name, header, ok := strings.Cut(s, "=")
		if _, known := settable[name]; !ok || !known || !isToken(header) {
			return nil, errors.New("headers must be lines of parameter=Header, such as campaign=X-Campaign-Id; parameters are " + strings.Join(names(), ", "))
		}
		headers[name] = header
	}
	table := make(map[string]string, len(headers))
	for name, header := range headers {
		table[strings.ToLower(header)] = name
	}
	if len(table) != len(headers) {
		return nil, errors.New("headers names one header for two parameters: give each its own")
	}
	return table, nil
}

// isToken reports whether s can name a header.
func isToken(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

// readInvite takes the call out of an INVITE. Errors bear no value.
func readInvite(req *sip.Request, table map[string]string) (call, error) {
	var c call
	from, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		return c, errors.New("the INVITE comes from no address")
	}
	c.from = from.Addr()
	if c.dialled, err = user(&req.Recipient); err != nil {
		return c, err
	}
	for _, h := range req.Headers() {
		if name, ok := table[sip.HeaderToLower(h.Name())]; ok {
			c.given = append(c.given, parameter{name, strings.TrimSpace(h.Value())})
		}
	}
	cli, err := presented(req)
	if err != nil {
		return c, err
	}
	// No attempt is made of the Call-ID: it is recorded with the decision, and
	// some switches build it from the numbers.
	c.otherwise = []parameter{{"cli", cli}}
	return c, nil
}

// user is the number in a URI: the user part of sip:, or what follows tel:,
// without parameters and escapes (RFC 3261, 19.1.1; RFC 3966). A number that is
// local to a context is refused, for it means another one than its digits say.
func user(uri *sip.Uri) (string, error) {
	text := uri.User
	if uri.Scheme == "tel" {
		text = uri.Raw()
	}
	number, params, _ := strings.Cut(text, ";")
	if strings.Contains(strings.ToLower(params), "phone-context") {
		return "", errors.New("the number is local to a phone-context: dial E.164, or national and fix country in pbx.switches")
	}
	number, err := url.PathUnescape(number)
	if err != nil || strings.ContainsAny(number, "\r\n\x00") {
		return "", errors.New("the request's URI cannot be read")
	}
	return number, nil
}

// presented is the number that the called person will see: that of
// P-Asserted-Identity (RFC 3325), else that of From; "" where the caller wants
// it withheld (Privacy, or an anonymous From).
func presented(req *sip.Request) (string, error) {
	for _, h := range req.GetHeaders("Privacy") {
		for _, value := range strings.FieldsFunc(strings.ToLower(h.Value()), func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
			if value == "id" || value == "user" || value == "header" {
				return "", nil
			}
		}
	}
	for _, h := range req.GetHeaders("P-Asserted-Identity") {
		for _, value := range splitAddresses(h.Value()) {
			var uri sip.Uri
			if _, err := sip.ParseAddressValue(value, &uri, new(sip.HeaderParams)); err != nil {
				return "", errors.New("P-Asserted-Identity cannot be read")
			}
			if number, err := user(&uri); err == nil && number != "" {
				return number, nil
			}
		}
	}
	from := req.From()
	if from == nil || strings.EqualFold(from.Address.Host, "anonymous.invalid") || strings.EqualFold(from.Address.User, "anonymous") {
		return "", nil
	}
	return user(&from.Address)
}

// splitAddresses splits a list of addresses at the commas outside quotes and
// angle brackets.
func splitAddresses(list string) []string {
	var out []string
	quoted, inside, begin := false, false, 0
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			inside = true
		case c == '>':
			inside = false
		case c == ',' && !inside:
			out = append(out, strings.TrimSpace(list[begin:i]))
			begin = i + 1
		}
	}
	if last := strings.TrimSpace(list[begin:]); last != "" {
		out = append(out, last)
	}
	return out
}
