// Package schemas holds what users of Assenso read or check by themselves: the
// JSON Schema of every event type, test vectors, the rule packs, the worked
// scenarios, column mappings, and the descriptions of the doors. Everything is
// embedded, so that the program needs no files beside it.
package schemas

import "embed"

// Events holds one JSON Schema (2020-12) per event type: events/<type>.json.
//
//go:embed events
var Events embed.FS

// Vectors holds test vectors for other implementations of the contract.
//
//go:embed vectors
var Vectors embed.FS
