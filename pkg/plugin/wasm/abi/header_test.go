package abi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The header for plugins in C has all numbers that abi.go has, under their names in
// the manner of C.
func TestHeader(t *testing.T) {
	text, err := os.ReadFile("../../../../examples/plugin-c/boson.h")
	if err != nil {
		t.Fatal(err)
	}
	header := enums(t, string(text))
	file, err := parser.ParseFile(token.NewFileSet(), "abi.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{} // by type
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		typ, ok := spec.Type.(*ast.Ident)
		if !ok || typ.Name != "Op" && typ.Name != "Hook" && typ.Name != "Action" {
			return true
		}
		seen[typ.Name]++
		name := cName(spec.Names[0].Name)
		want := number(t, spec.Values[0])
		if got, ok := header[name]; !ok || got != want {
			t.Errorf("%s is %d, there: %v; want %d", name, got, ok, want)
		}
		delete(header, name)
		return true
	})
	if len(seen) != 3 || seen["Op"] < 20 {
		t.Errorf("abi.go has %v: is this test blind?", seen)
	}
	for name, v := range header {
		t.Errorf("%s, %d, is not in abi.go", name, v)
	}
}

var (
	enum    = regexp.MustCompile(`(?s)enum \{(.*?)\};`)
	comment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	hump    = regexp.MustCompile(`([a-z])([A-Z])`)
)

// enums reads the enumerations of a header.
func enums(t *testing.T, text string) map[string]int {
	all := map[string]int{}
	for _, body := range enum.FindAllStringSubmatch(comment.ReplaceAllString(text, ""), -1) {
		next := 0
		for _, entry := range strings.Split(body[1], ",") {
			name, value, ok := strings.Cut(entry, "=")
			if ok {
				var err error
				if next, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
					t.Fatal(err)
				}
			}
			all[strings.TrimSpace(name)] = next
			next++
		}
	}
	return all
}

func cName(name string) string { return strings.ToUpper(hump.ReplaceAllString(name, "${1}_$2")) }

func number(t *testing.T, e ast.Expr) int {
	text, negative := "", 1
	if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.SUB {
		e, negative = u.X, -1
	}
	if lit, ok := e.(*ast.BasicLit); ok {
		text = lit.Value
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return negative * n
}
