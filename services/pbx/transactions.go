package pbx

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// transactions matches INVITEs and their ACKs to what was begun for them (RFC
// 3261, 17.2.3). All other requests are answered without a memory. Parser, transport and the states of a transaction are the library's; its own
// layer in between is not used, because it opens sockets of its own towards
// what a Via header names, and starts goroutines of which nobody knows the end.
type transactions struct {
	transport *sip.TransportLayer
	log       *slog.Logger
	limit     int

	mu   sync.Mutex
	gone bool
	open map[string]*transaction
	busy sync.WaitGroup // requests being handled
}

// transaction is one INVITE and what was answered.
type transaction struct {
	*sip.ServerTx
	request   *sip.Request
	abandoned chan struct{} // closed when the caller takes it back
	abandon   func()
}

// Errors of take.
var (
	errMalformed = errors.New("request is malformed")
	errCrowded   = errors.New("too many transactions at once")
	errGone      = errors.New("the connection is gone")
)

// take finds or begins the transaction of an INVITE, or finds that of an ACK.
// began is false for a retransmission, which has been answered here, and for an
// ACK.
func (ts *transactions) take(req *sip.Request) (t *transaction, began bool, err error) {
	key, err := transactionKey(req)
	if err != nil {
		return nil, false, err
	}
	ts.mu.Lock()
	t = ts.open[key]
	full := ts.gone || len(ts.open) >= ts.limit
	ts.mu.Unlock()
	switch {
	case t != nil:
		return t, false, t.Receive(req)
	case req.IsAck():
		return nil, false, nil
	case full:
		return nil, false, errCrowded
	}
	conn := ts.transport.Pool(req.Transport()).Get(req.Source())
	if conn == nil {
		return nil, false, errGone
	}
	t = &transaction{ServerTx: sip.NewServerTx(key, req, conn, ts.log), request: req, abandoned: make(chan struct{})}
	t.abandon = sync.OnceFunc(func() { close(t.abandoned) })
	if err := t.Init(); err != nil {
		_, closing := conn.TryClose()
		return nil, false, errors.Join(err, closing)
	}
	t.OnTerminate(func(string, error) {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		if ts.open[key] == t {
			delete(ts.open, key)
		}
	})
	ts.mu.Lock()
	first := ts.open[key]
	if first == nil && !ts.gone {
		ts.open[key] = t
	}
	gone := ts.gone
	ts.mu.Unlock()
	if first != nil || gone { // a retransmission was quicker, or the service stops
		t.Terminate()
		return first, false, nil
	}
	return t, true, nil
}

// invited returns the INVITE that a CANCEL is for, nil for none and for other
// requests (RFC 3261, 9.2).
func (ts *transactions) invited(req *sip.Request) *transaction {
	key, err := transactionKey(req)
	if err != nil || !req.IsCancel() {
		return nil
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.open[invitedKey(key)]
}

// invitedKey turns the key of a CANCEL into that of its INVITE.
func invitedKey(key string) string {
	if begin, ok := strings.CutSuffix(key, string(sip.CANCEL)); ok {
		return begin + string(sip.INVITE)
	}
	return key
}

// close ends all transactions and waits for their goroutines.
func (ts *transactions) close() {
	ts.mu.Lock()
	ts.gone = true
	all := make([]*transaction, 0, len(ts.open))
	for _, t := range ts.open {
		all = append(all, t)
	}
	ts.mu.Unlock()
	for _, t := range all {
		t.Terminate()
	}
	ts.busy.Wait()
}

// enter reports whether one more request may be handled; it ends with
// busy.Done.
func (ts *transactions) enter() bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if !ts.gone {
		ts.busy.Add(1)
	}
	return !ts.gone
}

// transactionKey names the transaction of a request: an ACK that of its
// INVITE. Switches are kept apart by their address.
func transactionKey(req *sip.Request) (string, error) {
	cseq := req.CSeq()
	if cseq == nil || cseq.MethodName != req.Method || req.Via() == nil {
		return "", errMalformed
	}
	key, err := sip.ServerTxKeyMake(req)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errMalformed, err)
	}
	host, _, err := net.SplitHostPort(req.Source())
	if err != nil {
		return "", fmt.Errorf("%w: %w", errMalformed, err)
	}
	return host + " " + key, nil
}

// destination is where responses go over UDP: the address that the request
// came from, at the port of its Via, or at its own where rport asks for that
// (RFC 3261, 18.2.2; RFC 3581, 4).
func destination(req *sip.Request) string {
	via := req.Via()
	if via == nil {
		return req.Source()
	}
	if _, asked := via.Params.Get("rport"); asked {
		return req.Source()
	}
	host, _, err := net.SplitHostPort(req.Source())
	if err != nil {
		return req.Source()
	}
	port := via.Port
	if port == 0 {
		port = sip.DefaultUdpPort
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
