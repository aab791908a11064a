package contact

import (
	"github.com/assenso/assenso/events"
)

// Fold joins the facts of a view into a state: ⊔ σ(e) of rules.md 2. Order and
// repetition of the facts make no difference. Types that no register takes are
// passed over.
func Fold(facts []*Fact) State {
	var s State
	for _, f := range facts {
		s.take(f)
	}
	s.canonicalise()
	return s
}

// Refold is Fold into s, whose memory it uses again; for loops that fold many
// views and keep none. What was read from s before is overwritten.
func (s *State) Refold(facts []*Fact) {
	s.reset()
	for _, f := range facts {
		s.take(f)
	}
	s.canonicalise()
}

func (s *State) canonicalise() {
	s.Grants = canonical(s.Grants)
	s.Reverified = canonical(s.Reverified)
	s.Invalid = canonical(s.Invalid)
	s.Withdrawals = canonical(s.Withdrawals)
	s.Oppositions = canonical(s.Oppositions)
	s.Erased = canonical(s.Erased)
	s.Reassigned = canonical(s.Reassigned)
	s.Listed = canonical(s.Listed)
	s.Delisted = canonical(s.Delisted)
	s.Lifts = canonical(s.Lifts)
	s.Answers = canonical(s.Answers)
	s.Contracts = canonical(s.Contracts)
	s.Requests = canonical(s.Requests)
	s.Inbound = canonical(s.Inbound)
	s.Rows = canonical(s.Rows)
	s.Removals = canonical(s.Removals)
	s.Calls = canonical(s.Calls)
	s.Acknowledgments = canonical(s.Acknowledgments)
	s.Decisions = canonical(s.Decisions)
}

func (s *State) reset() {
	s.Grants = s.Grants[:0]
	s.Reverified = s.Reverified[:0]
	s.Invalid = s.Invalid[:0]
	s.Withdrawals = s.Withdrawals[:0]
	s.Oppositions = s.Oppositions[:0]
	s.Erased = s.Erased[:0]
	s.Reassigned = s.Reassigned[:0]
	s.Listed = s.Listed[:0]
	s.Delisted = s.Delisted[:0]
	s.Lifts = s.Lifts[:0]
	s.Answers = s.Answers[:0]
	s.Contracts = s.Contracts[:0]
	s.Requests = s.Requests[:0]
	s.Inbound = s.Inbound[:0]
	s.Rows = s.Rows[:0]
	s.Removals = s.Removals[:0]
	s.Calls = s.Calls[:0]
	s.Acknowledgments = s.Acknowledgments[:0]
	s.Decisions = s.Decisions[:0]
	s.Directory = Directory{}
}

// place makes one more element of a register and returns it as whoever had its
// memory before left it: all of it is to be set. The usual facts are taken so,
// without a copy in between.
func place[T any](register *[]T) *T {
	n := len(*register)
	if n == cap(*register) {
		*register = append(*register, *new(T))
	} else {
		*register = (*register)[:n+1]
	}
	return &(*register)[n]
}

// of says that an entry comes from f.
func (o *Origin) of(f *Fact) {
	o.Source, o.ID, o.Digest, o.Controller = f.Source, f.ID, f.Digest, f.Controller
	o.Time, o.Received, o.Recorded = f.Time, f.Received, f.Recorded
}

// take is σ(e) joined into s; canonicalise completes the join.
func (s *State) take(f *Fact) {
	switch d := f.Data.(type) {
	case *events.ConsentGranted:
		g := place(&s.Grants)
		g.of(f)
		g.Data = d
	case *events.ListContactAdded:
		r := place(&s.Rows)
		r.of(f)
		r.Data = d
	case *events.CallConcluded:
		c := place(&s.Calls)
		c.of(f)
		c.Campaign, c.Data = f.Campaign, d
	case *events.RegisterScreened:
		a := place(&s.Answers)
		a.of(f)
		a.Register, a.Batch, a.Answer, a.Snapshot = phoneIfAbsent(d.Register), d.Batch, d.Answer, d.SnapshotAt
		a.Date, a.From, a.To = d.OppositionDate, d.SelectiveFrom, d.SelectiveTo
	default:
		s.takeRarer(f)
	}
}

