package house

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"github.com/assenso/assenso/services/ledger"
)

// Config is the whole configuration. Every field has a default, so that an
// empty file runs everything on one machine. deploy/assenso.yaml is a
// commented copy.
type Config struct {
	// Data is the folder of ledger, views, vault and keys.
	Data string `koanf:"data"`
	// Database is the postgres:// URL of the CockroachDB or PostgreSQL that
	// holds views and vault; "" = SQLite files in the data folder, where the
	// keys stay in any case.
	Database string `koanf:"database"`
	// Listen is the address of the HTTP door. Without access keys it must be a
	// loopback address.
	Listen string `koanf:"listen"`
	// Access says who may ask.
	Access AccessConfig `koanf:"access"`
	// Only names the services to run, see Services; empty = all.
	Only []string `koanf:"only"`
	// NATS says where the broker is.
	NATS NATS `koanf:"nats"`
	// Ledger is what the log must promise.
	Ledger LedgerConfig `koanf:"ledger"`
	// Gateway are the limits of the HTTP door.
	Gateway GatewayConfig `koanf:"gateway"`
	Gate    GateConfig    `koanf:"gate"`
	// PBX says which switches ask without code of their own.
	PBX PBXConfig `koanf:"pbx"`
	// Law names the rule pack.
	Law LawConfig `koanf:"law"`
	// Log is the process's own log, not the ledger.
	Log LogConfig `koanf:"log"`
}

// AccessConfig says who may ask.
type AccessConfig struct {
	// Keys is a file of access keys (assenso key new); "" = this machine may
	// ask without one, no other may at all.
	Keys string `koanf:"keys"`
}

// NATS says where the broker is.
type NATS struct {
	// URL of the broker; "embedded" runs one inside, in the data folder.
	URL string `koanf:"url"`
	// Listen is where the embedded broker listens for other processes; "" = it
	// does not.
	Listen string `koanf:"listen"`
}

// LedgerConfig is what the log must promise.
type LedgerConfig struct {
	Partitions int         `koanf:"partitions"` // fixed when the ledger is created
	Durability ledger.Mode `koanf:"durability"` // strict, bounded, fast
	// AcceptLoss starts although the broker promises less than Durability.
	AcceptLoss bool `koanf:"accept_loss"`
	// IntakeBytes is the size at which each queue refuses submissions (503).
	IntakeBytes int64 `koanf:"intake_bytes"`
}

// GatewayConfig are the limits of the HTTP door.
type GatewayConfig struct {
	ReceiptWait time.Duration `koanf:"receipt_wait"` // for the recorder's answer
	MaxBody     int64         `koanf:"max_body"`     // bytes of a body read as a whole
}

// GateConfig tunes the gate.
type GateConfig struct {
	// SnapshotEvery is how often the snapshot is renewed from which it starts.
	SnapshotEvery time.Duration `koanf:"snapshot_every"`
	// Patience is how long a question waits for what would remove a doubt.
	Patience time.Duration `koanf:"patience"`
}

// LawConfig names the rule pack.
type LawConfig struct {
	Country string `koanf:"country"`
	// Packs is a folder of pack files; "" = those built in.
	Packs string `koanf:"packs"`
}

// LogConfig is the process's own log.
type LogConfig struct {
	Level  string `koanf:"level"`  // debug, info, warn, error
	Format string `koanf:"format"` // json, console
}

// Embedded is the value of NATS.URL that runs a broker inside.
const Embedded = "embedded"

// Default returns the configuration of one machine.
func Default() Config {
	return Config{
		Data:    ".data",
		Listen:  "127.0.0.1:8080",
		NATS:    NATS{URL: Embedded},
		Ledger:  LedgerConfig{Partitions: 4, Durability: ledger.Strict, IntakeBytes: 1 << 30},
		Gateway: GatewayConfig{ReceiptWait: 5 * time.Second, MaxBody: 32 << 20},
		Gate:    GateConfig{SnapshotEvery: 10 * time.Minute, Patience: 100 * time.Millisecond},
		PBX:     defaultPBX(),
		Law:     LawConfig{Country: "it"},
		Log:     LogConfig{Level: "info", Format: "console"},
	}
}

