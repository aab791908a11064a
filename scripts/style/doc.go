// Package style checks the house numbers on every file of the repository: no
// file over 800 lines, no function over 100 (a table is data and does not
// count), at least 85 % of a package's exported names documented, no test that
// is skipped, no path of one machine, no promise instead of code, no entry at
// the top level beside the agreed ones.
//
//	go test ./scripts/style
//
// It reads the folder and not the version history, so that it passes and fails
// alike in a clone, an archive and a work tree.
package style
