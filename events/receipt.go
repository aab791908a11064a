package events

import (
	"maps"
	"slices"
	"strconv"
)

// AppendCanonical appends the RFC 8785 form of the receipt, with its signature
// if it has one. It is what MarshalJSON writes: the bytes on the wire differ
// from the signed ones by the signature alone.
func (r *Receipt) AppendCanonical(dst []byte) []byte {
	dst = append(dst, `{"asked":`...)
	dst = r.Asked.appendCanonical(dst)
	dst = append(dst, ',')
	dst = appendMember(dst, "at", r.At.String())
	dst = appendMember(dst, "basis", string(r.Basis))
	dst = appendMember(dst, "decision", r.Decision)
	dst = appendMember(dst, "expires_at", r.ExpiresAt.String())
	dst = appendMember(dst, "key", r.Key)
	dst = appendMember(dst, "pack", r.Pack)
	dst = append(dst, `"passed":[`...)
	for i, id := range r.Passed {
		dst = appendCanonicalString(comma(dst, i), id)
	}
	dst = append(dst, `],"positions":{`...)
	for i, stream := range slices.Sorted(maps.Keys(r.Positions)) {
		dst = append(appendCanonicalString(comma(dst, i), stream), ':')
		dst = strconv.AppendUint(dst, r.Positions[stream], 10)
	}
	dst = append(dst, `},"reasons":[`...)
	for i := range r.Reasons {
		dst = r.Reasons[i].appendCanonical(comma(dst, i))
	}
	dst = append(dst, `],`...)
	dst = appendMember(dst, "signature", r.Signature)
	dst = appendMember(dst, "valid_until", r.ValidUntil.String())
	dst = appendMember(dst, "verdict", string(r.Verdict))
	return closed(dst)
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

// closed ends an object whose members each end with a comma.
func closed(dst []byte) []byte {
	if dst[len(dst)-1] == ',' {
		dst[len(dst)-1] = '}'
		return dst
	}
	return append(dst, '}')
}

func (r *ReceiptReason) appendCanonical(dst []byte) []byte {
	dst = append(dst, '{')
	dst = appendMember(dst, "clause", r.Clause)
	dst = appendMember(dst, "effect", string(r.Effect))
	dst = appendMember(dst, "rule", r.Rule)
	dst = appendMember(dst, "sentence", r.Sentence)
	return closed(dst)
}

func (q *Question) appendCanonical(dst []byte) []byte {
	dst = append(dst, '{')
	flag := func(name string, is bool) {
		if is {
			dst = append(append(append(dst, '"'), name...), `":true,`...)
		}
	}
	dst = appendMember(dst, "agent", q.Agent)
	dst = appendMember(dst, "agent_country", q.AgentCountry)
	flag("agent_reserved", q.AgentReserved)
	dst = appendMember(dst, "at", q.At)
	dst = appendMember(dst, "attempt", q.Attempt)
	dst = appendMember(dst, "basis", q.Basis)
	dst = appendMember(dst, "batch", q.Batch)
	dst = appendMember(dst, "campaign", q.Campaign)
	dst = appendMember(dst, "channel", q.Channel)
	dst = appendMember(dst, "cli", q.CLI)
	dst = appendMember(dst, "contact", q.Contact)
	dst = appendMember(dst, "controller", q.Controller)
	dst = appendMember(dst, "country", q.Country)
	dst = appendMember(dst, "grant", q.Grant)
	dst = appendMember(dst, "mode", q.Mode)
	dst = appendMember(dst, "number", q.Number)
	dst = appendMember(dst, "origin_country", q.OriginCountry)
	dst = appendMember(dst, "processor", q.Processor)
	dst = appendMember(dst, "product", q.Product)
	dst = appendMember(dst, "purpose", q.Purpose)
	dst = appendMember(dst, "request", q.Request)
	flag("roaming", q.Roaming)
	return closed(dst)
}

// MarshalJSON writes the RFC 8785 form.
func (r Receipt) MarshalJSON() ([]byte, error) { return r.AppendCanonical(nil), nil }

// DecisionEvent returns the submission that records the receipt: the
// decision.issued of the gate, whose identity is the receipt's. The same
// receipt always gives the same event, so handing it in twice records it once.
func (r *Receipt) DecisionEvent() []byte {
	dst := append([]byte(nil), '{')
	dst = appendMember(dst, "campaign", r.Asked.Campaign)
	dst = appendMember(dst, "controller", r.Asked.Controller)
	dst = append(dst, `"data":{`...)
	dst = appendMember(dst, "attempt", r.Asked.Attempt)
	dst = appendMember(dst, "expires_at", r.ExpiresAt.String())
	dst = appendMember(dst, "pack", r.Pack)
	dst = append(dst, `"positions":{`...)
	for i, stream := range slices.Sorted(maps.Keys(r.Positions)) {
		dst = append(appendCanonicalString(comma(dst, i), stream), ':')
		dst = strconv.AppendUint(dst, r.Positions[stream], 10)
	}
	dst = append(dst, `},"reasons":[`...)
	for i := range r.Reasons {
		dst = append(comma(dst, i), '{')
		dst = appendMember(dst, "effect", string(r.Reasons[i].Effect))
		dst = closed(appendMember(dst, "rule", r.Reasons[i].Rule))
	}
	dst = append(dst, `],`...)
	dst = closed(appendMember(dst, "verdict", string(r.Verdict)))
	dst = append(dst, ',')
	dst = appendMember(dst, "id", r.Decision)
	dst = appendMember(dst, "source", GateSource)
	dst = appendMember(dst, "specversion", "1.0")
	dst = appendMember(dst, "subject", r.Asked.Contact)
	dst = appendMember(dst, "time", r.At.String())
	return closed(appendMember(dst, "type", string(TypeDecisionIssued)))
}
