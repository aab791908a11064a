package events

// Fault is one error of a submission (events.md 6): a stable code, the path of
// the field, and a hint that says what to do. A hint never quotes a value.
type Fault struct {
	Code  string `json:"code"`
	Field string `json:"field,omitempty"`
	Hint  string `json:"hint"`
}

// Error implements error.
func (f Fault) Error() string {
	if f.Field == "" {
		return f.Code + ": " + f.Hint
	}
	return f.Code + " at " + f.Field + ": " + f.Hint
}
