package pbx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/emiago/sipgo"
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
	// Calls at once that wait for an acknowledgement; 0 = 8192. One more is
	// blocked.
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
	slots     chan struct{}
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
		r.options.Calls = 8192
	}
	r.slots = make(chan struct{}, r.options.Calls)
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
	ua, err := sipgo.NewUA(sipgo.WithUserAgent("assenso"),
		sipgo.WithUserAgentParser(sip.NewParser(func(p *sip.Parser) { p.MaxMessageLength = maxMessage })),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(quiet),
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}), sip.WithTransactionLayerTerminateOnConnClose()),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet), sip.WithTransportLayerReadFilter(r.filter)))
	if err != nil {
		return fmt.Errorf("pbx open sip: %w", err)
	}
	server, err := sipgo.NewServer(ua, sipgo.WithServerLogger(quiet))
	if err != nil {
		return errors.Join(fmt.Errorf("pbx open sip: %w", err), ua.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	calls := new(crowd)
	r.route(ctx, server, calls)

	defer closeWith(ctx, udp, tcp)()
	ended := make(chan error, 2)
	go func() { ended <- server.ServeUDP(udp) }()
	go func() {
		ended <- server.ServeTCP(r.attendant.guard(tcp, doorSIP, r.options.Connections, idleWait, ctx.Done()))
	}()
	err = <-ended
	stopped := ctx.Err() != nil
	cancel()
	err = errors.Join(err, <-ended)
	closing := ua.Close()
	calls.disperse()
	if stopped {
		return nil // what the sockets say about being closed is no news
	}
	return fmt.Errorf("pbx serve sip: a socket failed: %w", errors.Join(err, closing))
}

// crowd are goroutines that somebody else starts and that must have ended.
type crowd struct {
	mu     sync.Mutex
	gone   bool
	inside sync.WaitGroup
}

// enter reports whether one more may begin; it then ends with inside.Done.
func (c *crowd) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gone {
		c.inside.Add(1)
	}
	return !c.gone
}

// disperse lets nobody in any more and waits for those inside.
func (c *crowd) disperse() {
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	c.inside.Wait()
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

// route says what each method is answered with.
func (r *Redirect) route(ctx context.Context, server *sipgo.Server, calls *crowd) {
	handle := func(f func(*sip.Request, sip.ServerTransaction)) sipgo.RequestHandler {
		return func(req *sip.Request, tx sip.ServerTransaction) {
			if !calls.enter() {
				return
			}
			defer calls.inside.Done()
			defer func() {
				if cause := recover(); cause != nil {
					r.attendant.log.Error("pbx: panic in a request", zap.String("door", doorSIP), zap.String("kind", fmt.Sprintf("%T", cause)))
				}
			}()
			f(req, tx)
		}
	}
	reply := func(code int, reason string, more ...sip.Header) sipgo.RequestHandler {
		return handle(func(req *sip.Request, tx sip.ServerTransaction) { r.respond(tx, response(req, code, reason, more...)) })
	}
	allow := sip.NewHeader("Allow", "INVITE, ACK, CANCEL, OPTIONS")
	server.OnInvite(handle(func(req *sip.Request, tx sip.ServerTransaction) { r.invite(ctx, req, tx) }))
	server.OnAck(func(*sip.Request, sip.ServerTransaction) {})                // of an answer over TCP; there is nothing to do
	server.OnCancel(reply(481, "Call/Transaction Does Not Exist"))            // a pending call's is answered by the transaction
	server.OnOptions(reply(200, "OK", allow, sip.NewHeader("Accept", "*/*"))) // keep-alive
	server.OnNoRoute(reply(405, "Method Not Allowed", allow))
}

// respond sends a response. A failure means that the switch is gone: it gets no
// answer, and places no call.
func (r *Redirect) respond(tx sip.ServerTransaction, res *sip.Response) {
	if err := tx.Respond(res); err != nil {
		r.attendant.log.Debug("pbx: response not sent", zap.String("door", doorSIP), zap.Int("status", res.StatusCode))
	}
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
