package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
)

// Measures of the printed page in millimetres: A4 landscape.
const (
	paperWidth   = 297.0
	paperHeight  = 210.0
	sideMargin   = 12.0
	topMargin    = 20.0
	bottomMargin = 16.0
	textWidth    = paperWidth - 2*sideMargin
	pageBottom   = paperHeight - bottomMargin
	chartOnPaper = 235.0 // the widest a chart is printed
	leastRoom    = 34.0  // a heading needs so much below it
)

// The fonts that are embedded.
const (
	fontText = "go"
	fontMono = "gomono"
)

// paper prints a page model; y is where the next thing goes.
type paper struct {
	pdf *fpdf.Fpdf
	y   float64
	page
	figures int // printed so far
}

// WritePDF writes the report as A4 landscape pages in "en" or "it". It bears
// R as its only date, so that equal reports give equal bytes.
func (r *Report) WritePDF(w io.Writer, lang string) error {
	model, err := r.page(lang)
	if err != nil {
		return err
	}
	pdf := fpdf.New("L", "mm", "A4", "")
	pdf.SetCatalogSort(true)
	pdf.SetCreationDate(r.Header.AsOf.Time().UTC())
	pdf.SetModificationDate(r.Header.AsOf.Time().UTC())
	pdf.SetTitle(model.Title+" "+printable(model.Campaign), true)
	pdf.SetSubject("SHA-256 "+model.Digest, true)
	pdf.SetCreator("assenso "+printable(r.Header.Program), true)
	pdf.SetProducer("assenso", true)
	pdf.SetLang(lang)
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetCellMargin(0)
	pdf.SetMargins(sideMargin, topMargin, sideMargin)
	// The library writes into the font while it cuts it: each print has its own.
	pdf.AddUTF8FontFromBytes(fontText, "", slices.Clone(goregular.TTF))
	pdf.AddUTF8FontFromBytes(fontText, "B", slices.Clone(gobold.TTF))
	pdf.AddUTF8FontFromBytes(fontMono, "", slices.Clone(gomono.TTF))
	p := &paper{pdf: pdf, page: model}
	p.frame()
	if err := p.print(); err != nil {
		return err
	}
	if err := pdf.Output(w); err != nil {
		return fmt.Errorf("write PDF report: %w", err)
	}
	return nil
}

// frame sets what stands on every page.
func (p *paper) frame() {
	p.pdf.AliasNbPages("{nb}")
	p.pdf.SetHeaderFunc(func() {
		p.ink(90, 90, 90)
		p.line(fontText, "", 8, 9, 4, "L", p.Title+" "+p.Campaign+" · "+p.Controller)
		p.line(fontText, "", 8, 9, 4, "R", p.At+" "+p.AsOf)
		p.pdf.SetDrawColor(207, 214, 221)
		p.pdf.Line(sideMargin, 14, paperWidth-sideMargin, 14)
		p.y = topMargin
	})
	p.pdf.SetFooterFunc(func() {
		p.ink(90, 90, 90)
		p.line(fontMono, "", 7, paperHeight-11, 4, "L", "SHA-256 "+p.Digest)
		p.line(fontText, "", 8, paperHeight-11, 4, "R", fmt.Sprintf("%s %d %s {nb}", p.labels.of("page"), p.pdf.PageNo(), p.labels.of("of_pages")))
	})
}

func (p *paper) print() error {
	p.pdf.AddPage()
	p.ink(27, 31, 36)
	p.line(fontText, "B", 20, p.y, 10, "L", p.Title+" "+p.Campaign)
	p.y += 11
	p.paragraph(10, p.Controller+" · "+p.At+" "+p.AsOf)
	p.paragraph(8.5, p.Kinds)
	p.paragraph(8.5, p.Root)
	for i := range p.Parts {
		if err := p.part(i, &p.Parts[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *paper) part(i int, part *pagePart) error {
	if i > 0 {
		p.y += 5
	}
	least := leastRoom
	if len(part.Charts) > 0 {
		_, height := onPaper(&part.Charts[0].chart)
		least = min(height+20, pageBottom-topMargin)
	}
	p.room(least)
	p.pdf.Bookmark(part.Title, 0, p.y)
	p.ink(27, 31, 36)
	p.line(fontText, "B", 13, p.y, 7, "L", part.Title)
	p.y += 7.5
	p.pdf.SetDrawColor(27, 79, 114)
	p.pdf.SetLineWidth(0.5)
	p.pdf.Line(sideMargin, p.y, paperWidth-sideMargin, p.y)
	p.pdf.SetLineWidth(0.1)
	p.y += 2
	for n := range part.Charts {
		if err := p.figure(&part.Charts[n]); err != nil {
			return err
		}
	}
	for n := range part.Tables {
		p.table(&part.Tables[n])
	}
	return nil
}

// figure prints a chart under its title, as large as the page allows.
func (p *paper) figure(c *pageChart) error {
	// The library orders images by their width alone: no two may be as wide.
	p.figures++
	name := fmt.Sprintf("chart-%d", p.figures)
	png, err := c.chart.png(p.labels, p.figures)
	if err != nil {
		return err
	}
	width, height := onPaper(&c.chart)
	p.room(height + 8)
	p.heading(c.Title)
	p.pdf.RegisterImageOptionsReader(name, fpdf.ImageOptions{ImageType: "PNG"}, bytes.NewReader(png))
	p.pdf.ImageOptions(name, sideMargin, p.y, width, height, false, fpdf.ImageOptions{ImageType: "PNG"}, 0, "")
	p.y += height + 1
	return nil
}

// onPaper is the size of a printed chart: at most a page below a heading.
func onPaper(c *chart) (width, height float64) {
	const most = pageBottom - topMargin - 22
	width = chartOnPaper
	height = width * float64(c.height()) / chartWidth
	if height > most {
		return width * most / height, most
	}
	return width, height
}

func (p *paper) heading(text string) {
	p.ink(27, 31, 36)
	p.line(fontText, "B", 9.5, p.y+1, 5, "L", capital(text))
	p.y += 6.5
}

// room begins a new page unless so much height is left.
func (p *paper) room(height float64) {
	if p.y+height > pageBottom {
		p.pdf.AddPage()
	}
}

func (p *paper) ink(r, g, b int) { p.pdf.SetTextColor(r, g, b) }

// line prints one line that is known to fit.
func (p *paper) line(family, style string, size, y, h float64, align, text string) {
	p.pdf.SetFont(family, style, size)
	p.pdf.SetXY(sideMargin, y)
	p.pdf.CellFormat(textWidth, h, printable(text), "", 0, align, false, 0, "")
}

// paragraph prints a text over the whole width.
func (p *paper) paragraph(size float64, text string) {
	p.ink(60, 60, 60)
	p.pdf.SetFont(fontText, "", size)
	for _, l := range p.wrap(text, textWidth) {
		p.room(size * 0.5)
		p.line(fontText, "", size, p.y, size*0.5, "L", l)
		p.y += size * 0.5
	}
	p.y += 1.5
}

// printable keeps what the embedded fonts can be asked for: the basic plane
// without controls.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < ' ' || r > 0xFFFD || r >= 0xD800 && r < 0xE000:
			return '?'
		}
		return r
	}, s)
}

func capital(s string) string {
	for i, r := range s {
		return strings.ToUpper(string(r)) + s[i+len(string(r)):]
	}
	return s
}
