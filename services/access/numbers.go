package access

// SeesNumbers reports whether the role may see phone numbers in clear, each
// time with a reason and an access.exercised event.
func (r Role) SeesNumbers() bool { return r == Officer || r == Admin }
