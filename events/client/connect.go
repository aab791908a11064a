package client

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/assenso/assenso/events"
)

// InboxPrefix is the inbox prefix of a NATS user: "_INBOX.<user>". Answers to
// one user's requests are nobody else's to hear, so each user has its own, and
// its permission to subscribe covers no more.
func InboxPrefix(user string) string { return "_INBOX." + events.SubjectToken(user) }

// Connect connects to the broker of an Assenso as user: with an inbox prefix of
// its own, and reconnecting for ever. It sets no credentials; give those, and
// whatever else differs, in options, which go after its own. The caller closes
// the connection.
func Connect(url, user string, options ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect(url, append([]nats.Option{
		nats.Name(user), nats.CustomInboxPrefix(InboxPrefix(user)),
		nats.MaxReconnects(-1), nats.ReconnectWait(200 * time.Millisecond), nats.PingInterval(10 * time.Second),
	}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to broker: %w: is it running, and is nats.listen set?", err)
	}
	return nc, nil
}
