package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/services/house"
)

func (a *app) doctorCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at folder, keys, space, database, address, packs, durability and the running server; exits with 1 on a finding",
		Long: `Examine what assenso serve would meet with this configuration, and, when one is running,
ask it whether it is ready. Nothing is changed. Exits with 1 if anything needs a person.`,
		Example: `  assenso doctor
  assenso doctor --config /etc/assenso/assenso.yaml --json`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd, &s)
			if err != nil {
				return err
			}
			checks := append(house.Examine(cmd.Context(), cfg), a.examineServer(cmd, cfg))
			if err := a.print(checks, func(w io.Writer) error { return writeChecks(w, checks) }); err != nil {
				return err
			}
			for _, c := range checks {
				if !c.OK {
					return errNo
				}
			}
			return nil
		},
	}
	s.bind(cmd)
	return cmd
}

// examineServer asks the server of this configuration, unless --server names
// another.
func (a *app) examineServer(cmd *cobra.Command, cfg house.Config) house.Check {
	const name = "server"
	if !cmd.Flags().Changed("server") && a.env("SERVER", "") == "" {
		a.server = "http://" + cfg.Listen
	}
	c, err := a.client()
	if err != nil {
		return house.Check{Name: name, Detail: err.Error(), Remedy: "give the server's URL with --server"}
	}
	if err := c.call(cmd.Context(), http.MethodGet, "/healthz", nil, nil); err != nil {
		return house.Check{Name: name, OK: true, Detail: "none answers at " + c.base}
	}
	h, err := c.readiness(cmd.Context())
	if err != nil {
		return house.Check{Name: name, Detail: err.Error(), Remedy: "see the server's log"}
	}
	if len(h.Reasons) > 0 {
		return house.Check{Name: name, Detail: "not ready: " + strings.Join(h.Reasons, "; "), Remedy: "see the server's log"}
	}
	return house.Check{Name: name, OK: true, Detail: fmt.Sprintf("version %s, ready; %s", h.Version, h.Durability)}
}

func writeChecks(w io.Writer, checks []house.Check) error {
	for _, c := range checks {
		mark := "ok  "
		if !c.OK {
			mark = "FAIL"
		}
		line := fmt.Sprintf("%s %-15s %s", mark, c.Name, c.Detail)
		if c.Remedy != "" {
			line += ": " + c.Remedy
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
