package house

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/numbers"
	"github.com/assenso/assenso/services/pbx"
)

// openPBX wires the doors for switches that the configuration has addresses
// for.
func (h *House) openPBX(context.Context) error {
	c := &h.cfg.PBX
	agi := c.FastAGI.Listen != "" && h.cfg.Runs(ServiceFastAGI)
	sip := c.SIP.Listen != "" && h.cfg.Runs(ServiceSIP)
	if !agi && !sip {
		return nil
	}
	attendant, err := pbx.NewAttendant(pbx.Config{Gate: callGate{asked{h}.Ask}, Log: h.log, Metrics: h.metrics, Switches: c.switches(), Patience: c.Patience})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if agi {
		listener, err := h.listenTCP("pbx.fastagi.listen", c.FastAGI.Listen)
		if err != nil {
			return err
		}
		h.fastAGI = listener.Addr()
		server := pbx.NewFastAGI(attendant, pbx.FastAGIOptions{Connections: c.FastAGI.Connections})
		h.running = append(h.running, service{ServiceFastAGI, func(ctx context.Context) error { return server.Serve(ctx, listener) }})
	}
	if !sip {
		return nil
	}
	redirect, err := pbx.NewRedirect(attendant, c.redirect())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	tcp, err := h.listenTCP("pbx.sip.listen", c.SIP.Listen)
	if err != nil {
		return err
	}
	udp, err := net.ListenPacket("udp", tcp.Addr().String()) // the same port, chosen or given
	if err != nil {
		return listenFault("pbx.sip.listen", err)
	}
	h.onClose(closeSocket(udp))
	h.sip = tcp.Addr()
	h.running = append(h.running, service{ServiceSIP, func(ctx context.Context) error { return redirect.Serve(ctx, udp, tcp) }})
	return nil
}

// listenTCP opens a socket that is closed with the house.
func (h *House) listenTCP(key, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listenFault(key, err)
	}
	h.onClose(closeSocket(l))
	return l, nil
}

func listenFault(key string, err error) error {
	return fmt.Errorf("%w: %s: %w: is another program listening there? choose another address", ErrConfig, key, err)
}

// closeSocket closes what a service may have closed already.
func closeSocket(s interface{ Close() error }) func() error {
	return func() error {
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// FastAGIAddress returns where switches ask by FastAGI, nil if they cannot.
func (h *House) FastAGIAddress() net.Addr { return h.fastAGI }

// SIPAddress returns where switches ask by SIP, over UDP and TCP, nil if they
// cannot.
func (h *House) SIPAddress() net.Addr { return h.sip }

// callGate is the gate as switches see it: they know the number that a call
// must go to, which no receipt bears.
type callGate struct {
	ask func(ctx context.Context, q events.Question) (events.Receipt, error)
}

// MayCall implements pbx.Gate.
func (g callGate) MayCall(ctx context.Context, q events.Question) (pbx.Answer, error) {
	phone, code := numbers.Normalise(q.Number, q.Country)
	if code != "" {
		return pbx.Answer{}, &events.Refusal{Errors: []events.Fault{{Code: code, Field: "number", Hint: "dial E.164, or national format and fix the country in pbx.switches"}}}
	}
	q.Number, q.Country = phone.E164(), ""
	if cli, code := numbers.Normalise(q.CLI, "IT"); q.CLI != "" && code == "" {
		q.CLI = cli.E164() // what cannot be read stays, and is nobody's
	}
	r, err := g.ask(ctx, q)
	if err != nil {
		return pbx.Answer{}, err
	}
	return pbx.Answer{Verdict: r.Verdict, Reasons: r.Reasons, Number: phone.E164(), Decision: r.Decision, ValidUntil: r.ExpiresAt}, nil
}
