package report

import "strings"

const (
	cellPad    = 1.2  // millimetres beside and above the text of a cell
	longestRun = 52.0 // a column is as wide as its longest word, up to this
)

// table prints a table: columns as wide as what they hold, the heading again
// on every page, no cell wider than its column.
func (p *paper) table(t *pageTable) {
	p.y += 1.5
	if len(t.Rows) == 0 {
		p.room(leastRoom - 14)
		p.heading(t.Title)
		p.paragraph(8.5, p.Nothing)
		p.note(t)
		return
	}
	size := 8.0
	if len(t.Columns) > 7 {
		size = 7
	}
	widths := p.widths(t, size)
	p.room(min(8+p.heightOf(t.Columns, widths, size, "B")+p.heightOf(t.Rows[0], widths, size, ""), pageBottom-topMargin))
	p.heading(t.Title)
	head := func() { p.row(t, t.Columns, widths, size, true, nil) }
	head()
	for _, row := range t.Rows {
		p.row(t, row, widths, size, false, head)
	}
	if t.More {
		p.y++
		p.paragraph(8, p.More)
	}
	p.note(t)
}

// note says what the page leaves out.
func (p *paper) note(t *pageTable) {
	if t.Note != "" {
		p.y++
		p.paragraph(8, t.Note)
	}
}

// heightOf is the height of a row in one piece.
func (p *paper) heightOf(cells []string, widths []float64, size float64, style string) float64 {
	p.pdf.SetFont(fontText, style, size)
	most := 1
	for i, cell := range cells {
		most = max(most, len(p.wrap(cell, widths[i]-2*cellPad)))
	}
	return float64(most)*size*0.45 + 2*cellPad
}

// widths divides the page among the columns: each gets at least its longest
// word, and what it needs for one line as far as there is room.
func (p *paper) widths(t *pageTable, size float64) []float64 {
	least, whole := make([]float64, len(t.Columns)), make([]float64, len(t.Columns))
	measure := func(i int, text string) {
		for line := range strings.Lines(text) {
			whole[i] = max(whole[i], p.pdf.GetStringWidth(printable(strings.TrimSuffix(line, "\n")))+2*cellPad+0.3)
		}
		text = printable(text)
		for word := range strings.FieldsSeq(text) {
			least[i] = max(least[i], min(p.pdf.GetStringWidth(word)+2*cellPad+0.3, longestRun))
		}
	}
	p.pdf.SetFont(fontText, "B", size)
	for i, c := range t.Columns {
		measure(i, c)
	}
	p.pdf.SetFont(fontText, "", size)
	for _, row := range t.Rows {
		for i, cell := range row {
			measure(i, cell)
		}
	}
	return share(least, whole, textWidth)
}

// share gives every column between its least and its whole width so that they
// fit; where all fit wholly and nearly fill the page, they fill it.
func share(least, whole []float64, width float64) []float64 {
	sumLeast, sumWhole := sum(least), sum(whole)
	out := make([]float64, len(whole))
	for i := range out {
		switch {
		case sumWhole <= width && sumWhole < 0.6*width:
			out[i] = whole[i]
		case sumWhole <= width:
			out[i] = whole[i] * width / sumWhole
		case sumLeast >= width:
			out[i] = least[i] * width / sumLeast
		default:
			out[i] = least[i] + (whole[i]-least[i])*(width-sumLeast)/(sumWhole-sumLeast)
		}
	}
	return out
}

func sum(list []float64) float64 {
	total := 0.0
	for _, v := range list {
		total += v
	}
	return total
}

// row prints one row; again prints the heading on a page that the row begins
// or goes on to. A row that is higher than the page goes on on the next.
func (p *paper) row(t *pageTable, cells []string, widths []float64, size float64, bold bool, again func()) {
	style := ""
	if bold {
		style = "B"
	}
	lineHeight := size * 0.45
	p.pdf.SetFont(fontText, style, size)
	texts, most := make([][]string, len(cells)), 1
	for i, cell := range cells {
		texts[i] = p.wrap(cell, widths[i]-2*cellPad)
		most = max(most, len(texts[i]))
	}
	turned := false // so that a heading as high as a page cannot turn pages for ever
	for from := 0; from < most; {
		fit := int((pageBottom - p.y - 2*cellPad) / lineHeight)
		whole := int((pageBottom - topMargin - 20 - 2*cellPad) / lineHeight)
		if !turned && fit < most-from && (fit < 1 || most-from <= whole) {
			turned = true
			p.pdf.AddPage()
			if again != nil {
				again()
			}
			continue
		}
		turned = false
		n := min(max(fit, 1), most-from)
		p.strip(t, texts, widths, from, n, size, style)
		from += n
	}
}

// strip prints the lines from..from+n of all cells with their borders.
func (p *paper) strip(t *pageTable, texts [][]string, widths []float64, from, n int, size float64, style string) {
	lineHeight := size * 0.45
	height := float64(n)*lineHeight + 2*cellPad
	p.pdf.SetDrawColor(207, 214, 221)
	p.pdf.SetFillColor(238, 243, 247)
	p.ink(27, 31, 36)
	x := sideMargin
	for i, lines := range texts {
		shape := "D"
		if style == "B" {
			shape = "FD"
		}
		p.pdf.Rect(x, p.y, widths[i], height, shape)
		align := "L"
		if t.Numeric[i] {
			align = "R"
		}
		for k := from; k < min(from+n, len(lines)); k++ {
			p.pdf.SetFont(fontText, style, size)
			p.pdf.SetXY(x+cellPad, p.y+cellPad+float64(k-from)*lineHeight)
			p.pdf.CellFormat(widths[i]-2*cellPad, lineHeight, lines[k], "", 0, align, false, 0, "")
		}
		x += widths[i]
	}
	p.y += height
}

// wrap breaks a text at its line ends and at blanks, and inside a word only
// where the word alone is wider than the column. The font must be set.
func (p *paper) wrap(text string, width float64) []string {
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, p.wrapLine(line, width)...)
	}
	if len(out) == 0 {
		return []string{""}
	}
	return out
}

func (p *paper) wrapLine(text string, width float64) []string {
	var out []string
	line := ""
	for word := range strings.FieldsSeq(printable(text)) {
		joined := strings.TrimPrefix(line+" "+word, " ")
		if p.pdf.GetStringWidth(joined) <= width {
			line = joined
			continue
		}
		if line != "" {
			out = append(out, line)
		}
		for p.pdf.GetStringWidth(word) > width && len([]rune(word)) > 1 {
			n := p.fitting(word, width)
			out = append(out, word[:n])
			word = word[n:]
		}
		line = word
	}
	if line != "" || len(out) == 0 {
		out = append(out, line)
	}
	return out
}

// fitting returns how many bytes of a word fit into the width, at least one
// rune.
func (p *paper) fitting(word string, width float64) int {
	last := 0
	for i := range word {
		if i > 0 && p.pdf.GetStringWidth(word[:i]) > width {
			break
		}
		if i > 0 {
			last = i
		}
	}
	if last == 0 {
		last = len(string([]rune(word)[0]))
	}
	return last
}
