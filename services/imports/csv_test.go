package imports

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func readCSV(t testing.TB, content []byte, set csvSettings) (head []string, out []*row, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.csv")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := openCSV(path, set, new(atomic.Int64))
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	for {
		r, err := c.next()
		if errors.Is(err, io.EOF) {
			return c.header(), out, nil
		}
		if err != nil {
			return nil, nil, err
		}
		out = append(out, r)
	}
}

// A malformed row takes only itself with it.
func TestMalformedRows(t *testing.T) {
	long := strings.Repeat("x", maxLine+10)
	tests := map[string]struct {
		body string
		want []string // cells joined by |, or the line of a bad row
	}{
		"open quote":            {"1,\"a\n2,b\n3,c\n", []string{"bad 2", "2|b", "3|c"}},
		"open quote, last row":  {"1,a\n2,\"b", []string{"1|a", "bad 3"}},
		"text after a quote":    {"1,\"a\"b\n2,c\n", []string{"bad 2", "2|c"}},
		"quote spans, then bad": {"1,\"a\nb\"c\n2,d\n", []string{"bad 2", "b\"c", "2|d"}},
		"quoted line feed":      {"1,\"a\r\nb\"\r\n2,c\r\n", []string{"1|a\nb", "2|c"}},
		"quote inside a cell":   {"1,Bar \"Da Gino\"\n", []string{"1|Bar \"Da Gino\""}},
		"doubled quotes":        {"\"1\",\"a\"\"b\"\n", []string{"1|a\"b"}},
		"zero byte":             {"1," + long[:600] + "\n2,a\x00\n3,b\n", []string{"1|" + long[:600], "bad 3", "3|b"}},
		"not UTF-8":             {"1,caff\xe8\n2,b\n", []string{"bad 2", "2|b"}},
		"huge line":             {"1," + long + "\n2,b\n", []string{"bad 2", "2|b"}},
		"huge quoted":           {"1,\"" + strings.Repeat(long[:maxLine/2]+"\n", 3) + "\"\n2,b\n", []string{"bad 2", long[:maxLine/2], long[:maxLine/2], "bad 5", "2|b"}},
		"blank lines":           {"\n\r\n1,a\n\n", []string{"1|a"}},
		"quote after many":      {"1,\"" + strings.Repeat("\n", maxRowLines+5) + "\"\n2,b\n", []string{"bad 2", "bad 207", "2|b"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, rows, err := readCSV(t, []byte("a,b\n"+tc.body), csvSettings{delimiter: ','})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range rows {
				if r.problem == nil {
					got = append(got, strings.Join(r.cells, "|"))
					continue
				}
				if r.problem.Code != CodeRow || r.problem.Row != r.number {
					t.Errorf("problem %+v of row %d", r.problem, r.number)
				}
				got = append(got, "bad "+strconv.Itoa(r.number))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// Files that cannot be read at all are refused with a reason.
func TestRefusedFiles(t *testing.T) {
	tests := map[string]struct {
		name    string
		content []byte
		want    error
	}{
		"empty csv":        {"a.csv", nil, ErrEmpty},
		"only BOM":         {"a.csv", bom, ErrEmpty},
		"header only":      {"a.csv", []byte("code;number;added;origin;got\n"), ErrEmpty},
		"binary csv":       {"a.csv", []byte{0x7f, 'E', 'L', 'F', 0, 0, 1}, ErrFormat},
		"missing columns":  {"a.csv", []byte("x;y\n1;2\n"), ErrMapping},
		"column twice":     {"a.csv", []byte("code;number;added;origin;got;Code\n"), ErrMapping},
		"header unclosed":  {"a.csv", []byte("\"code;number\n"), nil},
		"broken xlsx":      {"a.xlsx", []byte("PK\x03\x04 no workbook"), ErrFormat},
		"empty xlsx":       {"a.xlsx", nil, ErrFormat},
		"empty ndjson":     {"a.ndjson", nil, ErrEmpty},
		"blank ndjson":     {"a.ndjson", []byte("\n \n"), ErrEmpty},
		"binary ndjson":    {"a.ndjson", []byte("{\x00}"), ErrFormat},
		"unknown name":     {"a.doc", []byte("x"), ErrFormat},
		"truncated gzip":   {"a.csv.gz", gz(t, table(100))[:200], io.ErrUnexpectedEOF},
		"gzip header only": {"a.csv.gz", []byte{0x1f, 0x8b}, io.ErrUnexpectedEOF},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := Options{Path: write(t, tc.name, tc.content), Mapping: mapping(t, rowsMapping), Sink: newDoor(t)}
			_, err := Run(t.Context(), o)
			if err == nil || (tc.want != nil && !errors.Is(err, tc.want)) {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
			if !strings.HasPrefix(err.Error(), "imports ") || strings.Contains(err.Error(), filepath.Dir(o.Path)) {
				t.Errorf("error %q does not start with the operation, or shows the folder", err)
			}
		})
	}
	if _, err := Run(t.Context(), Options{Path: filepath.Join(t.TempDir(), "none.csv"), Mapping: mapping(t, rowsMapping), Sink: newDoor(t)}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gave %v", err)
	}
}

// FuzzCSV compares with the standard library wherever that accepts the text,
// and checks that every byte of a bad file is accounted for.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2\n", "a;b\n\"1\";\"x\"\"y\"\n", "a\n\"\n\n\"\n", "a,b\n1,\"2\n3,4", "\ufeffa,b\r\n\"q\r\nr\",2\r\n", "a\tb\n1\t\"2\"3\n", "\"a\",b\n,\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		head, rows, err := readCSV(t, content, csvSettings{delimiter: ','})
		if err != nil {
			return
		}
		for _, r := range rows {
			if r.problem == nil && len(r.cells) == 0 {
				t.Fatalf("row %d has no cell", r.number)
			}
			for _, cell := range r.cells {
				if !utf8.ValidString(cell) {
					t.Fatalf("row %d has a cell that is not UTF-8", r.number)
				}
			}
		}
		std := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, bom)))
		std.FieldsPerRecord = -1
		want, err := std.ReadAll()
		if err != nil || !utf8.Valid(content) || bytes.IndexByte(content, 0) >= 0 || bytes.Contains(content, []byte("reject_")) ||
			bytes.Contains(content, []byte("\r\r")) || bytes.Count(content, []byte{'\n'}) > maxRowLines || slices.Contains(content, '\v') || len(bytes.TrimSpace(bytes.Split(bytes.TrimLeft(bytes.TrimPrefix(content, bom), "\r\n"), []byte{'\n'})[0])) == 0 {
			return
		}
		got := [][]string{head}
		for _, r := range rows {
			got = append(got, r.cells)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("other than encoding/csv (-want +got):\n%s", diff)
		}
	})
}
