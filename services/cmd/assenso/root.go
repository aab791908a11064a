package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/services/house"
)

// streams is what a command may touch of the outside.
type streams struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
}

// app is one run of the command line.
type app struct {
	streams
	config string // configuration file
	server string // of a running assenso
	key    string // access key
	json   bool
}

// run executes one command line.
func run(ctx context.Context, args []string, s streams) error {
	a := &app{streams: s}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	return root.ExecuteContext(ctx)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "assenso",
		Short: "Consent ledger for telemarketing: may we place this call, what did this person allow, which calls broke which rule",
		Long: `Assenso records consents, revocations, oppositions and calls, answers whether a call
may be placed, and reports which calls of a campaign broke which rule, on what evidence.

Exit codes: 0 done; 1 the answer is no (blocked call, failed scenario, finding of doctor);
2 wrong usage, configuration or input; 3 stopped because acknowledged events might not be
kept (the message says what to do); 4 the server cannot be reached or could not answer.

Settings come from --config FILE, then ASSENSO_… variables, then flags; later ones win.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := root.PersistentFlags()
	f.StringVar(&a.config, "config", a.env("CONFIG", ""), "configuration `FILE` (YAML)")
	f.StringVar(&a.server, "server", a.env("SERVER", "http://127.0.0.1:8080"), "`URL` of the running assenso that questions go to")
	f.StringVar(&a.key, "key-file", a.env("KEY_FILE", ""), "`FILE` with the access key for the server")
	f.BoolVar(&a.json, "json", false, "print JSON, one object a line where there are many")
	root.AddCommand(a.serveCommand(), a.decideCommand(), a.verifyCommand(), a.reportCommand(), a.campaignsCommand(), a.contactsCommand(),
		a.rejectsCommand(), a.parkedCommand(), a.feedCommand(), a.importCommand(), a.scenarioCommand(), a.rulesCommand(), a.whatIfCommand(), a.contractCommand(), a.caseCommand(), a.doctorCommand(), a.keyCommand(), a.demoCommand(), a.versionCommand())
	return root
}

// env returns a variable of the command line's own.
func (a *app) env(name, otherwise string) string {
	for _, kv := range a.environ {
		if value, ok := strings.CutPrefix(kv, house.EnvPrefix+name+"="); ok {
			return value
		}
	}
	return otherwise
}

// print writes v as JSON, or calls text for people.
func (a *app) print(v any, text func(w io.Writer) error) error {
	if a.json {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	return text(a.out)
}

// exactly is cobra.ExactArgs with an exit code and a hint.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage(fmt.Errorf("%s: give %s, see %s --help", cmd.CommandPath(), what, cmd.CommandPath()))
		}
		return nil
	}
}
