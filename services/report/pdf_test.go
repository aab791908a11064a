package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/goregular"
	"pgregory.net/rapid"
)

func TestEqualReportsGiveEqualPrints(t *testing.T) {
	r := sampleReport(t)
	for range 80 { // long enough to go over pages
		r.Findings.Attempts = append(r.Findings.Attempts, new(*r.Findings.Attempts[0]))
	}
	for lang := range languages {
		var first bytes.Buffer
		if err := r.WritePDF(&first, lang); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(first.Bytes(), []byte("%PDF-")) {
			t.Errorf("%s: no PDF", lang)
		}
		if n := bytes.Count(first.Bytes(), []byte("/Type /Page\n")); n < 5 {
			t.Errorf("%s: %d pages", lang, n)
		}
		for range 8 {
			var again bytes.Buffer
			if err := r.WritePDF(&again, lang); err != nil || !bytes.Equal(first.Bytes(), again.Bytes()) {
				t.Fatalf("%s: two prints of one report differ: %v", lang, err)
			}
		}
	}
	if err := r.WritePDF(&bytes.Buffer{}, "de"); err == nil {
		t.Error("a language that is not there was printed")
	}
}

func TestPrintStandsAnyText(t *testing.T) {
	r := sampleReport(t)
	long := strings.Repeat("abcdefghij", 500)
	r.Header.Campaign = "😀\x00\uFFFF" + long
	r.Findings.Attempts[0].Attempt = long
	var out bytes.Buffer
	if err := r.WritePDF(&out, "it"); err != nil {
		t.Fatal(err)
	}
}

// No line of a cell is wider than its column, and nothing is lost by breaking.
func TestNothingOverflowsItsColumn(t *testing.T) {
	pdf := fpdf.New("L", "mm", "A4", "")
	pdf.AddUTF8FontFromBytes(fontText, "", slices.Clone(goregular.TTF))
	pdf.SetFont(fontText, "", 7)
	p := &paper{pdf: pdf}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("abcWWMMil .,;-€è😀\u0001 "))).Draw(t, "text")
		width := rapid.Float64Range(4, 60).Draw(t, "width")
		lines := p.wrap(text, width)
		for _, l := range lines {
			if w := pdf.GetStringWidth(l); w > width {
				t.Fatalf("line %q is %.2f mm wide in a column of %.2f", l, w, width)
			}
		}
		bare := func(s string) string { return strings.Join(strings.Fields(printable(s)), "") }
		if got, want := bare(strings.Join(lines, "")), bare(text); got != want {
			t.Fatalf("text %q became %q", want, got)
		}
	})
}

func TestColumnsFillThePageAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "columns")
		least, whole := make([]float64, n), make([]float64, n)
		for i := range n {
			least[i] = rapid.Float64Range(5, longestRun).Draw(t, "least")
			whole[i] = least[i] + rapid.Float64Range(0, 200).Draw(t, "more")
		}
		if got := sum(share(least, whole, textWidth)); got > textWidth+0.001 {
			t.Fatalf("columns are %.2f mm wide on a page of %.2f", got, textWidth)
		}
	})
}