// ErrConfig is wrapped by every error of Load and Check: the configuration
// must be mended; nothing was started.
var ErrConfig = errors.New("configuration")

// EnvPrefix begins the environment variables that are read. A double
// underscore steps into a section: ASSENSO_LEDGER__DURABILITY=bounded.
const EnvPrefix = "ASSENSO_"

// Load reads the defaults, then the YAML file (path "" = none), then the
// environment, then overrides (dotted keys, as flags give them); later ones
// win. An unknown key is an error.
func Load(path string, environ []string, overrides map[string]any) (Config, error) {
	k := koanf.New(".")
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("%w: read %s: %w", ErrConfig, path, err)
		}
	}
	fromEnv := env.Provider(".", env.Opt{Prefix: EnvPrefix, EnvironFunc: func() []string { return environ }, TransformFunc: envKey})
	if err := k.Load(fromEnv, nil); err != nil {
		return Config{}, fmt.Errorf("%w: read environment: %w", ErrConfig, err)
	}
	for key, value := range overrides {
		if err := k.Set(key, value); err != nil {
			return Config{}, fmt.Errorf("%w: set %s: %w", ErrConfig, key, err)
		}
	}
	cfg := Default()
	err := k.UnmarshalWithConf("", &cfg, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		Result: &cfg, ErrorUnused: true, WeaklyTypedInput: true, TagName: "koanf",
		DecodeHook: mapstructure.ComposeDecodeHookFunc(mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(",")),
	}})
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w (see deploy/assenso.yaml for the keys)", ErrConfig, err)
	}
	return cfg, cfg.Check()
}

// envKey maps ASSENSO_NATS__URL to nats.url; the variables of the command line
// itself and of tests are not settings.
func envKey(name, value string) (string, any) {
	key := strings.ToLower(strings.TrimPrefix(name, EnvPrefix))
	if key == "server" || key == "config" || strings.HasPrefix(key, "test_") {
		return "", nil
	}
	return strings.ReplaceAll(key, "__", "."), value
}

// Check reports every fault of the configuration together.
func (c *Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...)))
	}
	if c.Data == "" {
		fault("data is empty: name a folder")
	}
	if c.Database != "" && !strings.HasPrefix(c.Database, "postgres://") && !strings.HasPrefix(c.Database, "postgresql://") {
		fault("database must be a postgres:// URL, or empty for SQLite files in the data folder")
	}
	if host, _, err := net.SplitHostPort(c.Listen); err != nil {
		fault("listen must be host:port, for example 127.0.0.1:8080")
	} else if !loopback(host) && c.Access.Keys == "" {
		fault("listen must be a loopback address as long as there are no access keys: name a file of keys with access.keys, and put a proxy that speaks TLS in front")
	}
	for _, name := range c.Only {
		if !slices.Contains(Services, name) {
			fault("only: there is no service %q; choose from %s", name, strings.Join(Services, ", "))
		}
	}
	if c.NATS.URL == "" {
		fault("nats.url is empty: write %q or the URL of a broker", Embedded)
	}
	if c.Ledger.Partitions < 1 || c.Ledger.Partitions > 256 {
		fault("ledger.partitions must lie between 1 and 256")
	}
	if !slices.Contains([]ledger.Mode{ledger.Strict, ledger.Bounded, ledger.Fast}, c.Ledger.Durability) {
		fault("ledger.durability must be strict, bounded or fast")
	}
	if c.Ledger.IntakeBytes < 1<<20 {
		fault("ledger.intake_bytes must be at least 1048576")
	}
	if c.Gateway.ReceiptWait <= 0 || c.Gateway.MaxBody <= 0 {
		fault("gateway.receipt_wait and gateway.max_body must be greater than zero")
	}
	if c.Gate.SnapshotEvery <= 0 || c.Gate.Patience <= 0 {
		fault("gate.snapshot_every and gate.patience must be greater than zero")
	}
	c.PBX.check(c.Only, fault)
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		fault("log.level must be debug, info, warn or error")
	}
	if !slices.Contains([]string{"json", "console"}, c.Log.Format) {
		fault("log.format must be json or console")
	}
	return errors.Join(faults...)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
