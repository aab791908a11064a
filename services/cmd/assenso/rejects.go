package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/services/gateway"
)

func (a *app) rejectsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "rejects", Short: "Submissions that were refused, with every error"}
	var cursor string
	var limit int
	list := &cobra.Command{
		Use: "list", Short: "List refused submissions, the oldest first",
		Example: "  assenso rejects list --limit 50",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var page gateway.RejectPage
			return a.ask(cmd, "/v1/rejects"+query("cursor", cursor, "limit", strconv.Itoa(limit)), &page, func(w io.Writer) error { return writeRejects(w, page) })
		},
	}
	list.Flags().StringVar(&cursor, "cursor", "", "go on from a page's next")
	list.Flags().IntVar(&limit, "limit", 100, "rejects a page, at most 1000")
	show := &cobra.Command{
		Use: "show ID", Short: "Show one refused submission with its errors",
		Example: "  assenso rejects show 0199a3b2-…",
		Args:    exactly(1, "one reject id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r gateway.Reject
			return a.ask(cmd, "/v1/rejects/"+url.PathEscape(args[0]), &r, func(w io.Writer) error {
				return writeRejects(w, gateway.RejectPage{Rejects: []gateway.Reject{r}})
			})
		},
	}
	cmd.AddCommand(list, show)
	return cmd
}

func writeRejects(w io.Writer, page gateway.RejectPage) error {
	for _, r := range page.Rejects {
		fmt.Fprintf(w, "%s  %s  %s  %s  %s\n", r.Reject, r.RejectedAt, r.Source, r.ID, r.Type)
		for _, f := range r.Errors {
			fmt.Fprintf(w, "    %s\n", f.Error())
		}
	}
	if page.Next != "" {
		fmt.Fprintf(w, "more: --cursor %s\n", page.Next)
	}
	return nil
}

func (a *app) parkedCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "parked", Short: "Messages that a service has set aside for a person"}
	var cursor string
	list := &cobra.Command{
		Use: "list", Short: "List parked messages, the oldest first",
		Example: "  assenso parked list",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var page gateway.ParkedPage
			return a.ask(cmd, "/v1/parked"+query("cursor", cursor), &page, func(w io.Writer) error { return writeParked(w, page) })
		},
	}
	list.Flags().StringVar(&cursor, "cursor", "", "go on from a page's next")
	cmd.AddCommand(list,
		a.parkedAct("retry", "Submit a parked message again", "submitted again"),
		a.parkedAct("drop", "Give a parked message up; it stays in the record of rejects", "given up"))
	return cmd
}

func (a *app) parkedAct(act, short, done string) *cobra.Command {
	return &cobra.Command{
		Use: act + " ID", Short: short, Example: "  assenso parked " + act + " 0199a3b2-…",
		Args: exactly(1, "one parked message's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := c.call(cmd.Context(), http.MethodPost, "/v1/parked/"+url.PathEscape(args[0])+":"+act, nil, nil); err != nil {
				return err
			}
			return a.print(map[string]string{"id": args[0], "result": act}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s %s\n", args[0], done)
				return err
			})
		},
	}
}

func writeParked(w io.Writer, page gateway.ParkedPage) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tSERVICE\tPARKED AT\tSOURCE\tTYPE\tREASON")
	for _, p := range page.Parked {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Service, p.ParkedAt, p.Source, p.Type, p.Reason)
	}
	if page.Next != "" {
		fmt.Fprintf(tw, "more: --cursor %s\n", page.Next)
	}
	return tw.Flush()
}
