package boundaries

// Third-party modules that rules name.
const (
	zap         = "go.uber.org/zap"
	watermill   = "github.com/ThreeDotsLabs/watermill"
	natsClient  = "github.com/nats-io/nats.go"
	natsServer  = "github.com/nats-io/nats-server/v2"
	pgx         = "github.com/jackc/pgx/v5"
	sqlite      = "modernc.org/sqlite"
	cockroachGo = "github.com/cockroachdb/cockroach-go/v2"
)

// Reasons that several rules share.
const (
	pure      = "it is pure: the same arguments give the same answer for ever, on every machine"
	oneWay    = "data flows one way: a package points at the contract and the ports, never at the next stage"
	ports     = "it knows the port, so that any backend serves"
	wiring    = "wiring is done by the composition root"
	leaf      = "every stage uses it, so it may use none"
	onlyMover = "worker is the only importer of Watermill: it hosts, it does not own"
)

// inputOutput are the standard packages that touch the world. They are looked
// for in our own code only: encoding/json reaches os, and harms nobody.
var inputOutput = []string{"os", "os/exec", "net", "net/http", "database/sql", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand"}

// clock are the functions that read the wall clock or wait for it.
var clock = []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.Tick", "time.NewTicker", "time.NewTimer", "time.AfterFunc"}

// stages are the packages that do a part of the flow.
var stages = []string{
	"services/recorder", "services/imports", "services/projection", "services/gateway",
	"services/gate", "services/feed", "services/notary", "services/audit", "services/report",
}

// Table is the package table of the design. A package that has no row fails
// the test: a new package gets its row, its sentence and its limits here first.
var Table = []Rule{
	{Package: "events", Says: "is the contract of Assenso", Not: []Ban{
		{Module: anyModule, Why: "a CRM or a dialer imports the contract without drawing in anything else"},
	}},
	{Package: "events/client", Says: "is what a CRM or a dialer written in Go imports", Not: []Ban{
		{Packages: []string{"services", "schemas"}, Why: "it is what others import: contract and nats.go, no part of the house"},
		{Module: anyModule, But: []string{natsClient, "github.com/nats-io", "github.com/klauspost/compress", "golang.org/x"}, Why: "it is what others import: contract and nats.go, no part of the house"},
	}},
	{Package: "schemas", Not: []Ban{
		{Module: anyModule, Why: "data embedded for everybody; its tests may need more"},
		{Packages: []string{"events", "services"}, Why: "data embedded for everybody; its tests may need more"},
	}},
	{Package: "services/contact", Says: "folds the events of one contact point into state", Not: []Ban{
		{Standard: inputOutput, Why: pure}, {Calls: clock, Why: pure}, {Module: zap, Why: pure},
		{Packages: stages, Why: oneWay}, {Packages: []string{"services/ledger", "services/view", "services/vault", "services/rules"}, Why: pure},
	}},
	{Package: "services/rules", Says: "evaluates state, attempt and rule pack", Not: []Ban{
		{Standard: inputOutput, Why: pure}, {Calls: clock, Why: pure}, {Module: zap, Why: pure},
		{Packages: stages, Why: oneWay}, {Packages: []string{"services/ledger", "services/view", "services/vault"}, Why: pure},
	}},
	{Package: "services/scenario", Says: "reads scenario files and plays them", Not: []Ban{
		{Packages: []string{"services/ledger/natsledger", "services/ledger/memledger", "services/view/sqliteview", "services/vault/sqlvault", "services/intake/natsintake", "services/intake/memintake"}, Why: ports + ": the pipeline is handed in"},
		{Module: natsServer, Why: ports}, {Module: sqlite, Why: ports}, {Module: pgx, Why: ports},
	}},
	{Package: "services/ledger", Says: "is the append-only log as a port", Not: []Ban{
		{Packages: []string{"services/view", "services/rules"}, Why: oneWay}, {Module: watermill, Why: onlyMover},
	}},
	{Package: "services/groupcommit", Not: []Ban{
		{Packages: []string{"services/view", "services/rules"}, Why: oneWay}, {Packages: stages, Why: leaf},
	}},
	{Package: "services/vault", Says: "is the only link between a number", Not: []Ban{
		{Packages: []string{"services/ledger", "services/view"}, Why: "the log holds no personal data and the vault can forget: neither leans on the other"},
	}},
	{Package: "services/intake", Says: "is the queue before the log as a port", Not: []Ban{
		{Packages: []string{"services/view", "services/rules", "services/ledger"}, Why: oneWay},
	}},
	{Package: "services/codec", Says: "decodes recorded events fast", Not: []Ban{{Packages: stages, Why: leaf}}},
	{Package: "services/numbers", Says: "turns telephone numbers as people write them into E.164", Not: []Ban{
		{Packages: stages, Why: leaf}, {Standard: inputOutput, Why: pure},
	}},
	{Package: "services/demo", Says: "invents a call centre's day", Not: []Ban{
		{Packages: stages, Why: "it is input: what the house makes of it must not colour it"}, {Packages: []string{"services/rules", "services/ledger", "services/view"}, Why: "it is input: what the house makes of it must not colour it"},
	}},
	{Package: "services/imports", Says: "reads CSV, XLSX and NDJSON files into submissions", Not: []Ban{
		{Packages: []string{"services/ledger", "services/view"}, Why: oneWay}, {Module: natsClient, Why: "a file takes the same door as a CRM"}, {Module: natsServer, Why: "a file takes the same door as a CRM"},
	}},
	{Package: "services/recorder", Not: []Ban{
		{Packages: []string{"services/view", "services/gateway"}, Why: oneWay},
	}},
	{Package: "services/projection", Says: "follows the log into views", Not: []Ban{
		{Packages: []string{"services/gateway"}, Why: oneWay}, {Module: natsClient, Why: ports}, {Module: natsServer, Why: ports}, {Module: pgx, Why: ports},
	}},
	{Package: "services/view", Not: []Ban{
		{Packages: []string{"services/ledger"}, Why: "a view is derived; only the projection knows from what"},
	}},
	{Package: "services/crdb/pgtx", Says: "runs transactions on CockroachDB and PostgreSQL", Not: []Ban{
		{Packages: []string{"services/view", "services/vault", "services/ledger", "services/rules"}, Why: "view and vault share how a commit is made sure of, and nothing else"}, {Packages: stages, Why: leaf},
	}},
	{Package: "services/crdb/pgtest", Says: "finds or starts the databases", Not: []Ban{
		{Packages: []string{"services/view", "services/vault", "services/ledger", "services/rules"}, Why: "it gives tests a database, whatever they keep in it"}, {Packages: stages, Why: leaf},
	}},
	{Package: "services/inquiry", Not: []Ban{
		{Packages: []string{"services/gateway", "services/recorder", "services/imports"}, Why: oneWay}, {Module: natsClient, Why: ports}, {Module: pgx, Why: ports}, {Standard: []string{"net/http"}, Why: "answers are the same through every door"},
	}},
	{Package: "services/gate", Says: "keeps every contact's state in memory", Not: []Ban{
		{Packages: []string{"services/view", "services/inquiry", "services/gateway"}, Why: "it answers from memory; what it cannot hold it asks through a port"}, {Module: pgx, Why: ports}, {Module: natsServer, Why: ports},
	}},
	{Package: "services/listcheck", Says: "puts one question to a list of contacts", Not: []Ban{
		{Packages: []string{"services/view", "services/ledger", "services/gateway", "services/inquiry"}, Why: "it asks a list through a port, whoever answers"}, {Module: natsClient, Why: ports}, {Module: pgx, Why: ports},
	}},
	{Package: "services/listfile", Says: "carries a file through a list check", Not: []Ban{
		{Packages: []string{"services/view", "services/ledger", "services/gate", "services/inquiry"}, Why: "a file takes the same door as a program"}, {Module: natsClient, Why: "a file takes the same door as a program"}, {Module: pgx, Why: ports},
	}},
	{Package: "services/report", Says: "builds a campaign's report", Not: []Ban{
		{Packages: []string{"services/ledger"}, Why: "a report is a pure function of what it is given"}, {Standard: []string{"net/http"}, Why: "a report is a pure function of what it is given"}, {Calls: clock, Why: "same log, same bytes"},
	}},
	{Package: "services/gateway", Says: "speaks HTTP", Not: []Ban{
		{Module: pgx, Why: ports}, {Module: natsClient, Why: ports}, {Module: natsServer, Why: ports},
	}},
	{Package: "services/feed", Says: "tells dialers, at once and without gaps", Not: []Ban{
		{Packages: []string{"services/gateway", "services/recorder", "services/imports", "services/report"}, Why: oneWay},
		{Packages: []string{"services/view/sqliteview", "services/view/crdbview", "services/ledger/natsledger", "services/ledger/memledger", "services/vault/sqlvault", "services/vault/crdbvault", "services/intake/natsintake"}, Why: ports},
		{Module: natsServer, Why: ports}, {Module: pgx, Why: ports},
	}},
	{Package: "services/feed/standing", Says: "works out what stands in the way", Not: []Ban{
		{Standard: inputOutput, Why: pure}, {Calls: clock, Why: pure}, {Module: zap, Why: pure}, {Module: natsClient, Why: pure},
		{Packages: []string{"services/ledger", "services/view", "services/vault", "services/gateway"}, Why: pure},
	}},
	{Package: "services/feed/said", Says: "remembers, durably, what the feed has said", Not: []Ban{
		{Packages: []string{"services/ledger", "services/vault", "services/rules", "services/contact", "services/gateway"}, Why: "it keeps what was said and judges nothing; a number must never reach it"}, {Module: natsClient, Why: ports},
	}},
	{Package: "services/pbx", Says: "answers switches (FastAGI, SIP redirect) from the gate's port", Not: []Ban{
		{Packages: []string{"services", "schemas"}, Why: "a switch's question needs a gate and the contract, nothing of the house"}, {Module: natsClient, Why: ports}, {Module: pgx, Why: ports},
	}},
	{Package: "services/worker", Says: "hosts handlers on the Watermill router", Not: []Ban{
		{Packages: []string{"services/rules", "services/view"}, Why: leaf},
	}},
	{Package: "services/sqlitefile", Says: "opens a SQLite file of the data folder", Not: []Ban{
		{Packages: []string{"services", "events", "schemas"}, Why: "it knows files and no tables"}, {Module: natsClient, Why: leaf},
	}},
	{Package: "services/propertytest", Says: "says how often properties are drawn", Not: []Ban{{Packages: []string{"services", "events", "schemas"}, Why: "tests of every package use it"}}},
	{Package: "services/access", Says: "says who may do what", Not: []Ban{{Packages: stages, Why: leaf}}},
	{Package: "services/telemetry", Not: []Ban{{Packages: stages, Why: leaf}}},
	{Package: "services/embedded", Not: []Ban{
		{Packages: []string{"services/rules", "services/contact", "services/report"}, Why: "it runs parts and decides nothing"},
	}},
	{Package: "services/house", Says: "wires NATS server, SQLite and all services in one process", Not: nil},
	{Package: "services/clienttest", Says: "tries package client against a broker and a whole Assenso", Not: nil},
	{Package: "services/cmd", Not: nil},
}

// Everywhere holds for each package of services besides its row.
var Everywhere = []Ban{
	{Module: watermill, Direct: true, Except: []string{"services/worker"}, Why: onlyMover},
	{Module: sqlite, Direct: true, Except: []string{"services/sqlitefile"}, Why: "one way to open a SQLite file"},
	{Packages: []string{"scripts"}, Why: "tools never enter a service"},
}

// Planned are packages that rules name and that are not there yet. One that
// exists must leave this list, so that no rule is forgotten here.
var Planned = []string{
	"services/notary", "services/audit",
}

// PlannedModules are modules that rules name and that nothing requires yet.
var PlannedModules = []string{}

// binary is the program that operators run: no test code is linked into it.
const binary = "services/cmd/assenso"

// testCode are modules that only tests may reach from our own packages.
var testCode = []string{"github.com/google/go-cmp", "go.uber.org/goleak", "pgregory.net/rapid", "github.com/rogpeppe/go-internal"}

// drawers are names that say nothing of what a package does.
var drawers = []string{
	"manager", "helper", "helpers", "util", "utils", "common", "base", "core", "service", "handler",
	"impl", "data", "info", "model", "models", "entity", "dto", "misc", "shared", "lib", "tools", "types",
}
