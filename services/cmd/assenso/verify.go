package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/gate"
	"github.com/assenso/assenso/services/gateway"
)

func (a *app) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Verify what the gate has signed",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.verifyReceiptCommand(), a.verifyBatchCommand())
	return cmd
}

func (a *app) verifyReceiptCommand() *cobra.Command {
	var publicKey string
	var offline, handIn bool
	cmd := &cobra.Command{
		Use:   "receipt FILE",
		Short: "Verify a receipt of the gate: signature, and the answer recomputed from the ledger",
		Long: `Verify a receipt, as POST /v1/decisions or decide.<controller> answered it (- reads standard input).

The signature is checked here, with the public key in --public-key (gate.pub of the data
folder) or the one that the server names. Then the server replays the ledger up to the
receipt's positions and recomputes verdict and reasons. --offline checks the signature
alone and asks nobody. --hand-in has the receipt recorded, once, if its recording was lost.

Exits with 0 when the receipt stands, with 1 when it does not.`,
		Example: `  assenso decide --number +393401234567 --controller A --campaign K-A --json > receipt.json
  assenso verify receipt receipt.json
  assenso verify receipt receipt.json --offline --public-key .data/gate.pub
  assenso verify receipt receipt.json --hand-in`,
		Args: exactly(1, "one file with a receipt"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if offline && (publicKey == "" || handIn) {
				return usage(errors.New("verify receipt: --offline needs --public-key and cannot hand in"))
			}
			raw, err := a.readFile(args[0])
			if err != nil {
				return usage(fmt.Errorf("verify receipt: %w", err))
			}
			check, err := a.verifyReceipt(cmd.Context(), raw, publicKey, offline)
			if err != nil {
				return err
			}
			if err := a.print(check, func(w io.Writer) error { return writeCheck(w, check, offline) }); err != nil {
				return err
			}
			if check.Fault != "" {
				return errNo
			}
			if handIn {
				return a.handIn(cmd.Context(), raw)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&publicKey, "public-key", "", "`FILE` with the gate's public key; default what the server names")
	f.BoolVar(&offline, "offline", false, "check the signature alone, without a server")
	f.BoolVar(&handIn, "hand-in", false, "have the receipt recorded if it was lost")
	return cmd
}

// readFile reads a file, or standard input for "-".
func (a *app) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.in)
	}
	return os.ReadFile(name)
}

// verifyReceipt checks the signature here and has the server recompute.
func (a *app) verifyReceipt(ctx context.Context, raw []byte, publicKey string, offline bool) (gateway.ReceiptCheck, error) {
	var r events.Receipt
	if err := json.Unmarshal(raw, &r); err != nil || r.Signature == "" {
		return gateway.ReceiptCheck{}, usage(errors.New("verify receipt: the file holds no signed receipt; answers about another instant are not signed"))
	}
	if publicKey != "" {
		text, err := os.ReadFile(publicKey)
		if err != nil {
			return gateway.ReceiptCheck{}, usage(fmt.Errorf("verify receipt: %w", err))
		}
		public, err := gate.ReadPublicKey(text)
		if err != nil {
			return gateway.ReceiptCheck{}, usage(fmt.Errorf("verify receipt: %w", err))
		}
		if err := r.Verify(public); err != nil {
			return gateway.ReceiptCheck{Decision: r.Decision, Fault: err.Error(), Reasons: []string{}}, nil
		}
	}
	if offline {
		return gateway.ReceiptCheck{Decision: r.Decision, Genuine: true, Verdict: string(r.Verdict), Reasons: []string{}}, nil
	}
	c, err := a.client()
	if err != nil {
		return gateway.ReceiptCheck{}, err
	}
	var check gateway.ReceiptCheck
	return check, c.call(ctx, http.MethodPost, "/v1/receipts:verify", json.RawMessage(raw), &check)
}

func (a *app) handIn(ctx context.Context, raw []byte) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var item gateway.Item
	if err := c.call(ctx, http.MethodPost, "/v1/receipts", json.RawMessage(raw), &item); err != nil {
		return err
	}
	return a.print(item, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "handed in: %s\n", item.Result)
		return err
	})
}

func writeCheck(w io.Writer, c gateway.ReceiptCheck, offline bool) error {
	var err error
	switch {
	case c.Fault != "":
		_, err = fmt.Fprintf(w, "does not stand: %s\n", c.Fault)
	case offline:
		_, err = fmt.Fprintf(w, "decision %s: the signature is the gate's\n", c.Decision)
	default:
		_, err = fmt.Fprintf(w, "decision %s stands: the signature is the gate's, and the ledger gives %s again\n", c.Decision, c.Verdict)
	}
	return err
}
