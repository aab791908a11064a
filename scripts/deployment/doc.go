// Package deployment checks what operators start from: that the program reads
// deploy/assenso.yaml with no unknown and no missing key, that the unit and the
// Containerfile agree with it and with each other, and that what the
// Containerfile copies suffices to build the program.
//
//	go test ./scripts/deployment
//
// Apart from this, .ci/run lets systemd itself read the unit.
package deployment