// takeRarer takes what few contacts have.
func (s *State) takeRarer(f *Fact) {
	var o Origin
	o.of(f)
	switch d := f.Data.(type) {
	case *events.ConsentReverified:
		if d.Result == "confirmed" {
			s.Reverified = append(s.Reverified, Reverification{o, d.Grant})
		}
	case *events.ConsentInvalidated:
		s.Invalid = append(s.Invalid, Invalidation{o, d.Grant, d.Reason})
	case *events.ConsentRevoked:
		s.Withdrawals = append(s.Withdrawals, Withdrawal{o, d.Purposes.Restrictive(), d.Channels.Restrictive()})
	case *events.ConsentRefused:
		s.Withdrawals = append(s.Withdrawals, Withdrawal{o, d.Purposes.Restrictive(), d.Channels.Restrictive()})
	case *events.OppositionRegistered:
		s.Oppositions = append(s.Oppositions, opposition(o, d))
	case *events.ErasureExecuted:
		if d.Suppress == nil || *d.Suppress {
			s.Erased = append(s.Erased, Mark{o})
		}
	case *events.NumberReassigned:
		s.Reassigned = append(s.Reassigned, Mark{o})
	case *events.ListContactRemoved:
		s.Removals = append(s.Removals, Removal{o, d.List})
	case *events.SuppressionAcknowledged:
		s.Acknowledgments = append(s.Acknowledgments, Acknowledgement{o, d.Opposition, d.Processor})
	case *events.DecisionIssued:
		s.Decisions = append(s.Decisions, Decision{o, d.Attempt, d.Verdict})
	case *events.DirectoryExtracted:
		s.Directory = s.Directory.join(Directory{o, d.ExtractedOn, d.InDirectory})
	default:
		s.takeRegister(o, f.Data)
		s.takeCustomer(o, f.Data)
	}
}

// takeRegister takes what is known of the public register of oppositions.
func (s *State) takeRegister(o Origin, p events.Payload) {
	switch d := p.(type) {
	case *events.RegisterListed:
		s.Listed = append(s.Listed, Listing{o, phoneIfAbsent(d.Register), d.ListedOn})
	case *events.RegisterRenewed:
		s.Listed = append(s.Listed, Listing{o, phoneIfAbsent(d.Register), d.ListedOn})
	case *events.RegisterDelisted:
		s.Delisted = append(s.Delisted, Listing{o, phoneIfAbsent(d.Register), d.DelistedOn})
	case *events.RegisterSelectivelyRevoked:
		s.Lifts = append(s.Lifts, Lift{o, phoneIfAbsent(d.Register), d.From, d.To})
	}
}

// takeCustomer takes contracts, requests and calls by the person.
func (s *State) takeCustomer(o Origin, p events.Payload) {
	switch d := p.(type) {
	case *events.ContractConcluded:
		s.Contracts = append(s.Contracts, Contract{Origin: o, ID: d.Contract, Data: d})
	case *events.ContractEnded:
		s.Contracts = append(s.Contracts, Contract{
			Origin: Origin{Controller: o.Controller}, ID: d.Contract, EndedOn: d.EndedOn, EndedBy: o.Identity,
		})
	case *events.CallbackRequested:
		s.Requests = append(s.Requests, Request{o, d.Product})
	case *events.CallInbound:
		s.Inbound = append(s.Inbound, Inbound{o, d})
	}
}

func opposition(o Origin, d *events.OppositionRegistered) Opposition {
	by := d.ReceivedBy
	if by == "" {
		by = o.Controller
	}
	return Opposition{
		Origin: o, Also: d.AlsoControllers, Purposes: d.Purposes.Restrictive(), Channels: d.Channels.Restrictive(),
		ReceivedBy: by, Medium: d.Medium, Call: d.Call,
	}
}

func phoneIfAbsent(r events.Register) events.Register {
	if r == "" {
		return events.RegisterPhone
	}
	return r
}
