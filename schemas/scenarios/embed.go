// Package scenarios holds the scenario files: small histories, call attempts
// and the results that the rules must give. README.md describes the format.
package scenarios

import "embed"

// Files holds every scenario file and the fixtures.
//
//go:embed *.yaml
var Files embed.FS
