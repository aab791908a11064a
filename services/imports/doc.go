// Package imports reads CSV, XLSX and NDJSON files into submissions,
// resumably. It knows the contract and a Sink of its own, and neither the log
// nor the views: HTTPSink hands the submissions to a running server through
// the same door as every CRM.
//
//	m, err := imports.ReadMapping("calls.yaml")
//	sum, err := imports.Run(ctx, imports.Options{
//		Path: "calls-2026-11-17.csv.gz", Mapping: m,
//		Sink: &imports.HTTPSink{URL: "http://127.0.0.1:8440"},
//	})
//
// What may be relied upon:
//   - A row is acknowledged when the sink has answered for it. The state file
//     and the rejects file are on disk (fsync) before the next batch is
//     counted, so a crash at any moment repeats at most Options.InFlight
//     batches, and the identity of each event keeps what is repeated single.
//   - A bad row never stops an import. It goes to the rejects file with its row,
//     code, field and hint, in the input's own form; that file can be mended
//     and imported with the same mapping.
//   - The identities are a function of the file's name and contents and of the
//     mapping: importing a file again records nothing twice.
//   - No cell's value appears in an error, a hint, the state file or the terminal:
//     cells hold phone numbers.
package imports
