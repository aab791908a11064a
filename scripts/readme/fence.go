package main

import (
	"fmt"
	"strings"
)

// fence is a block of code in a Markdown page.
type fence struct {
	language string
	line     int // of the opening mark, from 1
	body     string
}

// languages are those of which somebody checks the content.
var languages = []string{"sh", "json", "yaml", "text", "go"}

// parse returns the fences of a page.
func parse(page string) ([]fence, error) {
	var fences []fence
	var open *fence
	for n, line := range strings.Split(page, "\n") {
		mark, isMark := strings.CutPrefix(line, "```")
		switch {
		case isMark && open == nil:
			open = &fence{language: mark, line: n + 1}
		case isMark:
			fences = append(fences, *open)
			open = nil
		case open != nil:
			open.body += line + "\n"
		}
	}
	if open != nil {
		return nil, fmt.Errorf("the fence of line %d is not closed", open.line)
	}
	return fences, nil
}

// commands returns the lines of a sh fence that are commands.
func (f *fence) commands() []string {
	var list []string
	for line := range strings.Lines(f.body) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list
}

// makes reports whether every command of the fence is make's.
func (f *fence) makes() bool {
	for _, c := range f.commands() {
		if !strings.HasPrefix(c, "make ") {
			return false
		}
	}
	return true
}

// serves reports whether the fence is one command that starts a server.
func (f *fence) serves() bool {
	list := f.commands()
	return len(list) == 1 && (strings.HasSuffix(list[0], " serve") || strings.Contains(list[0], " serve "))
}

// asks reports whether the fence is one question that may be answered with no:
// exit code 1.
func (f *fence) asks() bool {
	list := f.commands()
	return len(list) == 1 && strings.Contains(list[0], " decide ")
}
