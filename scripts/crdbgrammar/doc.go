// Package crdbgrammar holds CockroachDB's word on the SQL of the PostgreSQL
// backends: its test parses every statement and migration of view, vault and
// their transactions with CockroachDB's own grammar. It is a module outside
// the workspace, because a workspace has one build list and this parser brings
// a long one.
//
//	cd scripts/crdbgrammar && GOWORK=off go test ./...
package crdbgrammar
