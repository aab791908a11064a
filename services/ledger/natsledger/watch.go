package natsledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/assenso/assenso/services/ledger"
	"github.com/assenso/assenso/services/telemetry"
)

// advisories is where the broker tells of streams made, changed and deleted:
// $JS.EVENT.ADVISORY.STREAM.<what>.<stream>.
const advisories = "$JS.EVENT.ADVISORY.STREAM.*.*"

// watch reads the settings back on every advisory and periodically.
func (l *Ledger) watch(nc *nats.Conn) error {
	changed := make(chan struct{}, 1)
	sub, err := nc.Subscribe(advisories, func(m *nats.Msg) {
		if strings.HasPrefix(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], "LEDGER_") {
			signal(changed)
		}
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.watched.Go(func() {
		defer sub.Unsubscribe()
		tick := time.NewTicker(l.opts.WatchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			case <-changed:
			}
			l.look(ctx)
		}
	})
	return nil
}

// look compares the faults with those known and tells of a change.
func (l *Ledger) look(ctx context.Context) {
	faults, err := l.currentFaults(ctx)
	if err != nil {
		if ctx.Err() == nil {
			l.opts.Logger.Warn("settings of the ledger cannot be read back", errField(err))
		}
		return
	}
	l.mu.Lock()
	same := slices.Equal(l.faults, faults)
	l.faults = faults
	l.mu.Unlock()
	if same {
		return
	}
	if len(faults) == 0 {
		l.opts.Logger.Info("the ledger's settings are whole again")
	} else {
		l.opts.Logger.Error("the ledger's settings were weakened: stop, find who may change streams, mend them", zap.Strings("faults", faults))
	}
	if l.opts.Weaker != nil {
		l.opts.Weaker(faults)
	}
}

// currentFaults reads every stream, and when the broker syncs. A stream that is
// gone is a fault; a broker that does not tell for the moment is none.
func (l *Ledger) currentFaults(ctx context.Context) ([]string, error) {
	faults, _, err := l.streamFaults(ctx)
	if err != nil {
		for _, s := range l.streams {
			if _, one := l.info(ctx, s); errors.Is(one, ledger.ErrGone) {
				faults = append(faults, string(s)+": the stream does not exist")
			}
		}
		if len(faults) > 0 {
			return faults, nil
		}
		return nil, err
	}
	sync, err := l.opts.Sync(ctx)
	if err != nil {
		l.opts.Logger.Debug("when the broker syncs cannot be read", errField(err))
		return faults, nil
	}
	if mode, _ := sync.mode(); weaker(mode, l.opts.Mode) {
		faults = append(faults, fmt.Sprintf("broker: it syncs %s, %s was asked for", mode, l.opts.Mode))
	}
	return faults, nil
}

// Faults returns the settings that differ from what the ledger needs, as of the
// last look; empty when all is well.
func (l *Ledger) Faults() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.faults)
}

func errField(err error) zap.Field { return telemetry.Err(err) }
