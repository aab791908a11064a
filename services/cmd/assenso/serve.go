package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/services/house"
)

// settings are the flags that override the configuration.
type settings struct {
	data, database, listen, nats, durability string
	only                                     []string
	acceptLoss                               bool
}

func (s *settings) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.data, "data", "", "`FOLDER` of ledger, views, vault and keys (default .data)")
	f.StringVar(&s.database, "database", "", "postgres:// `URL` of views and vault (default: SQLite files in the data folder)")
	f.StringVar(&s.listen, "listen", "", "`ADDRESS` of the HTTP door (default 127.0.0.1:8080)")
	f.StringVar(&s.nats, "nats", "", "`URL` of a broker, or embedded (default)")
	f.StringVar(&s.durability, "durability", "", "strict (default), bounded or fast")
	f.StringSliceVar(&s.only, "only", nil, "run only these services, such as recorder.revocations,gateway")
	f.BoolVar(&s.acceptLoss, "accept-loss", false, "record although the broker promises less than --durability")
}

// overrides returns the flags that were given.
func (s *settings) overrides(cmd *cobra.Command) map[string]any {
	over := map[string]any{}
	for flag, set := range map[string]struct {
		key   string
		value any
	}{
		"data": {"data", s.data}, "database": {"database", s.database}, "listen": {"listen", s.listen}, "nats": {"nats.url", s.nats},
		"durability": {"ledger.durability", s.durability}, "only": {"only", s.only}, "accept-loss": {"ledger.accept_loss", s.acceptLoss},
	} {
		if cmd.Flags().Changed(flag) {
			over[set.key] = set.value
		}
	}
	return over
}

// load reads the configuration of a command that runs services.
func (a *app) load(cmd *cobra.Command, s *settings) (house.Config, error) {
	cfg, err := house.Load(a.config, a.environ, s.overrides(cmd))
	if err != nil {
		return house.Config{}, usage(err)
	}
	return cfg, nil
}

func (a *app) serveCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run everything in one process, or some services with --only",
		Long: `Run the broker, the recorders, the projections and the HTTP door in one process, with all
data in one folder. SIGTERM and SIGINT let running requests finish and exit with 0.

A fault after which acknowledged events might be lost (unreadable data folder, changed pepper,
full disk, weaker durability than promised) stops the process at once with exit code 3 and a
message that says what to do.`,
		Example: `  assenso serve
  assenso serve --data /var/lib/assenso --listen 127.0.0.1:8080
  assenso serve --database postgres://assenso@db.example:5432/assenso   # password: ASSENSO_DATABASE or .pgpass
  assenso serve --only recorder.revocations --nats nats://broker:4222
  ASSENSO_LEDGER__DURABILITY=bounded assenso serve --config assenso.yaml`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd, &s)
			if err != nil {
				return err
			}
			log, err := house.NewLog(cfg.Log, a.err)
			if err != nil {
				return usage(err)
			}
			house.UseThreads()
			h, err := house.Open(cmd.Context(), cfg, house.Options{Log: log})
			if err != nil {
				return err
			}
			fmt.Fprintln(a.err, h.Banner())
			return h.Run(cmd.Context())
		},
	}
	s.bind(cmd)
	return cmd
}
