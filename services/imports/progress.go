package imports

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress draws a bar on a terminal and does nothing elsewhere.
type progress struct {
	pool *mpb.Progress
	bar  *mpb.Bar
}

// newProgress makes the bar for total units (bytes of the file, rows of a
// workbook); nil when out is no terminal.
func newProgress(out io.Writer, name string, total int64) *progress {
	f, ok := out.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return nil
	}
	p := &progress{pool: mpb.New(mpb.WithOutput(out), mpb.WithWidth(48))}
	p.bar = p.pool.AddBar(total,
		mpb.PrependDecorators(decor.Name(name+" ")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name("  "), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO), "")),
	)
	return p
}

// to moves the bar to at units.
func (p *progress) to(at int64) {
	if p != nil {
		p.bar.SetCurrent(at)
	}
}

// end takes the bar off; done says that everything was read.
func (p *progress) end(done bool) {
	if p == nil {
		return
	}
	if done {
		p.bar.SetTotal(-1, true)
	} else {
		p.bar.Abort(false)
	}
	p.pool.Wait()
}
