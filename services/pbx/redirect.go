package pbx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// RedirectOptions are the settings of the SIP redirect.
type RedirectOptions struct {
	// Trunk is where allowed calls are sent: host or host:port, and may end in
	// ;transport=udp, tcp or tls. "" = each switch has its own.
	Trunk string
	// Headers name other headers for parameters, as parameter=Header; usually
	// campaign stands in X-Assenso-Campaign and so on.
	Headers []string
	// Connections over TCP at once; 0 = 256. One more is closed.
	Connections int
	// Calls at once, in the seconds that SIP remembers them for; 0 = 65536. One
	// more is blocked.
	Calls int
}

// Redirect is a SIP redirect server (RFC 3261, 8.3): it answers each INVITE
// with 302 to the trunk or with 603, and keeps nothing but the transaction.
// OPTIONS is answered 200; whatever belongs to a dialog does not come here,
// for there never is one. Make one with NewRedirect.
//
// A call that is blocked, for whatever reason, is answered 603 and never 503: a
// switch takes 503 for the fault of one route and tries the next, which would
// ring the person.
type Redirect struct {
	attendant *Attendant
	options   RedirectOptions
	trunk     *trunk // nil: each switch has its own
	headers   map[string]string
}

// NewRedirect checks the settings. The error says the remedy.
func NewRedirect(a *Attendant, o RedirectOptions) (*Redirect, error) {
	r := &Redirect{attendant: a, options: o}
	if o.Trunk != "" {
		t, err := parseTrunk(o.Trunk)
		if err != nil {
			return nil, fmt.Errorf("pbx sip: %w", err)
		}
		r.trunk = &t
	}
	for i := range a.switches {
		if r.trunk == nil && a.switches[i].trunk == nil {
			return nil, errors.New("pbx sip: trunk is empty and so is that of a switch: say where allowed calls go")
		}
	}
	var err error
	if r.headers, err = headerTable(o.Headers); err != nil {
		return nil, fmt.Errorf("pbx sip: %w", err)
	}
	if r.options.Connections == 0 {
		r.options.Connections = 256
	}
	if r.options.Calls == 0 {
		r.options.Calls = 65536
	}
	return r, nil
}

const (
	// maxMessage is the longest SIP message that is read, in bytes.
	maxMessage = 16 << 10
	// idleWait is how long a TCP connection may be silent.
	idleWait = 10 * time.Minute
)

// settleLibrary changes what sipgo holds for the whole process and nobody else
// here uses: answers over UDP longer than an Ethernet frame go out in fragments
// instead of not at all, "trying" is sent by us (see Redirect.invite), and its
// default logger, which would write out messages with their numbers, is mute.
var settleLibrary = sync.OnceFunc(func() {
	sip.UDPMTUSize = 65_000
	sip.Timer_1xx = time.Hour
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
})

