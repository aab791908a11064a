module github.com/assenso/assenso/scripts/crdbgrammar

go 1.26.0

require github.com/cockroachdb/cockroachdb-parser v0.25.2 // indirect
