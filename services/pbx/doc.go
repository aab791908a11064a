// Package pbx answers switches (FastAGI, SIP redirect) from the gate's port. It
// knows the contract and a Gate of its own, and nothing else of the house.
//
//	a, err := pbx.NewAttendant(pbx.Config{Gate: gate, Log: log, Switches: []pbx.Switch{{From: []string{"10.1.0.5"}, Controller: "aurora", Campaign: "K-AUR"}}})
//	go pbx.NewFastAGI(a, pbx.FastAGIOptions{}).Serve(ctx, listener) // AGI(agi://assenso/decide,${EXTEN})
//	redirect, err := pbx.NewRedirect(a, pbx.RedirectOptions{Trunk: "sbc.carrier.example:5060"})
//	go redirect.Serve(ctx, udp, tcp)                                // INVITE → 302 to the trunk, or 603
//
// What may be relied upon:
//   - In doubt, no call. An error, a panic or a late answer of the gate, a
//     question that cannot be read, a verdict that is not known: all are "block",
//     with a reason of their own (ReasonGate and so on). No path leads from a
//     fault to "allow".
//   - A switch that is not listed is not answered at all: its TCP connections are
//     closed, its datagrams dropped unread. What a switch's entry fixes
//     (controller, campaign, …) it cannot ask for otherwise.
//   - What was judged is what is dialled: the redirect names the number in the
//     form in which the gate judged it.
//   - No number, name or header of a call reaches log or metrics.
//
// Nothing is stored here: a process that dies in the middle of a call has given
// no answer, and the switch's own rules (deploy/pbx/README.md) block the call.
package pbx
