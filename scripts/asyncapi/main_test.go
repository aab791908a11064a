package main

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/gateway"
	"github.com/assenso/assenso/services/intake"
	"github.com/assenso/assenso/services/intake/natsintake"
	"github.com/assenso/assenso/services/ledger"
)

const published = "../../schemas/asyncapi.yaml"

// document is as much of an AsyncAPI document as the tests look at.
type document struct {
	Channels map[string]struct {
		Address  string         `yaml:"address"`
		Stream   string         `yaml:"x-stream"`
		Planned  bool           `yaml:"x-planned"`
		Messages map[string]any `yaml:"messages"`
	} `yaml:"channels"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]any `yaml:"properties"`
		} `yaml:"schemas"`
		Messages map[string]struct {
			Name    string `yaml:"name"`
			Payload struct {
				Ref string `yaml:"$ref"`
			} `yaml:"payload"`
		} `yaml:"messages"`
	} `yaml:"components"`
}

func parsed(t *testing.T) (doc document) {
	t.Helper()
	body, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestThePublishedDocumentIsUpToDate(t *testing.T) {
	want, err := render()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("schemas/asyncapi.yaml is out of date, run go generate (-rendered +published):\n%s", d)
	}
}

func TestEveryTypeIsOneMessageOfItsFamily(t *testing.T) {
	doc := parsed(t)
	for _, info := range events.Types {
		k := key(info.Type)
		message, ok := doc.Components.Messages[k]
		if !ok || message.Name != string(info.Type) || message.Payload.Ref != "./events/"+string(info.Type)+".json" {
			t.Errorf("%s: message %+v, want it with its own schema", info.Type, message)
		}
		if _, err := os.Stat("../../schemas/" + message.Payload.Ref); err != nil {
			t.Errorf("%s: %v", info.Type, err)
		}
		for name, channel := range doc.Channels {
			if _, there := channel.Messages[k]; there != (name == "intake_"+string(info.Family)) {
				t.Errorf("%s in channel %s: %v", info.Type, name, there)
			}
		}
	}
	if want := len(events.Types) + 13; len(doc.Components.Messages) != want {
		t.Errorf("%d messages, want the %d types and 13 others", len(doc.Components.Messages), len(events.Types))
	}
}

func TestChannelsAreTheSubjectsOfTheCode(t *testing.T) {
	const source, controller, token = "crm", "A", "tok"
	granted := events.TypeConsentGranted
	type place struct{ Subject, Stream string }
	want := map[string]place{
		"receipts": {Subject: events.ReceiptSubject(source, token)},
		"ledger":   {events.LedgerSubject("PARTITION", granted, controller), strings.TrimSuffix(string(ledger.Reference), "REF") + "PARTITION"},
		"beats":    {events.BeatSubject(events.FamilyGrants), "BEATS"},
		"decide":   {Subject: events.DecideSubject(controller)},
		"feed":     {events.FeedSubject(controller, events.FeedOrder), events.FeedStream},
		"rejects":  {events.RejectSubject(source), "REJECTS"},

		"feedsnapshot": {Subject: events.FeedSnapshotSubject(controller)},
		"feedbeat":     {Subject: events.FeedBeatSubject},
		"feedack":      {Subject: events.FeedAckSubject(controller)},
		"parked":       {events.ParkedSubject("service"), "PARKED"},
	}
	for _, f := range events.Families {
		want["intake_"+string(f)] = place{events.IntakeSubject(f, source, granted), natsintake.StreamOf(f)}
	}
	fill := strings.NewReplacer("{source}", source, "{type}", string(granted), "{token}", token, "{controller}", controller,
		"{partition}", "PARTITION", "{PARTITION}", "PARTITION", "{family}", string(events.FamilyGrants), "{service}", "service", "{kind}", string(events.FeedOrder))
	got := map[string]place{}
	for name, channel := range parsed(t).Channels {
		if !channel.Planned {
			got[name] = place{fill.Replace(channel.Address), fill.Replace(channel.Stream)}
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("channels differ from the code's (-code +document):\n%s", d)
	}
}

func TestPayloadsHaveTheFieldsOfTheCode(t *testing.T) {
	doc := parsed(t)
	for schema, typ := range map[string]reflect.Type{
		"receipt":      reflect.TypeFor[intake.Receipt](),
		"beat":         reflect.TypeFor[ledger.Beat](),
		"reject":       reflect.TypeFor[gateway.Reject](),
		"parked":       reflect.TypeFor[gateway.Parked](),
		"suppression":  reflect.TypeFor[events.FeedMessage](),
		"snapshotPage": reflect.TypeFor[events.FeedPage](),
		"feedBeat":     reflect.TypeFor[events.FeedBeat](),
		"feedAck":      reflect.TypeFor[events.FeedAck](),
		"feedAcked":    reflect.TypeFor[events.FeedAcked](),
		"fault":        reflect.TypeFor[events.Fault](),
		"position":     reflect.TypeFor[intake.Position](),
	} {
		var want, got []string
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			want = append(want, name)
		}
		for name := range doc.Components.Schemas[schema].Properties {
			got = append(got, name)
		}
		slices.Sort(want)
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("fields of %s differ (-code +document):\n%s", schema, d)
		}
	}
	headers := doc.Components.Schemas["submissionHeaders"].Properties
	for _, name := range []string{intake.HeaderToken, intake.HeaderRef, intake.HeaderTrace} {
		if _, ok := headers[name]; !ok {
			t.Errorf("header %s of the code is not in the document", name)
		}
	}
}
