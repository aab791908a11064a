package pbx

import (
	"errors"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// trunk is where allowed calls are sent.
type trunk struct {
	host      string // name or address; IPv6 in brackets
	port      int    // 0 = left to the switch
	transport string // udp, tcp, tls; "" = left to the switch
}

// transports that a trunk may name (RFC 3261, 19.1.1).
var transports = []string{"udp", "tcp", "tls"}

// hostName is a name of the DNS, or of a switch's own hosts.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?$`)

var errTrunk = errors.New("trunk must be host or host:port, and may end in ;transport=udp, tcp or tls, such as sbc.carrier.example:5060")

// parseTrunk reads host[:port][;transport=…].
func parseTrunk(text string) (trunk, error) {
	var t trunk
	hostPort, rest, found := strings.Cut(text, ";")
	if found {
		transport, ok := strings.CutPrefix(rest, "transport=")
		if !ok || !slices.Contains(transports, transport) {
			return t, errTrunk
		}
		t.transport = transport
	}
	host := hostPort
	if h, port, err := net.SplitHostPort(hostPort); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return t, errTrunk
		}
		host, t.port = h, int(n)
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	switch addr, err := netip.ParseAddr(host); {
	case err == nil && addr.Is6() && addr.Zone() == "":
		t.host = "[" + addr.String() + "]"
	case err == nil && addr.Is4(), err != nil && hostName.MatchString(host):
		t.host = host
	default:
		return t, errTrunk
	}
	return t, nil
}

// contact is the address of a number behind the trunk. The number is E.164, so
// that nothing of a caller's making gets into the address.
func (t *trunk) contact(e164 string) *sip.ContactHeader {
	uri := sip.Uri{Scheme: "sip", User: e164, Host: t.host, Port: t.port}
	if t.transport != "" {
		uri.UriParams = sip.NewParams()
		uri.UriParams.Add("transport", t.transport)
	}
	return &sip.ContactHeader{Address: uri}
}

// isE164 reports whether a number is + and up to 15 digits.
func isE164(s string) bool {
	return len(s) > 1 && len(s) <= 16 && s[0] == '+' && strings.Trim(s[1:], "0123456789") == ""
}
