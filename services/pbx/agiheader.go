package pbx

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
)

// Bounds of what is read from an AGI connection, in bytes.
const (
	maxHeaders = 16 << 10 // the whole header
	maxLine    = 2 << 10  // one line; Asterisk's own buffer is as long
)

// agiHeader is what Asterisk says of the channel before it waits for commands:
// lines "agi_name: value" up to an empty one.
type agiHeader map[string]string

// errHeader: what came is no AGI header.
var errHeader = errors.New("AGI header cannot be read")

// readHeader reads a header. A name that comes twice is refused: a value with a
// line break in it, such as a caller's name, could otherwise pass for another
// field. The error wraps errHeader, or is that of the connection.
func readHeader(r *bufio.Reader) (agiHeader, error) {
	h, total := agiHeader{}, 0
	for {
		line, err := readLine(r)
		if err != nil {
			return nil, err
		}
		if line == "" {
			if len(h) == 0 {
				return nil, fmt.Errorf("%w: it is empty", errHeader)
			}
			return h, nil
		}
		if total += len(line); total > maxHeaders {
			return nil, fmt.Errorf("%w: it is longer than %d bytes", errHeader, maxHeaders)
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !strings.HasPrefix(name, "agi_") {
			return nil, fmt.Errorf("%w: a line is not agi_NAME: VALUE", errHeader)
		}
		if _, twice := h[name]; twice {
			return nil, fmt.Errorf("%w: a name comes twice", errHeader)
		}
		h[name] = strings.TrimSpace(value)
	}
}

// readLine reads a line without its end.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", fmt.Errorf("%w: a line is longer than %d bytes", errHeader, maxLine)
	}
	if err == io.EOF && len(line) > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", err
	}
	return string(bytes.TrimRight(line, "\r\n")), nil
}

// wishes are what the query asks beside the parameters of the question.
type wishes struct {
	play   string // sound file to play to the caller of a blocked call
	hangUp bool   // hang up a blocked call
}

// script is the only one there is: agi://host/decide?…
const script = "decide"

// read takes the call and the wishes out of a header. Errors bear no value.
func (h agiHeader) read() (call, wishes, error) {
	var c call
	var w wishes
	name, query, _ := strings.Cut(strings.TrimPrefix(h["agi_network_script"], "/"), "?")
	if name != script {
		return c, w, errors.New("there is no such script: write agi://HOST/" + script + "?controller=…&campaign=…")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return c, w, errors.New("the query of the AGI address cannot be read: write name=value&name=value")
	}
	for _, name := range sortedNames(values) {
		if len(values[name]) > 1 {
			return c, w, errors.New("a parameter of the AGI address comes twice")
		}
		value := values[name][0]
		switch name {
		case "play":
			if value == "" || len(value) > maxID || strings.Trim(value, soundName) != "" {
				return c, w, errors.New("play must be the name of a sound file: letters, digits and / _ . -")
			}
			w.play = value
		case "hangup":
			if value != "yes" && value != "no" {
				return c, w, errors.New("hangup must be yes or no")
			}
			w.hangUp = value == "yes"
		default:
			c.given = append(c.given, parameter{name, value})
		}
	}
	c.dialled = h.dialled()
	c.otherwise = []parameter{{"cli", h.callerID()}, {"attempt", h["agi_uniqueid"]}}
	return c, w, nil
}

const soundName = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.-"

func sortedNames(values url.Values) []string {
	out := make([]string, 0, len(values))
	for name := range values {
		out = append(out, name)
	}
	return sorted(out)
}

// dialled is the number that the call is for: the first argument, or, where
// none is given, the extension or what was dialled.
func (h agiHeader) dialled() string {
	if arg, given := h["agi_arg_1"]; given {
		return arg // though it be empty: then there is no number
	}
	for _, name := range []string{"agi_extension", "agi_dnid"} {
		if v := h[name]; strings.ContainsAny(v, "0123456789") {
			return v
		}
	}
	return ""
}

// Bits of agi_callingpres (Q.931, octet 3a): presentation restricted, or no
// number available.
const notPresented = 0x60

// callerID is the number that the called person will see, "" for none.
func (h agiHeader) callerID() string {
	if pres, err := strconv.Atoi(h["agi_callingpres"]); err == nil && pres&notPresented != 0 {
		return ""
	}
	if id := h["agi_callerid"]; id != "unknown" {
		return id
	}
	return ""
}
