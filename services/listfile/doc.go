// Package listfile carries a file through a list check: rows out, answers beside the rows in; it plans the next consultation of the register and verifies what it wrote.
//
//	result, err := listfile.Run(ctx, listfile.Options{Path: "list.csv", Out: "answers.csv", Question: q, Door: door})
//
// The file of answers holds every row of the input in its order, with the
// columns verdict, reasons, valid_until, register_until, contact and errors
// (CSV, also for workbooks), or the member decision (NDJSON). It replaces an
// older one whole, or not at all: an interrupted check is run again. With it goes the
// summary that the recorded commitment is compared with: the last line of
// NDJSON, else the file beside it whose name ends with ".summary.json".
//
// It sees numbers, as the file does; no error, progress line or summary bears
// one.
package listfile
