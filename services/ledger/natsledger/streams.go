package natsledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/assenso/assenso/services/ledger"
)

// Window is the streams' duplicate window.
const Window = 2 * time.Minute

// BeatsStream keeps the youngest beat of each family.
const BeatsStream = "BEATS"

// Metadata of LEDGER_REF. P is written first, "complete" when every stream is
// there: so a half-made ledger is completed, and a stream that is missing later
// is never made anew.
const (
	metaPartitions = "assenso_partitions"
	metaState      = "assenso_state"
	stateComplete  = "complete"
	stateCreating  = "creating"
)

// Config is the configuration of a ledger stream (design.md 4). Everything that
// could lose or change a message is off.
func Config(s ledger.Stream, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        string(s),
		Description: "append-only log; never delete, purge or limit",
		Subjects:    []string{ledger.SubjectPrefix(s) + ">"},
		Retention:   jetstream.LimitsPolicy,
		Storage:     jetstream.FileStorage,
		Replicas:    replicas,
		Discard:     jetstream.DiscardNew,
		MaxMsgs:     -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
		Duplicates:         Window,
		DenyDelete:         true,
		DenyPurge:          true,
		AllowDirect:        true,
		AllowAtomicPublish: true,
		Compression:        jetstream.NoCompression,
	}
}

// beatsConfig is the configuration of BEATS.
func beatsConfig(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: BeatsStream, Subjects: []string{"beat.*"}, Storage: jetstream.FileStorage, Replicas: replicas,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: 1, AllowDirect: true,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: -1,
	}
}

// Exists reports whether the broker has a ledger, complete or not.
func Exists(ctx context.Context, js jetstream.JetStream) (bool, error) {
	_, err := js.Stream(ctx, string(ledger.Reference))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	if err != nil {
		return false, unavailable(ctx, ledger.Reference, err)
	}
	return true, nil
}

// provision finds the ledger, or makes or completes it, and returns P.
func provision(ctx context.Context, js jetstream.JetStream, o Options) (int, error) {
	ref, err := js.Stream(ctx, string(ledger.Reference))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return create(ctx, js, o)
	}
	if err != nil {
		return 0, unavailable(ctx, ledger.Reference, err)
	}
	meta := ref.CachedInfo().Config.Metadata
	p, err := strconv.Atoi(meta[metaPartitions])
	if err != nil || p < 1 || p > ledger.MaxPartitions {
		return 0, fmt.Errorf("%s: %w: its metadata does not say how many partitions there are: it was not made by this program", ledger.Reference, ErrNoLedger)
	}
	if p != o.Partitions {
		o.Logger.Info("the ledger keeps the partitions it was created with", zap.Int("count", p))
	}
	if meta[metaState] != stateComplete {
		if !o.Create {
			return 0, fmt.Errorf("%s: %w: its creation was interrupted: create it again, it will be completed", ledger.Reference, ErrNoLedger)
		}
		return p, complete(ctx, js, p, o)
	}
	for _, s := range ledger.Streams(p) {
		if _, err := js.Stream(ctx, string(s)); err != nil {
			return 0, unavailable(ctx, s, err)
		}
	}
	if _, err := js.CreateOrUpdateStream(ctx, beatsConfig(max(o.Replicas, ref.CachedInfo().Config.Replicas))); err != nil {
		return 0, unavailable(ctx, BeatsStream, err)
	}
	return p, nil
}

// create makes a new ledger, if nothing is left of an old one.
func create(ctx context.Context, js jetstream.JetStream, o Options) (int, error) {
	if _, err := js.Stream(ctx, string(ledger.Partition(0))); err == nil {
		return 0, fmt.Errorf("%s: %w: the stream does not exist, but %s does", ledger.Reference, ledger.ErrGone, ledger.Partition(0))
	} else if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, unavailable(ctx, ledger.Partition(0), err)
	}
	if !o.Create {
		return 0, fmt.Errorf("%w: create it once with assenso init, or look whether this is the right broker", ErrNoLedger)
	}
	ref := refConfig(o.Partitions, o.Replicas, stateCreating)
	if _, err := js.CreateStream(ctx, ref); err != nil {
		return 0, unavailable(ctx, ledger.Reference, err)
	}
	return o.Partitions, complete(ctx, js, o.Partitions, o)
}

