package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/services/house"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the program's version", Example: "  assenso version --json",
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{"version": house.Version(), "go": runtime.Version()}
			return a.print(v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "assenso %s, %s\n", v["version"], v["go"])
				return err
			})
		},
	}
}
