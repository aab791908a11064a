// Package schemas holds what users of Assenso read or check by themselves: the
// JSON Schema of every event type, test vectors, the rule packs, the worked
// scenarios, column mappings, and the descriptions of the doors. Everything is
// embedded, so that the program needs no files beside it.
package schemas

import "embed"

// The JSON Schemas and the vectors are derived from the contract's own tables.
//go:generate go test -count=1 -run ^(TestSchemasMatchContract|TestVectors|TestExamples|TestCanonicalVectors|TestNameVectors)$ -update .

// Events holds one JSON Schema (2020-12) per event type: events/<type>.json.
//
//go:embed events
var Events embed.FS

// Vectors holds test vectors for other implementations of the contract.
//
//go:embed vectors
var Vectors embed.FS

// Doors describes the doors: openapi.yaml (HTTP) and asyncapi.yaml (NATS).
//
//go:embed openapi.yaml asyncapi.yaml
var Doors embed.FS

// Mappings holds the column mappings of usual files: mappings/<name>.yaml.
//
//go:embed mappings
var Mappings embed.FS
