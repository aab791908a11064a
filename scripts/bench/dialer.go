package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/assenso/assenso/events"
)

// askArgument makes this program a dialer that only asks: bench ask HOW URL
// RATE CONTACTS SECONDS. HOW is nats, http, or echo, which asks echoSubject of a
// NATS server. It writes how long each answer took as little-endian nanoseconds.
const askArgument = "ask"

// dialer runs a dialer in a process of its own, as dialers are.
func dialer(ctx context.Context, how, url string, rate, contacts int, length time.Duration) ([]time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, askArgument, how, url, strconv.Itoa(rate), strconv.Itoa(contacts), strconv.FormatFloat(length.Seconds(), 'f', -1, 64))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("dialer: %w: %s", err, said.String())
	}
	took := make([]time.Duration, len(out)/8)
	for i := range took {
		took[i] = time.Duration(binary.LittleEndian.Uint64(out[8*i:]))
	}
	if len(took) == 0 {
		return nil, errors.New("dialer: no answer")
	}
	return took, nil
}

// ask is the dialer.
func ask(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 5 {
		return fmt.Errorf("%s: give how, url, rate, contacts, seconds", askArgument)
	}
	rate, err1 := strconv.Atoi(args[2])
	contacts, err2 := strconv.Atoi(args[3])
	seconds, err3 := strconv.ParseFloat(args[4], 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	question := func() ([]byte, error) { return json.Marshal(questionTo(contacts)) }
	one, done, err := asker(args[0], args[1], question)
	if err != nil {
		return err
	}
	defer done()
	took, err := paced(ctx, rate, time.Duration(seconds*float64(time.Second)), one)
	if err != nil {
		return err
	}
	b := make([]byte, 0, 8*len(took))
	for _, t := range took {
		b = binary.LittleEndian.AppendUint64(b, uint64(t))
	}
	_, err = out.Write(b)
	return err
}

// asker returns a function that asks once and waits for the receipt.
func asker(how, url string, question func() ([]byte, error)) (one func(context.Context) error, done func(), err error) {
	receipt := func(answer []byte) error {
		if !bytes.Contains(answer, []byte(`"signature"`)) {
			return fmt.Errorf("no receipt: %s", answer)
		}
		return nil
	}
	if how == "http" {
		c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
		return func(ctx context.Context) error {
			body, err := question()
			if err != nil {
				return err
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/decisions", bytes.NewReader(body))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", "application/json")
			answer, err := c.Do(req)
			if err != nil {
				return err
			}
			text, err := io.ReadAll(answer.Body)
			return errors.Join(err, answer.Body.Close(), receipt(text))
		}, c.CloseIdleConnections, nil
	}
	subject := events.DecideSubject("A")
	if how == "echo" {
		subject = echoSubject
	}
	nc, err := nats.Connect(url)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context) error {
		body, err := question()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		m, err := nc.RequestWithContext(ctx, subject, body)
		if err != nil {
			return err
		}
		return receipt(m.Data)
	}, nc.Close, nil
}

// paced asks at a rate and returns what each answer took since it was due.
func paced(ctx context.Context, rate int, length time.Duration, ask func(context.Context) error) ([]time.Duration, error) {
	n := max(int(length.Seconds()*float64(rate)), 1)
	took, errs := make([]time.Duration, n), make([]error, n)
	var all sync.WaitGroup
	sleep := sleeper()
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if wait := time.Until(due); wait > 0 {
			sleep(wait)
		}
		all.Go(func() {
			errs[i] = ask(ctx)
			took[i] = time.Since(due)
		})
	}
	all.Wait()
	return took, errors.Join(errs...)
}
