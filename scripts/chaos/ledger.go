package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/ledger"
)

// readLedger reads every ledger stream of a stopped house from its first event
// to its last, with the broker's own client and none of the ledger's code.
func readLedger(ctx context.Context, data string) (records []record, err error) {
	broker, err := embedded.Start(ctx, embedded.Options{Data: data, Mode: ledger.Strict})
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	conn, err := broker.Bulk()
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	names := js.StreamNames(ctx)
	for stream := range names.Name() {
		if !strings.HasPrefix(stream, strings.TrimSuffix(string(ledger.Reference), "REF")) {
			continue
		}
		of, err := readStream(ctx, js, stream)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", stream, err)
		}
		records = append(records, of...)
	}
	return records, names.Err()
}

func readStream(ctx context.Context, js jetstream.JetStream, name string) ([]record, error) {
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return nil, nil
	}
	if state.FirstSeq != 1 || state.LastSeq != state.Msgs {
		return nil, fmt.Errorf("it holds %d events from %d to %d: some were deleted", state.Msgs, state.FirstSeq, state.LastSeq)
	}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, err
	}
	records := make([]record, 0, state.Msgs)
	for uint64(len(records)) < state.Msgs {
		batch, err := consumer.Fetch(int(min(1000, state.Msgs-uint64(len(records)))), jetstream.FetchMaxWait(30*time.Second))
		if err != nil {
			return nil, err
		}
		before := len(records)
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return nil, err
			}
			records = append(records, record{place{name, meta.Sequence.Stream}, m.Data()})
		}
		if err := batch.Error(); err != nil {
			return nil, err
		}
		if len(records) == before {
			return nil, fmt.Errorf("no event came after %d of %d", before, state.Msgs)
		}
	}
	return records, nil
}
