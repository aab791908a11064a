package house

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/assenso/assenso/services/embedded"
	"github.com/assenso/assenso/services/vault"
)

// Check is one thing that doctor looked at.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`           // what was found
	Remedy string `json:"remedy,omitempty"` // what to do, when not OK
}

// minFree is the space that a ledger needs at least, in bytes.
const minFree = 256 << 20

// Examine looks at what this configuration would meet, from the outside: it
// opens no store and changes nothing, so it may run beside a running assenso.
func Examine(ctx context.Context, cfg Config) []Check {
	checks := []Check{examineFolder(cfg.Data), examineKeys(cfg.Data), examineSpace(cfg.Data), examineLock(cfg.Data)}
	return append(checks, examineDatabase(ctx, cfg.Database), examineListen(cfg), examineSwitches(cfg), examineLaw(cfg.Law), examineDurability(cfg))
}

func failed(name string, err error, remedy string) Check {
	return Check{Name: name, Detail: strings.Join(strings.Fields(err.Error()), " "), Remedy: remedy} // on one line
}

func examineFolder(dir string) Check {
	const name = "data folder"
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Check{Name: name, OK: true, Detail: dir + " does not exist yet; the first start makes it"}
	case err != nil:
		return failed(name, err, "let this user read the folder")
	case !info.IsDir():
		return Check{Name: name, Detail: dir + " is no folder", Remedy: "choose another one with data"}
	case info.Mode().Perm()&0o007 != 0:
		return Check{Name: name, Detail: fmt.Sprintf("%s is open to every user (%#o)", dir, info.Mode().Perm()), Remedy: "chmod 700 it"}
	}
	if _, err := os.ReadDir(dir); err != nil {
		return failed(name, err, "chown the folder to the user that runs assenso")
	}
	return Check{Name: name, OK: true, Detail: dir + " can be read"}
}

// examineKeys looks for the key files without reading them.
func examineKeys(dir string) Check {
	const name = "keys"
	if _, err := os.Stat(filepath.Join(dir, "nats")); errors.Is(err, fs.ErrNotExist) {
		return Check{Name: name, OK: true, Detail: "no ledger here yet; the first start makes the keys"}
	}
	for _, file := range []string{vault.PepperFile, vault.SealFile} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			return failed(name, err, "restore "+file+" of this ledger from its copy: without it no number can be matched or read again")
		}
		if info.Mode().Perm()&0o077 != 0 {
			return Check{Name: name, Detail: file + " can be read by others", Remedy: "chmod 600 it"}
		}
	}
	return Check{Name: name, OK: true, Detail: "both key files are there; keep copies of them apart from this folder"}
}

func examineSpace(dir string) Check {
	const name = "space"
	for dir != "" {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	free, err := embedded.FreeBytes(dir)
	if err != nil {
		return failed(name, err, "let this user read the folder")
	}
	c := Check{Name: name, OK: free >= minFree, Detail: fmt.Sprintf("%d MiB free", free>>20)}
	if !c.OK {
		c.Remedy = fmt.Sprintf("free at least %d MiB: a ledger that is full refuses events", minFree>>20)
	}
	return c
}

func examineLock(dir string) Check {
	const name = "process"
	locked, err := embedded.Locked(dir)
	switch {
	case err != nil:
		return failed(name, err, "let this user read the folder")
	case locked:
		return Check{Name: name, OK: true, Detail: "an assenso works on this folder"}
	}
	return Check{Name: name, OK: true, Detail: "no assenso works on this folder"}
}

func examineListen(cfg Config) Check {
	const name = "listen address"
	if locked, err := embedded.Locked(cfg.Data); err == nil && locked {
		return Check{Name: name, OK: true, Detail: "not tried: the running assenso may hold it"}
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return failed(name, err, "choose another address with listen")
	}
	if err := l.Close(); err != nil {
		return failed(name, err, "choose another address with listen")
	}
	return Check{Name: name, OK: true, Detail: cfg.Listen + " is free"}
}

// examineSwitches tries the addresses at which switches would ask.
func examineSwitches(cfg Config) Check {
	const name = "switches"
	agi, sip := cfg.PBX.FastAGI.Listen, cfg.PBX.SIP.Listen
	if agi == "" && sip == "" {
		return Check{Name: name, OK: true, Detail: "none asks: pbx has no address"}
	}
	if locked, err := embedded.Locked(cfg.Data); err == nil && locked {
		return Check{Name: name, OK: true, Detail: "not tried: the running assenso may hold their addresses"}
	}
	for _, try := range []struct{ key, network, address string }{
		{"pbx.fastagi.listen", "tcp", agi}, {"pbx.sip.listen", "tcp", sip}, {"pbx.sip.listen", "udp", sip},
	} {
		if try.address == "" {
			continue
		}
		if err := tryAddress(try.network, try.address); err != nil {
			return failed(name, err, "choose another address with "+try.key)
		}
	}
	return Check{Name: name, OK: true, Detail: "their addresses are free"}
}

// tryAddress listens at an address for a moment.
func tryAddress(network, address string) error {
	if network == "udp" {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			return err
		}
		return c.Close()
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	return l.Close()
}

func examineLaw(law LawConfig) Check {
	const name = "rule packs"
	engine, err := LoadEngine(law)
	if err != nil {
		return failed(name, err, "mend the pack file")
	}
	packs := engine.Packs()
	return Check{Name: name, OK: true, Detail: fmt.Sprintf("%d rules, %d dated values", len(packs.Rules()), len(packs.Parameters()))}
}

func examineDurability(cfg Config) Check {
	const name = "durability"
	c := Check{Name: name, OK: cfg.Ledger.Durability == "strict", Detail: "an acknowledgement is given " + string(cfg.Ledger.Durability)}
	switch cfg.Ledger.Durability {
	case "strict":
		c.Detail = "strict: acknowledged means on disk"
	case "bounded":
		c.Detail, c.Remedy = "bounded: a loss of power may lose the last 100 ms of acknowledged events", "set ledger.durability to strict"
	case "fast":
		c.Detail, c.Remedy = "fast: a loss of power may lose acknowledged events", "set ledger.durability to strict"
	}
	return c
}
