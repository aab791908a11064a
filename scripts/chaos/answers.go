package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/assenso/assenso/events"
)

// answers is what the program says as of one instant.
type answers struct {
	reports map[string]string // JSON by campaign
	states  map[string]string // JSON by contact key
}

// asker asks the program over HTTP.
type asker struct {
	base  string
	limit time.Duration
}

// ask collects the reports and states as of the instant; it waits until the
// views have come that far.
func (a asker) ask(ctx context.Context, w world, until events.Instant) (answers, error) {
	got := answers{reports: map[string]string{}, states: map[string]string{}}
	asOf := "?as_of=" + url.QueryEscape(until.String())
	for _, c := range controllers {
		body, err := a.patiently(ctx, "/v1/campaigns/"+campaignOf(c)+"/report"+asOf+"&controller="+c)
		if err != nil {
			return got, fmt.Errorf("report of %s: %w", campaignOf(c), err)
		}
		got.reports[campaignOf(c)] = string(body)
	}
	for i := range w.contacts {
		key, err := a.find(ctx, w, i)
		if err != nil {
			return got, err
		}
		if key == "" {
			continue
		}
		body, err := a.patiently(ctx, "/v1/contacts/"+key+asOf)
		if err != nil {
			return got, fmt.Errorf("state of %s: %w", key, err)
		}
		var answer struct {
			State json.RawMessage `json:"state"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return got, fmt.Errorf("state of %s: %w", key, err)
		}
		var plain bytes.Buffer
		if err := json.Compact(&plain, answer.State); err != nil {
			return got, fmt.Errorf("state of %s: %w", key, err)
		}
		got.states[key] = plain.String()
	}
	return got, nil
}

// find returns the key of the i-th number, "" when nothing is known of it.
func (a asker) find(ctx context.Context, w world, i int) (string, error) {
	status, body, err := a.do(ctx, http.MethodPost, "/v1/contacts:find", `{"number":"`+w.number(i)+`"}`)
	switch {
	case err != nil:
		return "", err
	case status == http.StatusNotFound:
		return "", nil
	case status != http.StatusOK:
		return "", fmt.Errorf("find a contact: status %d: %s", status, body)
	}
	var found struct {
		Contact string `json:"contact"`
	}
	if err := json.Unmarshal(body, &found); err != nil || found.Contact == "" {
		return "", fmt.Errorf("find a contact: the answer bears no key: %w", err)
	}
	return found.Contact, nil
}

// patiently asks until the view has come as far as the question: 409 and 503
// say that it has not.
func (a asker) patiently(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, a.limit)
	defer cancel()
	for {
		status, body, err := a.do(ctx, http.MethodGet, path, "")
		if err != nil {
			return nil, err
		}
		switch status {
		case http.StatusOK:
			return body, nil
		case http.StatusConflict, http.StatusServiceUnavailable:
		default:
			return nil, fmt.Errorf("status %d: %s", status, body)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the view did not come so far within %s: status %d: %s", a.limit, status, body)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (a asker) do(ctx context.Context, method, path, body string) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
