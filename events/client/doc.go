// Package client is what a CRM or a dialer written in Go imports: publish with
// receipts, follow the feed, a local suppression set that fails closed. It
// needs the contract and nats.go, nothing of the house.
//
// The package is a name and its place for now: the step that brings the feed
// fills it. Until then publish over HTTP (README.md, POST /v1/events) or to the
// subjects of schemas/asyncapi.yaml with any NATS client.
package client
