package crdbgrammar

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	crdb "github.com/cockroachdb/cockroachdb-parser/pkg/sql/parser"
)

// folders hold the packages that speak to CockroachDB; each must hold at least
// so many statements, or the test looks at the wrong place.
var folders = map[string]int{
	"../../services/view/crdbview":   60,
	"../../services/vault/crdbvault": 15,
	"../../services/crdb/pgtx":       3,
}

// onlyPostgres are statements that are never sent to CockroachDB.
var onlyPostgres = map[string]bool{"sqlSession": true}

// verb begins a statement.
var verb = regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE|UPSERT|WITH|CREATE|ALTER|DROP|TRUNCATE|SET|BEGIN|COMMIT)\s`)

// statements are the constants of a package that are SQL, by name. A statement
// outside a constant is a fault: nothing would parse it.
type statements struct {
	byName map[string]string
	exprs  map[string]ast.Expr
	faults []string
}

// text evaluates a constant of literals, sums and other constants.
func (s *statements) text(e ast.Expr) (string, error) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", fmt.Errorf("%s is no string", e.Value)
		}
		return strconv.Unquote(e.Value)
	case *ast.Ident:
		if of, ok := s.exprs[e.Name]; ok {
			return s.text(of)
		}
		return "", fmt.Errorf("%s is no constant of the package", e.Name)
	case *ast.BinaryExpr:
		left, err := s.text(e.X)
		if err != nil {
			return "", err
		}
		right, err := s.text(e.Y)
		return left + right, err
	}
	return "", fmt.Errorf("%T cannot be evaluated", e)
}

// read collects the statements of the files of a package.
func read(fset *token.FileSet, files []*ast.File) *statements {
	s := &statements{byName: map[string]string{}, exprs: map[string]ast.Expr{}}
	inConst := map[ast.Node]bool{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
				for _, spec := range d.Specs {
					v := spec.(*ast.ValueSpec)
					for i, name := range v.Names {
						if i < len(v.Values) {
							s.exprs[name.Name] = v.Values[i]
							ast.Inspect(v.Values[i], func(n ast.Node) bool { inConst[n] = true; return true })
						}
					}
				}
			}
			return true
		})
	}
	for name, e := range s.exprs {
		if text, err := s.text(e); err == nil && verb.MatchString(text) {
			s.byName[name] = text
		}
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && !inConst[lit] {
				if text, err := strconv.Unquote(lit.Value); err == nil && verb.MatchString(text) {
					s.faults = append(s.faults, fmt.Sprintf("%s: SQL outside a constant: nothing checks it", fset.Position(lit.Pos())))
				}
			}
			return true
		})
	}
	return s
}

func parseFolder(t *testing.T, folder string) *statements {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return read(fset, files)
}

func TestEveryStatement(t *testing.T) {
	for folder, least := range folders {
		s := parseFolder(t, folder)
		for _, fault := range s.faults {
			t.Error(fault)
		}
		if len(s.byName) < least {
			t.Errorf("%s: %d statements, want at least %d", folder, len(s.byName), least)
		}
		for name, text := range s.byName {
			if onlyPostgres[name] {
				continue
			}
			if parsed, err := crdb.Parse(text); err != nil || len(parsed) != 1 {
				t.Errorf("%s: %s: %d statements, %v", folder, name, len(parsed), err)
			}
		}
	}
}

func TestEveryMigration(t *testing.T) {
	for folder := range folders {
		paths, err := filepath.Glob(filepath.Join(folder, "migrations", "*.sql"))
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) == 0 && !strings.HasSuffix(folder, "pgtx") {
			t.Errorf("%s has no migrations", folder)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := crdb.Parse(string(text))
			if err != nil || len(parsed) < 5 {
				t.Errorf("%s: %d statements, %v", path, len(parsed), err)
			}
			for _, fault := range hotKeys(string(text)) {
				t.Errorf("%s: %s", path, fault)
			}
		}
	}
}

var (
	serial  = regexp.MustCompile(`(?i)\b(SERIAL|BIGSERIAL|GENERATED|NEXTVAL|AUTO_INCREMENT|CREATE\s+SEQUENCE)\b`)
	tables  = regexp.MustCompile(`(?is)CREATE TABLE (\w+) \((.*?)\n\);`)
	key     = regexp.MustCompile(`(?i)PRIMARY KEY \((\w+)|(\w+)\s+\w+\s+NOT NULL PRIMARY KEY`)
	sequent = regexp.MustCompile(`^(sequence|first|last|seq|id_seq|at_us|recorded_us|.*_us)$`)
)

// hotKeys finds keys that grow with time: CockroachDB would put every new row
// into the same range.
func hotKeys(text string) []string {
	var faults []string
	if serial.MatchString(text) {
		faults = append(faults, "a key is drawn from a sequence")
	}
	for _, table := range tables.FindAllStringSubmatch(text, -1) {
		found := key.FindStringSubmatch(table[2])
		if found == nil {
			faults = append(faults, table[1]+" has no primary key")
			continue
		}
		if first := found[1] + found[2]; sequent.MatchString(first) {
			faults = append(faults, fmt.Sprintf("the key of %s begins with %s, which grows with time", table[1], first))
		}
	}
	return faults
}

// The checks above find what they are there for.
func TestFaultsAreFound(t *testing.T) {
	for text, want := range map[string]bool{
		"CREATE TABLE a (\n    contact BYTEA NOT NULL,\n    sequence BIGINT NOT NULL,\n    PRIMARY KEY (contact, sequence)\n);": false,
		"CREATE TABLE a (\n    sequence BIGINT NOT NULL,\n    PRIMARY KEY (sequence)\n);":                                       true,
		"CREATE TABLE a (\n    id BIGSERIAL PRIMARY KEY\n);":                                                                    true,
		"CREATE TABLE a (\n    contact BYTEA NOT NULL\n);":                                                                      true,
	} {
		if got := len(hotKeys(text)) > 0; got != want {
			t.Errorf("%s: fault %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"SELECT FROM WHERE", "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE x = 1", "SELECT ? FROM t"} {
		if _, err := crdb.Parse(text); err == nil {
			t.Errorf("%s: accepted", text)
		}
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "a.go", "package a\nconst c = `a, b`\nconst q = `SELECT ` + c + ` FROM t`\nfunc f() { g(`DELETE FROM t`) }\n", 0)
	if err != nil {
		t.Fatal(err)
	}
	s := read(fset, []*ast.File{f})
	if len(s.faults) != 1 || s.byName["q"] != "SELECT a, b FROM t" {
		t.Errorf("faults %v, statements %v", s.faults, s.byName)
	}
}
