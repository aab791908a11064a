package pbx

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/assenso/assenso/events"
)

// tryingAfter is when a caller hears "trying" (RFC 3261, 17.2.1).
const tryingAfter = 200 * time.Millisecond

// invite answers one INVITE. All its responses are sent from this goroutine, so
// that a late "trying" cannot take the place of the answer.
func (r *Redirect) invite(ctx context.Context, t *transaction) {
	req := t.request
	if !strings.EqualFold(req.SipVersion, version) {
		r.respond(t, response(req, 505, "Version Not Supported"))
		return
	}
	if req.From() == nil || req.To() == nil || req.CallID() == nil {
		r.respond(t, response(req, 400, "Bad Request"))
		return
	}
	if req.To().Params.Has("tag") {
		r.respond(t, response(req, 481, "Call/Transaction Does Not Exist"))
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	decided := make(chan *sip.Response, 1)
	go func() { decided <- r.decide(ctx, req) }()
	trying := time.NewTimer(tryingAfter)
	defer trying.Stop()
	for waiting := true; waiting; {
		select {
		case <-trying.C:
			r.respond(t, response(req, 100, "Trying"))
		case <-t.abandoned: // RFC 3261, 9.2
			r.respond(t, response(req, 487, "Request Terminated"))
			waiting = false
		case res := <-decided:
			r.respond(t, res)
			waiting = false
		case <-t.Done():
			waiting = false
		}
	}
	cancel()
	select { // keep the transaction for retransmissions until it is acknowledged
	case <-t.Acks():
	case <-t.Done():
	}
}

// decide turns the attendant's answer into a response. A panic is a "no".
func (r *Redirect) decide(ctx context.Context, req *sip.Request) (res *sip.Response) {
	defer func() {
		if cause := recover(); cause != nil {
			broken := r.attendant.refuse(doorSIP, fmt.Errorf("panic: %T", cause))
			res = r.decline(req, &broken)
		}
	}()
	c, err := readInvite(req, r.headers)
	if err != nil {
		refused := r.attendant.refuse(doorSIP, err)
		return r.decline(req, &refused)
	}
	a, s := r.attendant.answer(ctx, doorSIP, c)
	if !a.Allows() {
		return r.decline(req, &a)
	}
	to := r.trunk
	if s.trunk != nil {
		to = s.trunk
	}
	if !isE164(a.Number) {
		broken := r.attendant.refuse(doorSIP, errors.New("the gate judged a number that is not E.164"))
		return r.decline(req, &broken)
	}
	headers := []sip.Header{to.contact(a.Number), sip.NewHeader("X-Assenso-Verdict", string(a.Verdict))}
	if first := a.First(); first != "" {
		headers = append(headers, sip.NewHeader("X-Assenso-Reason", headerText(first)))
	}
	return response(req, 302, "Moved Temporarily", append(headers, about(&a)...)...)
}

// retryAfter is said with a "no" that may soon be another answer, in seconds
// (RFC 3261, 20.33 and 21.6.2).
const retryAfter = "5"

// decline is the response for a blocked call: 603, which ends the search for
// other routes (RFC 3261, 21.6), with the rules that block in the Reason header
// (RFC 3326).
func (r *Redirect) decline(req *sip.Request, a *Answer) *sip.Response {
	headers := []sip.Header{
		sip.NewHeader("Reason", `SIP;cause=603;text="`+headerText(strings.Join(a.blocking(), " "))+`"`),
		sip.NewHeader("X-Assenso-Verdict", string(events.VerdictBlock)),
	}
	if a.temporary() {
		headers = append(headers, sip.NewHeader("Retry-After", retryAfter))
	}
	return response(req, 603, "Decline", append(headers, about(a)...)...)
}

// about are the headers that both answers have.
func about(a *Answer) []sip.Header {
	var out []sip.Header
	if a.Decision != "" {
		out = append(out, sip.NewHeader("X-Assenso-Decision", headerText(a.Decision)))
	}
	if !a.ValidUntil.IsZero() {
		out = append(out, sip.NewHeader("X-Assenso-Valid-Until", a.ValidUntil.String()))
	}
	return out
}

// maxBlocking is how many rules a Reason header names.
const maxBlocking = 8

// blocking are the rules that block, the first ones.
func (a *Answer) blocking() []string {
	var out []string
	for _, reason := range a.Reasons {
		if reason.Effect == events.VerdictBlock && len(out) < maxBlocking {
			out = append(out, reason.Rule)
		}
	}
	return out
}

// headerText keeps what may stand in a header, quoted or not.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}

const version = "SIP/2.0"

// response makes a response with more headers. All responses to a request bear
// one tag and are the same each time (RFC 3261, 8.2.6.2 and 8.2.7).
func response(req *sip.Request, code int, reason string, more ...sip.Header) *sip.Response {
	res := sip.NewResponseFromRequest(req, code, reason, nil)
	res.SipVersion = version
	if to := res.To(); to != nil && code != 100 && !req.To().Params.Has("tag") {
		to.Params.Add("tag", tag(req))
	}
	for _, h := range more {
		res.AppendHeader(h)
	}
	res.AppendHeader(sip.NewHeader("Server", "assenso"))
	if !sip.IsReliable(req.Transport()) {
		res.SetDestination(destination(req))
	}
	return res
}

// tag names this server's end of a request; a CANCEL's is that of its INVITE
// (RFC 3261, 9.2).
func tag(req *sip.Request) string {
	key, err := transactionKey(req)
	if err != nil {
		key = req.Source()
	}
	sum := sha256.Sum256([]byte(invitedKey(key)))
	return hex.EncodeToString(sum[:8])
}