// Serve answers on both until ctx ends, and returns nil then. It closes both.
// Calls that are being answered at that moment get no answer: the switch's own
// timer ends them.
func (r *Redirect) Serve(ctx context.Context, udp net.PacketConn, tcp net.Listener) error {
	settleLibrary()
	quiet := slog.New(countingHandler{r.attendant.meters})
	parser := sip.NewParser(func(p *sip.Parser) { p.MaxMessageLength = maxMessage })
	transport := sip.NewTransportLayer(net.DefaultResolver, parser, nil, sip.WithTransportLayerLogger(quiet), sip.WithTransportLayerReadFilter(r.filter))
	open := &transactions{transport: transport, log: quiet, limit: r.options.Calls, open: map[string]*transaction{}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	transport.OnMessage(func(m sip.Message) {
		if req, ok := m.(*sip.Request); ok && open.enter() {
			go r.handle(ctx, open, req)
		}
	})
	defer closeWith(ctx, udp, tcp)()
	ended := make(chan error, 2)
	go func() { ended <- transport.ServeUDP(udp) }()
	go func() {
		ended <- transport.ServeTCP(r.attendant.guard(tcp, doorSIP, r.options.Connections, idleWait, ctx.Done()))
	}()
	err := <-ended
	stopped := ctx.Err() != nil
	cancel()
	err = errors.Join(err, <-ended)
	open.close()
	closing := transport.Close()
	if stopped {
		return nil // what the sockets say about being closed is no news
	}
	return fmt.Errorf("pbx serve sip: a socket failed: %w", errors.Join(err, closing))
}

// filter drops the datagrams of strangers before anything reads them; the TCP
// listener has turned strangers away already.
func (r *Redirect) filter(from sip.TransportReadProps, message []byte) ([]byte, error) {
	if !r.attendant.serves(addressOf(from.RemoteAddr)) {
		r.attendant.meters.turnAway(doorSIP, causeStranger)
		return nil, nil
	}
	return message, nil
}

// handle answers one request. A panic ends it without an answer, and the
// switch places no call.
func (r *Redirect) handle(ctx context.Context, open *transactions, req *sip.Request) {
	defer open.busy.Done()
	defer func() {
		if cause := recover(); cause != nil {
			r.attendant.log.Error("pbx: panic in a request", zap.String("door", doorSIP), zap.String("kind", fmt.Sprintf("%T", cause)))
		}
	}()
	if _, err := transactionKey(req); err != nil {
		r.attendant.meters.turnAway(doorSIP, causeUnreadable)
		r.reply(open, req, response(req, 400, "Bad Request"))
		return
	}
	if !req.IsInvite() && !req.IsAck() {
		invited := open.invited(req)
		r.reply(open, req, aside(req, invited != nil))
		if invited != nil { // after its own answer, for callers take both in this order
			invited.abandon()
		}
		return
	}
	t, began, err := open.take(req)
	switch {
	case errors.Is(err, errCrowded):
		busy := r.attendant.refuse(doorSIP, errBusy)
		r.reply(open, req, r.decline(req, &busy))
	case err == nil && began:
		r.invite(ctx, t)
	}
}

const methods = "INVITE, ACK, CANCEL, OPTIONS"

// aside answers what is neither INVITE nor ACK; a retransmission gets the same
// answer again. pending says that a CANCEL has found its INVITE.
func aside(req *sip.Request, pending bool) *sip.Response {
	allow := sip.NewHeader("Allow", methods)
	switch {
	case !strings.EqualFold(req.SipVersion, version):
		return response(req, 505, "Version Not Supported")
	case req.Method == sip.OPTIONS: // keep-alive
		return response(req, 200, "OK", allow, sip.NewHeader("Accept", "*/*"))
	case req.Method != sip.CANCEL:
		return response(req, 405, "Method Not Allowed", allow)
	case pending:
		return response(req, 200, "OK")
	}
	return response(req, 481, "Call/Transaction Does Not Exist")
}

// reply answers without a transaction.
func (r *Redirect) reply(open *transactions, req *sip.Request, res *sip.Response) {
	conn := open.transport.Pool(req.Transport()).Get(req.Source())
	if conn == nil || req.IsAck() {
		return
	}
	err := conn.WriteMsg(res)
	if _, closing := conn.TryClose(); err != nil || closing != nil {
		r.unsent(res)
	}
}

// respond sends a response and remembers it for retransmissions. A failure
// means that the switch is gone: it gets no answer, and places no call.
func (r *Redirect) respond(t *transaction, res *sip.Response) {
	if err := t.Respond(res); err != nil {
		r.unsent(res)
	}
}

func (r *Redirect) unsent(res *sip.Response) {
	r.attendant.log.Debug("pbx: response not sent", zap.String("door", doorSIP), zap.Int("status", res.StatusCode))
}

// countingHandler counts what the library complains of and writes none of it
// down, for its lines quote messages.
type countingHandler struct{ meters *meters }

// Enabled implements slog.Handler.
func (h countingHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelError
}

// Handle implements slog.Handler.
func (h countingHandler) Handle(_ context.Context, record slog.Record) error {
	cause := causeFault
	if record.Message == "failed to parse" {
		cause = causeUnreadable
	}
	h.meters.turnAway(doorSIP, cause)
	return nil
}

// WithAttrs implements slog.Handler.
func (h countingHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h countingHandler) WithGroup(string) slog.Handler { return h }
