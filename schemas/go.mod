module github.com/assenso/assenso/schemas

go 1.26

require (
	github.com/assenso/assenso/events v0.0.0
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
)

require golang.org/x/text v0.14.0 // indirect

replace github.com/assenso/assenso/events => ../events
