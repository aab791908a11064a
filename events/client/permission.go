package client

import (
	"errors"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// violation is something that the broker forbids to this connection.
type violation struct {
	publish bool // else: to subscribe
	subject string
	inbox   bool // subject is of the connection's own inboxes
}

var violationForm = regexp.MustCompile(`Permissions Violation for (Publish|Subscription) to "([^"]+)"`)

// watchPermissions calls tell for every violation until the function that it
// returns is called. The broker reports violations apart from the call that
// they concern, which only sees a timeout. The handler that was set before goes
// on hearing everything.
func watchPermissions(nc *nats.Conn, tell func(violation)) (stop func()) {
	var over atomic.Bool
	before := nc.ErrorHandler()
	nc.SetErrorHandler(func(c *nats.Conn, s *nats.Subscription, err error) {
		if !over.Load() && errors.Is(err, nats.ErrPermissionViolation) {
			if m := violationForm.FindStringSubmatch(err.Error()); m != nil {
				tell(violation{publish: m[1] == "Publish", subject: m[2], inbox: strings.HasPrefix(m[2], c.Opts.InboxPrefix+".")})
			}
		}
		if before != nil {
			before(c, s, err)
		}
	})
	return func() { over.Store(true) }
}
