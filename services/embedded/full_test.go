package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/assenso/assenso/services/embedded"
)

// fullFolder names the data folder to the process that fills it.
const fullFolder = "EMBEDDED_TEST_FULL"

// fileLimit is the size at which a file takes no more, in bytes.
const fileLimit = 1 << 20

// A store that takes no more stops the broker at once, also where the disk has
// room for others; what was acknowledged is there after a start with room. The
// disk is a file-size limit of a process of its own.
func TestAStoreThatTakesNoMore(t *testing.T) {
	dir := t.TempDir()
	filler := exec.CommandContext(t.Context(), os.Args[0])
	filler.Env = append(os.Environ(), fullFolder+"="+dir)
	said, err := filler.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, said)
	}
	_, after, _ := strings.Cut(string(said), "acknowledged ")
	count, _, _ := strings.Cut(after, "\n")
	acknowledged, err := strconv.Atoi(count)
	if err != nil || acknowledged == 0 {
		t.Fatalf("the store took nothing (%v):\n%s", err, said)
	}
	srv := start(t, embedded.Options{Data: dir})
	nc, err := srv.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "X")
	if err != nil {
		t.Fatal(err)
	}
	if state := stream.CachedInfo().State; state.LastSeq < uint64(acknowledged) || state.FirstSeq != 1 || state.NumDeleted > 0 {
		t.Fatalf("%d acknowledged, the store holds %+v", acknowledged, state)
	}
	for n := 1; n <= acknowledged; n++ {
		m, err := stream.GetMsg(t.Context(), uint64(n))
		if err != nil || string(m.Data) != filling(n) {
			t.Fatalf("message %d of %d acknowledged: %v", n, acknowledged, err)
		}
	}
	if _, err := js.Publish(t.Context(), "x", nil); err != nil {
		t.Errorf("publish with room: %v", err)
	}
}

func filling(n int) string { return fmt.Sprint(n, " ", strings.Repeat("x", 4000)) }

// fill is the process of TestAStoreThatTakesNoMore.
func fill(dir string) error {
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: fileLimit, Max: fileLimit}); err != nil {
		return err
	}
	srv, err := embedded.Start(context.Background(), embedded.Options{Data: dir})
	if err != nil {
		return err
	}
	nc, err := srv.Conn()
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "X", Subjects: []string{"x"}}); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		select {
		case err := <-srv.Failed():
			failed <- err
			cancel() // the answer that is waited for will not come
		case <-ctx.Done():
			failed <- ctx.Err()
		}
	}()
	acknowledged := 0
	for n := 1; ctx.Err() == nil; n++ {
		if _, err := js.Publish(ctx, "x", []byte(filling(n)), jetstream.WithRetryAttempts(0)); err != nil {
			break
		}
		acknowledged = n
	}
	fmt.Println("acknowledged", acknowledged)
	if err := <-failed; !errors.Is(err, embedded.ErrFailed) || !strings.Contains(err.Error(), "start again") {
		return fmt.Errorf("Failed delivered %w", err)
	}
	nc.Close()
	if err := srv.Close(); err != nil && !errors.Is(err, embedded.ErrFailed) {
		return err
	}
	return nil
}
