// Package client is what a CRM or a dialer written in Go imports: publish with
// receipts, follow the feed, a local suppression set that fails closed. It
// needs the contract and nats.go, nothing of the house.
package client