func refConfig(p, replicas int, state string) jetstream.StreamConfig {
	c := Config(ledger.Reference, replicas)
	c.Metadata = map[string]string{metaPartitions: strconv.Itoa(p), metaState: state}
	return c
}

// complete makes the streams that a new ledger still lacks.
func complete(ctx context.Context, js jetstream.JetStream, p int, o Options) error {
	for i := range p {
		if _, err := js.CreateStream(ctx, Config(ledger.Partition(i), o.Replicas)); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return unavailable(ctx, ledger.Partition(i), err)
		}
	}
	if _, err := js.CreateOrUpdateStream(ctx, beatsConfig(o.Replicas)); err != nil {
		return unavailable(ctx, BeatsStream, err)
	}
	if _, err := js.UpdateStream(ctx, refConfig(p, o.Replicas, stateComplete)); err != nil {
		return unavailable(ctx, ledger.Reference, err)
	}
	return nil
}

// Faults compares the effective settings of a ledger stream with those it needs
// and names every difference that could lose, change or hide a message.
func Faults(have jetstream.StreamConfig, replicas int) []string {
	want := Config(ledger.Stream(have.Name), replicas)
	var out []string
	differs := func(name string, bad bool, have any) {
		if bad {
			out = append(out, fmt.Sprintf("%s: %s is %v", want.Name, name, have))
		}
	}
	differs("storage", have.Storage != want.Storage, have.Storage)
	differs("retention", have.Retention != want.Retention, have.Retention)
	differs("discard", have.Discard != want.Discard, have.Discard)
	differs("discard_new_per_subject", have.DiscardNewPerSubject, true)
	differs("replicas", have.Replicas < want.Replicas, have.Replicas)
	differs("subjects", !slices.Equal(have.Subjects, want.Subjects), have.Subjects)
	differs("max_msgs", have.MaxMsgs > 0, have.MaxMsgs)
	differs("max_bytes", have.MaxBytes > 0, have.MaxBytes)
	differs("max_age", have.MaxAge != 0, have.MaxAge)
	differs("max_msgs_per_subject", have.MaxMsgsPerSubject > 0, have.MaxMsgsPerSubject)
	differs("max_msg_size", have.MaxMsgSize > 0, have.MaxMsgSize)
	differs("deny_delete", !have.DenyDelete, false)
	differs("deny_purge", !have.DenyPurge, false)
	differs("allow_direct", !have.AllowDirect, false)
	differs("allow_atomic", !have.AllowAtomicPublish, false)
	differs("duplicate_window", have.Duplicates < want.Duplicates, have.Duplicates)
	differs("compression", have.Compression != want.Compression, have.Compression)
	differs("allow_rollup_hdrs", have.AllowRollup, true)
	differs("allow_msg_ttl", have.AllowMsgTTL, true)
	differs("allow_msg_schedules", have.AllowMsgSchedules, true)
	differs("subject_delete_marker_ttl", have.SubjectDeleteMarkerTTL != 0, have.SubjectDeleteMarkerTTL)
	differs("allow_msg_counter", have.AllowMsgCounter, true)
	differs("persist_mode", have.PersistMode != want.PersistMode, have.PersistMode)
	differs("sealed", have.Sealed, true)
	differs("no_ack", have.NoAck, true)
	differs("first_seq", have.FirstSeq > 1, have.FirstSeq)
	differs("mirror", have.Mirror != nil, "set")
	differs("sources", len(have.Sources) > 0, len(have.Sources))
	differs("subject_transform", have.SubjectTransform != nil, "set")
	differs("republish", have.RePublish != nil, "set")
	return out
}
