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
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/assenso/assenso/events"
)

// answers is what the program says as of one instant.
type answers struct {
	keys    []string          // contacts of which something is known
	reports map[string]string // JSON by campaign
	states  map[string]string // JSON by contact key
}

// asker asks the program over HTTP, some questions at once.
type asker struct {
	base   string
	limit  time.Duration
	client *http.Client
}

// atOnce is how many questions are under way at a time.
const atOnce = 8

func newAsker(base string, limit time.Duration) asker {
	return asker{base, limit, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}}
}

// reports collects the reports as of the instant; it waits until the views
// have come that far.
func (a asker) reports(ctx context.Context, until events.Instant) (map[string]string, error) {
	got := map[string]string{}
	for _, c := range controllers {
		body, err := a.patiently(ctx, "/v1/campaigns/"+campaignOf(c)+"/report"+asOf(until)+"&controller="+c)
		if err != nil {
			return nil, fmt.Errorf("report of %s: %w", campaignOf(c), err)
		}
		got[campaignOf(c)] = string(body)
	}
	return got, nil
}

func asOf(until events.Instant) string { return "?as_of=" + url.QueryEscape(until.String()) }

// states collects the states of contacts by key as of the instant.
func (a asker) states(ctx context.Context, keys []string, until events.Instant) (map[string]string, error) {
	list, err := each(ctx, keys, func(ctx context.Context, key string) (string, error) {
		body, err := a.patiently(ctx, "/v1/contacts/"+key+asOf(until))
		if err != nil {
			return "", fmt.Errorf("state of %s: %w", key, err)
		}
		var answer struct {
			State json.RawMessage `json:"state"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return "", fmt.Errorf("state of %s: %w", key, err)
		}
		var plain bytes.Buffer
		err = json.Compact(&plain, answer.State)
		return plain.String(), err
	})
	got := make(map[string]string, len(keys))
	for i, key := range keys {
		got[key] = list[i]
	}
	return got, err
}

// attempts reads how many calls a report counts.
func attempts(report string) (int, error) {
	var r struct {
		Header struct {
			Attempts *int `json:"attempts"`
		} `json:"header"`
	}
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		return 0, fmt.Errorf("read report: %w", err)
	}
	if r.Header.Attempts == nil {
		return 0, errors.New("read report: header.attempts is missing")
	}
	return *r.Header.Attempts, nil
}

// find returns the keys of the numbers of which something is known.
func (a asker) find(ctx context.Context, numbers []string) ([]string, error) {
	found, err := each(ctx, numbers, func(ctx context.Context, number string) (string, error) {
		status, body, err := a.do(ctx, http.MethodPost, "/v1/contacts:find", `{"number":"`+number+`"}`)
		switch {
		case err != nil:
			return "", err
		case status == http.StatusNotFound:
			return "", nil
		case status != http.StatusOK:
			return "", fmt.Errorf("status %d: %s", status, body)
		}
		var found struct {
			Contact string `json:"contact"`
		}
		if err := json.Unmarshal(body, &found); err != nil || found.Contact == "" {
			return "", fmt.Errorf("the answer bears no key: %w", err)
		}
		return found.Contact, nil
	})
	if err != nil {
		return nil, fmt.Errorf("find contacts: %w", err)
	}
	return slices.DeleteFunc(found, func(key string) bool { return key == "" }), nil
}

// each asks one question for each item, atOnce at a time, and returns the
// answers in the order of the items, or the first error.
func each(ctx context.Context, items []string, ask func(context.Context, string) (string, error)) ([]string, error) {
	out := make([]string, len(items))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, item := range items {
		group.Go(func() (err error) {
			out[i], err = ask(ctx, item)
			return err
		})
	}
	return out, group.Wait()
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
	resp, err := a.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
