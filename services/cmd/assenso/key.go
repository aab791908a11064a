package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/services/access"
)

func (a *app) keyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Access keys for the HTTP door"}
	var role string
	made := &cobra.Command{
		Use:   "new ID",
		Short: "Make an access key; the key is shown once and kept nowhere",
		Long: `Make an access key. Standard output gets the line for the file that access.keys names;
it holds a hash and not the key. Standard error gets the key itself, once.`,
		Example: `  assenso key new ops >> keys        # the server: access.keys: keys, mode 0600
  assenso campaigns --key-file key   # the client: a file with the key`,
		Args: exactly(1, "an id for the key"),
		RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains(access.Roles, access.Role(role)) {
				return usage(errors.New("key new: --role must be crm, dialer, auditor, officer, admin or portal"))
			}
			secret, line := access.NewKey(args[0], access.Role(role))
			if a.json {
				return a.print(map[string]string{"id": args[0], "key": secret, "line": line}, nil)
			}
			if _, err := fmt.Fprintln(a.out, line); err != nil {
				return err
			}
			_, err := io.WriteString(a.err, "key "+secret+"\n")
			return err
		},
	}
	made.Flags().StringVar(&role, "role", "admin", "role of the key")
	cmd.AddCommand(made)
	return cmd
}
