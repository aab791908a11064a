package house

import (
	"context"
	"io/fs"
	"os"

	"github.com/assenso/assenso/schemas/packs/it"
	"github.com/assenso/assenso/services/codec"
	"github.com/assenso/assenso/services/inquiry"
	"github.com/assenso/assenso/services/rules"
)

// draftName stands for a draft pack in errors: it comes without a file.
const draftName = "draft"

// packFiles are the files of the rule packs: those configured, or the built-in.
func packFiles(law LawConfig) fs.FS {
	if law.Packs != "" {
		return os.DirFS(law.Packs)
	}
	return it.Files
}

// WhatIf implements gateway.Enquiries. One runs at a time with the reports,
// since it reads as much.
func (r *Reports) WhatIf(ctx context.Context, draft string, q inquiry.WhatIfQuestion, asOf inquiry.AsOf) (inquiry.WhatIf, error) {
	packs, err := rules.LoadDraft(packFiles(r.house.cfg.Law), rules.Draft{Name: draftName, Text: []byte(draft)})
	if err != nil {
		return inquiry.WhatIf{}, err
	}
	r.building.Lock()
	defer r.building.Unlock()
	if q.AsOf, q.Positions, err = r.desk.FinalAt(ctx, asOf); err != nil {
		return inquiry.WhatIf{}, err
	}
	return inquiry.Replay(ctx, r.house.view, codec.Decode, r.house.engine, rules.NewEngine(packs), q)
}

// Origin implements gateway.Enquiries.
func (r *Reports) Origin(ctx context.Context, controller, contract string, asOf inquiry.AsOf) (inquiry.Origin, error) {
	r.building.Lock()
	defer r.building.Unlock()
	instant, p, err := r.desk.FinalAt(ctx, asOf)
	if err != nil {
		return inquiry.Origin{}, err
	}
	objects, err := r.evaluate(ctx, p, instant)
	if err != nil {
		return inquiry.Origin{}, err
	}
	q := inquiry.OriginQuestion{Contract: contract, Controller: controller, AsOf: instant, Positions: p, Objects: objects}
	return inquiry.TraceContract(ctx, r.house.view, codec.Decode, r.house.engine, q)
}

// CaseFile implements gateway.Enquiries.
func (r *Reports) CaseFile(ctx context.Context, q inquiry.CaseQuestion, asOf inquiry.AsOf) (inquiry.Case, error) {
	var err error
	if q.AsOf, q.Positions, err = r.desk.FinalAt(ctx, asOf); err != nil {
		return inquiry.Case{}, err
	}
	return inquiry.CaseFile(ctx, r.house.view, codec.Decode, r.house.engine, q)
}
