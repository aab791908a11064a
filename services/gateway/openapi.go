package gateway

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/assenso/assenso/events"
)

// openAPIConfig describes the API; huma serves it as /openapi.json and
// /openapi.yaml. There is no documentation page: it would load scripts from
// elsewhere.
func openAPIConfig(version string) huma.Config {
	c := huma.DefaultConfig("Assenso", version)
	c.Info.Description = "The consent ledger for telemarketing: submit events, ask whether a call may be placed, read what was known and which calls broke which rule. " +
		"Instants are RFC 3339; answers are UTC. A phone number is read from request bodies only and never stands in a URL. Faults are RFC 9457 problem documents."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.DocsPath = ""
	c.SchemasPath = ""
	c.CreateHooks = nil
	c.Transformers = nil
	c.Tags = []*huma.Tag{
		{Name: "events", Description: "Submit what happened"},
		{Name: "decisions", Description: "Ask before the call"},
		{Name: "contacts", Description: "What is known of a contact"},
		{Name: "campaigns", Description: "Campaigns and their reports"},
		{Name: "feed", Description: "What dialers must stop calling"},
		{Name: "operating", Description: "Rejects, parked messages, health"},
	}
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[events.Instant](), reflect.TypeFor[instantText]())
	return c
}

// instantText stands in the schema for events.Instant.
type instantText string

// Schema implements huma.SchemaProvider.
func (instantText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Description: "RFC 3339 instant; UTC in answers"}
}

// raw registers a route that is served by plain net/http, because it streams,
// beside its description.
func (g *Gateway) raw(op *huma.Operation, handler http.HandlerFunc) {
	g.api.OpenAPI().AddOperation(op)
	g.api.Adapter().Handle(op, func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		handler(w, r)
	})
}

// schemaOf returns the schema of T by reference.
func schemaOf[T any](g *Gateway) *huma.Schema {
	return g.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

func (g *Gateway) problemResponse(description string) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schemaOf[Problem](g)}}}
}

// submitRoutes registers POST /v1/events.
func (g *Gateway) submitRoutes() {
	event := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "a CloudEvents 1.0 event in structured mode, see events.md"}
	many := &huma.Schema{Type: huma.TypeArray, Items: event}
	item, batch := schemaOf[Item](g), schemaOf[Batch](g)
	results := map[string]*huma.MediaType{
		typeJSON:   {Schema: &huma.Schema{OneOf: []*huma.Schema{item, batch}}},
		typeNDJSON: {Schema: &huma.Schema{Type: huma.TypeString, Description: "one item a line, in the order of the request, written while the request is read"}},
	}
	g.raw(&huma.Operation{
		OperationID: "submitEvents", Method: http.MethodPost, Path: "/v1/events", Tags: []string{"events"},
		Summary: "Submit events",
		Description: "One CloudEvent in structured or binary mode (ce-… headers), a JSON array of at most 1000, or NDJSON of any length. Each event is answered by an item. " +
			"The answer waits up to 5 s for the recorders' receipts; `Prefer: respond-async` does not wait. Submitting the same event again is safe: its identity (source, id) keeps it single.",
		Parameters: []*huma.Param{{Name: "Prefer", In: "header", Description: "respond-async: answer as soon as the events are on disk in their queues", Schema: &huma.Schema{Type: huma.TypeString}}},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			typeEvent: {Schema: event}, typeBatch: {Schema: many},
			typeJSON:   {Schema: &huma.Schema{OneOf: []*huma.Schema{event, many}}},
			typeNDJSON: {Schema: &huma.Schema{Type: huma.TypeString, Description: "one event a line"}},
		}},
		Responses: map[string]*huma.Response{
			"200": {Description: "answered by the recorders; a batch may hold rejected items", Content: results},
			"202": {Description: "on disk in the queues; at least one receipt is pending", Content: results},
			"413": g.problemResponse("too many events in an array, or body too large"),
			"415": g.problemResponse("content type not supported"),
			"422": g.problemResponse("a single event was rejected; the document bears the item's members too"),
			"503": g.problemResponse("queue full or away: send again after Retry-After; results says what was taken"),
		},
	}, g.submit)
}
