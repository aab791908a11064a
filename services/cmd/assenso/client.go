package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/assenso/assenso/services/gateway"
)

// client asks a running server.
type client struct {
	base string
	key  string
	http *http.Client
}

func (a *app) client() (*client, error) {
	u, err := url.Parse(a.server)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return nil, usage(errors.New("--server must be a URL such as http://127.0.0.1:8080"))
	}
	c := &client{base: strings.TrimSuffix(a.server, "/"), http: &http.Client{Timeout: 10 * time.Minute}}
	if a.key != "" {
		text, err := os.ReadFile(a.key)
		if err != nil {
			return nil, usage(fmt.Errorf("read access key: %w", err))
		}
		c.key = strings.TrimSpace(string(text))
	}
	return c, nil
}

// do sends a request; in (nil = no body) is sent as JSON. The caller closes
// the body of the answer, which has a status below 300.
func (c *client) do(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, usage(fmt.Errorf("build request: %w", err))
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL
		}
		return nil, server(fmt.Errorf("ask %s: %w: is it running? start it with: assenso serve", c.base, err))
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, refusal(resp)
	}
	return resp, nil
}

// call asks and decodes the answer.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.do(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return server(fmt.Errorf("read the server's answer: %w", err))
	}
	return nil
}

// decode sends a request and decodes the answer; status is 0 when there is none.
func (c *client) decode(req *http.Request, out any) (status int, err error) {
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL
		}
		return 0, server(fmt.Errorf("ask %s: %w: is it running? start it with: assenso serve", c.base, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return resp.StatusCode, refusal(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return resp.StatusCode, server(fmt.Errorf("read the server's answer: %w", err))
	}
	return resp.StatusCode, nil
}

// readiness asks /readyz, whose 503 is an answer too.
func (c *client) readiness(ctx context.Context) (gateway.Health, error) {
	var h gateway.Health
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/readyz", nil)
	if err != nil {
		return h, err
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return h, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusServiceUnavailable {
		return h, refusal(resp)
	}
	return h, json.NewDecoder(resp.Body).Decode(&h)
}

// refusal turns a problem document into an error; the server's faults exit
// with 4, those of the question with 2.
func refusal(resp *http.Response) error {
	var p gateway.Problem
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || json.Unmarshal(b, &p) != nil || p.Title == "" {
		return server(fmt.Errorf("the server answered %s", resp.Status))
	}
	text := p.Title
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	for _, f := range p.Errors {
		text += "\n  " + f.Error()
	}
	if !p.LatestAsOf.IsZero() {
		text += "\n  latest possible as_of: " + p.LatestAsOf.String()
	}
	if resp.StatusCode >= 500 {
		return server(errors.New(text))
	}
	return usage(errors.New(text))
}

// query builds "?a=b" from pairs, leaving out empty values.
func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}
