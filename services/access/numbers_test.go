package access

import "testing"

func TestOnlyOfficersAndAdministratorsSeeNumbers(t *testing.T) {
	for _, r := range append(Roles, "") {
		if got, want := r.SeesNumbers(), r == Officer || r == Admin; got != want {
			t.Errorf("%q: %v, want %v", r, got, want)
		}
	}
}
