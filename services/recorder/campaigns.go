package recorder

import "github.com/assenso/assenso/events"

// campaigns records what calls are made for, from which lists, under which
// appointments and orders, and the corrections of events of any family
// (events.md 4.5). A correction names an identity: where the log knows the
// contact of that event, the correction bears it as targetsubject, so that the
// readers of one contact find it. An order that is lost leaves people callable.
var campaigns = family{
	restricts: func(t events.Type) bool {
		return t == events.TypeOrderIssued || t == events.TypeListContactRemoved || t == events.TypeListRetired
	},
	target: (*events.Submission).CorrectionTarget,
}
