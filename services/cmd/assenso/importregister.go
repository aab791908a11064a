package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/schemas"
	"github.com/assenso/assenso/services/imports"
	"github.com/assenso/assenso/services/listcheck"
)

// consultationFlags are those of import --as register.
type consultationFlags struct {
	as, controller, batch, list, submittedBy string
	snapshot, answered, part                 string
}

// receiptTries is how often a late receipt of a consultation is asked for: its
// completion needs all of them.
const receiptTries = 60

func (c *consultationFlags) register(f *pflag.FlagSet) {
	f.StringVar(&c.as, "as", "", "what the file is: register, for the answer file of a consultation")
	f.StringVar(&c.controller, "controller", "", "--as register: in whose name the consultation was made")
	f.StringVar(&c.batch, "batch", "", "--as register: id of the consultation")
	f.StringVar(&c.list, "list", "", "--as register: list that was consulted; default of no list")
	f.StringVar(&c.submittedBy, "submitted-by", "", "--as register: who submitted the numbers")
	f.StringVar(&c.snapshot, "snapshot", "", "--as register: `INSTANT` of the register's state that was asked, RFC 3339; validity counts from its date")
	f.StringVar(&c.answered, "answered", "", "--as register: `INSTANT` when the answer arrived, RFC 3339")
	f.StringVar(&c.part, "register", string(events.RegisterPhone), "--as register: phone or postal")
}

// prepare sets the options of an import of the register's answers. The mapping
// is read here, as its constants come from the flags.
func (c *consultationFlags) prepare(o *imports.Options, mapping *string) error {
	switch {
	case c.as == "" && c.controller+c.batch+c.list+c.submittedBy+c.snapshot+c.answered != "":
		return usage(errors.New("import: --controller, --batch, --list, --submitted-by, --snapshot and --answered go with --as register"))
	case c.as == "":
		return nil
	case c.as != "register":
		return usage(errors.New("import: --as knows register; other files need a --mapping"))
	case c.controller == "" || c.batch == "" || c.snapshot == "" || c.answered == "":
		return usage(errors.New("import: --as register needs --controller, --batch, --snapshot and --answered"))
	case !events.InSet("register", c.part):
		return usage(errors.New("import: --register is phone or postal"))
	}
	snapshot, err := events.ParseInstant(c.snapshot)
	if err != nil {
		return usage(errors.New("import: write --snapshot as RFC 3339 instant with offset"))
	}
	answered, err := events.ParseInstant(c.answered)
	if err != nil {
		return usage(errors.New("import: write --answered as RFC 3339 instant with offset"))
	}
	name, text := "register.yaml", []byte(nil)
	if *mapping == "" {
		text, err = schemas.Mappings.ReadFile("mappings/register.yaml")
	} else {
		name = filepath.Base(*mapping)
		text, err = os.ReadFile(*mapping)
	}
	if err != nil {
		return usage(fmt.Errorf("import: read mapping: %w", err))
	}
	constants := map[string]string{"controller": c.controller, "data.batch": c.batch, "data.snapshot_at": c.snapshot, "time": c.answered}
	if c.part != string(events.RegisterPhone) {
		constants["data.register"] = c.part
	}
	if o.Mapping, err = imports.ParseMappingWith(name, text, constants); err != nil {
		return usage(err)
	}
	if o.Mapping.Type() != events.TypeRegisterScreened {
		return usage(fmt.Errorf("import: --as register needs a mapping of %s", events.TypeRegisterScreened))
	}
	*mapping = ""
	o.Consultation = &imports.Consultation{Controller: c.controller, Batch: c.batch, List: c.list, SubmittedBy: c.submittedBy, Register: events.Register(c.part),
		SnapshotAt: snapshot, AnsweredAt: answered, SetRoot: listcheck.SetRoot}
	return nil
}
