package recorder

import (
	"go.uber.org/zap"

	"github.com/assenso/assenso/events"
)

// AlarmReason says why somebody must look now.
type AlarmReason string

// The reasons of an alarm.
const (
	// AlarmRejected: a submission that restricts was refused. Until its source
	// mends it, the person stays callable.
	AlarmRejected AlarmReason = "rejected"
	// AlarmParked: a message of a restricting family needs a person.
	AlarmParked AlarmReason = "parked"
	// AlarmFuture: a restriction bears a time far ahead of the ledger's clock.
	// It was recorded and counts from its recorded time; the source's clock is
	// wrong.
	AlarmFuture AlarmReason = "time_in_future"
)

// Alarm is something that leaves a person callable, or nearly did.
type Alarm struct {
	Reason AlarmReason
	Family events.Family
	Source string      // as far as readable
	Type   events.Type // "" where unreadable
	Ref    string      // id of the reject or parked message; id of the event for AlarmFuture
}

// raise tells the log, the metrics and the hook. Call it with what is durable:
// it is raised again when a crash repeats the step.
func (r *Recorder) raise(a Alarm) {
	a.Family = r.cfg.Family
	r.metrics.alarms.WithLabelValues(string(a.Family), string(a.Reason)).Inc()
	r.log.Error("alarm: a restriction was not recorded as it was sent, somebody may stay callable",
		zap.String("reason", string(a.Reason)), zap.String("source", a.Source), zap.String("type", string(a.Type)), zap.String("ref", a.Ref))
	if r.cfg.Alarm != nil {
		r.cfg.Alarm(a)
	}
}
