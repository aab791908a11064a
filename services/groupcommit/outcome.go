package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// outcome classifies an answer of the broker.
type outcome uint8

const (
	stored   outcome = iota
	absent           // not stored; the error says whether to try again
	again            // not stored, and worth another try at once
	singly           // one message of the batch is to blame; publish each alone
	unknown          // no answer
	repeated         // the broker is storing another copy of the id just now
)

// Codes of the broker (nats-server, server/errors.json) that decide something.
const (
	codeInsufficient     jetstream.ErrorCode = 10023
	codeNoAccountRoom    jetstream.ErrorCode = 10002
	codeNoStorage        jetstream.ErrorCode = 10047
	codeMessageTooLarge  jetstream.ErrorCode = 10054
	codeWrongStream      jetstream.ErrorCode = 10060
	codeWrongLastID      jetstream.ErrorCode = 10070
	codeWrongLastSeq     jetstream.ErrorCode = 10071
	codeStoreFailed      jetstream.ErrorCode = 10077
	codeHeaderTooLarge   jetstream.ErrorCode = 10097
	codeSealed           jetstream.ErrorCode = 10109
	codeDuplicatePending jetstream.ErrorCode = 10158
	codeWrongLastSeqAny  jetstream.ErrorCode = 10164
)

// classify says what err means for what was published.
func classify(err error) outcome {
	if err == nil {
		return stored
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case jetstreamext.JSErrCodeBatchPublishIncomplete,
			jetstreamext.JSErrCodeAtomicPublishTooManyInflight,
			jetstreamext.JSErrCodeBatchPublishTooManyInflight:
			return again
		case jetstreamext.JSErrCodeBatchPublishDuplicateMsgID,
			jetstreamext.JSErrCodeBatchPublishUnsupportedHeader,
			codeMessageTooLarge, codeWrongStream, codeWrongLastID, codeWrongLastSeq,
			codeWrongLastSeqAny, codeHeaderTooLarge, codeStoreFailed:
			return singly
		case codeDuplicatePending:
			return repeated
		}
		return absent
	}
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse),
		errors.Is(err, nats.ErrReconnectBufExceeded):
		return absent
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject):
		return singly
	}
	return unknown
}

// failure turns the broker's refusal of one message into an error of this
// package. It never quotes subjects, headers or payloads.
func failure(stream string, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case codeInsufficient, codeNoAccountRoom, codeNoStorage:
			return fmt.Errorf("publish to %s: %w: %s (code %d): free disk space or raise the broker's storage limit",
				stream, ErrFull, api.Description, api.ErrorCode)
		case codeStoreFailed:
			if strings.Contains(api.Description, "size") {
				return fmt.Errorf("publish to %s: %w: %s (code %d)", stream, ErrRefused, api.Description, api.ErrorCode)
			}
			return fmt.Errorf("publish to %s: %w: %s (code %d)", stream, ErrFull, api.Description, api.ErrorCode)
		case codeMessageTooLarge, codeWrongStream, codeWrongLastID, codeWrongLastSeq, codeWrongLastSeqAny,
			codeHeaderTooLarge, codeSealed, jetstreamext.JSErrCodeBatchPublishUnsupportedHeader:
			return fmt.Errorf("publish to %s: %w: %s (code %d)", stream, ErrRefused, api.Description, api.ErrorCode)
		}
		return fmt.Errorf("publish to %s: %w: %s (code %d)", stream, ErrUnavailable, api.Description, api.ErrorCode)
	}
	switch {
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject):
		return fmt.Errorf("publish to %s: %w: %w", stream, ErrRefused, err)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		return fmt.Errorf("publish to %s: %w: nobody answers: the stream does not exist, has no leader or may not be published to", stream, ErrUnavailable)
	}
	return fmt.Errorf("publish to %s: %w: %w", stream, ErrUnavailable, err)
}

func ambiguous(stream string, err error) error {
	if err == nil {
		err = context.DeadlineExceeded
	}
	return fmt.Errorf("publish to %s: %w: %w", stream, ErrAmbiguous, err)
}
