package natsledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/assenso/assenso/services/ledger"
)

// modes from the strongest to the weakest.
var modes = []ledger.Mode{ledger.Strict, ledger.Bounded, ledger.Fast}

// weaker reports whether have promises less than asked.
func weaker(have, asked ledger.Mode) bool {
	return slices.Index(modes, have) > slices.Index(modes, asked)
}

// boundedSync is the longest interval that still counts as bounded.
const boundedSync = 100 * time.Millisecond

// Sync is when the broker syncs its files: the weakest of its servers.
type Sync struct {
	Always   bool
	Interval time.Duration // unless Always
	Version  string        // of the broker, the oldest of its servers
}

// SyncProbe reads the broker's running settings.
type SyncProbe func(ctx context.Context) (Sync, error)

// SyncOf reads the settings of a broker in this process.
func SyncOf(broker interface {
	Sync() (always bool, interval time.Duration)
	Version() string
}) SyncProbe {
	return func(context.Context) (Sync, error) {
		always, interval := broker.Sync()
		return Sync{Always: always, Interval: interval, Version: broker.Version()}, nil
	}
}

// varz is what is read of a server's own report.
type varz struct {
	Version   string `json:"version"`
	JetStream struct {
		Config *struct {
			SyncAlways   bool          `json:"sync_always"`
			SyncInterval time.Duration `json:"sync_interval"`
		} `json:"config"`
	} `json:"jetstream"`
}

// add merges one server's report; the weakest counts.
func (s *Sync) add(v varz, first bool) {
	c := v.JetStream.Config
	if c == nil {
		return // a server without JetStream stores nothing
	}
	if first {
		*s = Sync{Always: c.SyncAlways, Interval: c.SyncInterval, Version: v.Version}
		return
	}
	s.Always = s.Always && c.SyncAlways
	s.Interval = max(s.Interval, c.SyncInterval)
	s.Version = min(s.Version, v.Version)
}

// AskSystem reads the settings of every server over a connection to the
// broker's system account. Servers that do not answer within half a second of
// the one before are not counted.
func AskSystem(nc *nats.Conn) SyncProbe {
	return func(ctx context.Context) (Sync, error) {
		inbox := nc.NewRespInbox()
		sub, err := nc.SubscribeSync(inbox)
		if err != nil {
			return Sync{}, fmt.Errorf("ask system account: %w", err)
		}
		defer sub.Unsubscribe()
		if err := nc.PublishRequest("$SYS.REQ.SERVER.PING.VARZ", inbox, nil); err != nil {
			return Sync{}, fmt.Errorf("ask system account: %w", err)
		}
		var out Sync
		for n := 0; ; n++ {
			wait, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			msg, err := sub.NextMsgWithContext(wait)
			cancel()
			if err != nil || len(msg.Data) == 0 {
				if n > 0 && ctx.Err() == nil {
					return out, nil
				}
				return Sync{}, fmt.Errorf("ask system account: no server answered (an ordinary user may not ask: give the system account's credentials or a monitoring address): %w", errors.Join(err, ctx.Err()))
			}
			var reply struct {
				Data varz `json:"data"`
			}
			if err := json.Unmarshal(msg.Data, &reply); err != nil {
				return Sync{}, fmt.Errorf("ask system account: %w", err)
			}
			out.add(reply.Data, n == 0)
		}
	}
}

// AskMonitor reads the settings from the monitoring addresses of all servers,
// "http://host:8222".
func AskMonitor(addresses ...string) SyncProbe {
	return func(ctx context.Context) (Sync, error) {
		var out Sync
		for n, address := range addresses {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/varz", nil)
			if err != nil {
				return Sync{}, fmt.Errorf("ask monitoring address: %w", err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return Sync{}, fmt.Errorf("ask monitoring address: %w", err)
			}
			var v varz
			err = errors.Join(json.NewDecoder(resp.Body).Decode(&v), resp.Body.Close())
			if err != nil || resp.StatusCode != http.StatusOK {
				return Sync{}, fmt.Errorf("ask monitoring address: %s: %w", resp.Status, errors.Join(err, errNoVarz))
			}
			out.add(v, n == 0)
		}
		if len(addresses) == 0 {
			return Sync{}, fmt.Errorf("ask monitoring address: none is configured")
		}
		return out, nil
	}
}

var errNoVarz = errors.New("not the report of a NATS server")

// Durability implements ledger.Ledger: it reads the running broker's settings
// and those of every stream. When the broker's cannot be read, that is a fault
// and the mode counts as fast. The error wraps ledger.ErrUnavailable or
// ledger.ErrGone.
func (l *Ledger) Durability(ctx context.Context) (ledger.Durability, error) {
	faults, replicas, err := l.streamFaults(ctx)
	if err != nil {
		return ledger.Durability{}, fmt.Errorf("read durability: %w", err)
	}
	d := ledger.Durability{Mode: ledger.Fast, Replicas: replicas, Majority: replicas/2 + 1, Faults: faults}
	sync, err := l.opts.Sync(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return d, ctx.Err()
		}
		d.Version = l.js.Conn().ConnectedServerVersion()
		d.Faults = append(d.Faults, "broker: when it syncs is not known: "+err.Error())
		return d, nil
	}
	d.Version = sync.Version
	d.Mode, d.SyncInterval = sync.mode()
	return d, nil
}

// mode is the class of durability of a broker that syncs so.
func (s Sync) mode() (ledger.Mode, time.Duration) {
	switch {
	case s.Always:
		return ledger.Strict, 0
	case s.Interval > 0 && s.Interval <= boundedSync:
		return ledger.Bounded, s.Interval
	}
	return ledger.Fast, s.Interval
}

// streamFaults reads every stream's effective settings; replicas are those of
// the stream that has the fewest.
func (l *Ledger) streamFaults(ctx context.Context) (faults []string, replicas int, err error) {
	faults = []string{}
	for i, s := range l.streams {
		info, err := l.info(ctx, s)
		if err != nil {
			return nil, 0, err
		}
		if i == 0 || info.Config.Replicas < replicas {
			replicas = info.Config.Replicas
		}
		faults = append(faults, Faults(info.Config, l.opts.Replicas)...)
	}
	return faults, replicas, nil
}

// checkDurability refuses a log that promises less than asked for.
func (l *Ledger) checkDurability(ctx context.Context) error {
	d, err := l.Durability(ctx)
	if err != nil {
		return err
	}
	if l.faults, err = l.currentFaults(ctx); err != nil {
		return err
	}
	weak := l.weakness(d)
	if weak == nil {
		l.opts.Logger.Info(d.String())
		return nil
	}
	if !l.opts.AcceptLoss {
		return weak
	}
	l.opts.Logger.Warn("loss is accepted: "+d.String(), errField(weak))
	return nil
}

// weakness says why d is less than what was asked for, or nil.
func (l *Ledger) weakness(d ledger.Durability) error {
	var why []error
	if weaker(d.Mode, l.opts.Mode) {
		why = append(why, fmt.Errorf("durability %s was asked for, but %s: set the broker's sync (jetstream { sync: always })", l.opts.Mode, d))
	}
	for _, f := range d.Faults {
		why = append(why, errors.New(f))
	}
	if len(why) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w; mend the broker's settings, or accept it with --accept-loss", ledger.ErrWeak, errors.Join(why...))
}
