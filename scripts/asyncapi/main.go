// Command asyncapi writes schemas/asyncapi.yaml from the contract's families
// and types: a new type stands in it after go generate.
//
//	go run ./scripts/asyncapi -out schemas/asyncapi.yaml
//
// Beside it, validate.mjs lets AsyncAPI's own parser judge the result.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/template"

	"github.com/assenso/assenso/events"
	"github.com/assenso/assenso/services/intake/natsintake"
)

//go:generate go run . -out ../../schemas/asyncapi.yaml

//go:embed asyncapi.yaml.tmpl
var page string

func main() {
	out := flag.String("out", "schemas/asyncapi.yaml", "`FILE` to write")
	flag.Parse()
	if err := write(*out); err != nil {
		fmt.Fprintln(os.Stderr, "asyncapi: "+err.Error())
		os.Exit(1)
	}
}

func write(path string) error {
	body, err := render()
	if err != nil {
		return err
	}
	return os.WriteFile(path, body, 0o644)
}

// family is a queue and what may be sent to it.
type family struct {
	Name, Stream string
	Types        []eventType
}

type eventType struct {
	Type events.Type
	Key  string // camel case: consentGranted
}

// render fills the template from the contract.
func render() ([]byte, error) {
	tmpl, err := template.New("asyncapi").Parse(page)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	var families []family
	for _, f := range events.Families {
		one := family{Name: string(f), Stream: natsintake.StreamOf(f)}
		for _, info := range events.Types {
			if info.Family == f {
				one.Types = append(one.Types, eventType{info.Type, key(info.Type)})
			}
		}
		families = append(families, one)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, struct {
		Families []family
		Kinds    []events.FeedKind
	}{families, events.FeedKinds}); err != nil {
		return nil, fmt.Errorf("fill template: %w", err)
	}
	return out.Bytes(), nil
}

// key writes "consent.granted.v1" as consentGrantedV1.
func key(t events.Type) string {
	words := strings.FieldsFunc(string(t), func(r rune) bool { return r == '.' || r == '_' })
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}
