// Package imports holds the test that keeps the house's floors: an import goes
// down, never up (CONTRIBUTING.md).
package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/boson-project/boson/"

// floors lists the packages from the ground up. A package imports from its own
// floor or below. A new package is added here first.
var floors = [][]string{
	{"pkg/gpbinary", "pkg/gpjson", "pkg/photon", "pkg/secure", "pkg/enet"},
	{"pkg/transport", "pkg/announce", "pkg/app", "pkg/auth", "pkg/client", "pkg/trace", "pkg/webcall", "pkg/webrpc"},
	{"pkg/room", "pkg/lobby", "pkg/lobby/sqlfilter", "pkg/plugin", "pkg/plugin/host", "pkg/plugin/letter", "pkg/plugin/webhooks", "pkg/plugin/wasm", "pkg/plugin/wasm/guest", "pkg/plugin/wasm/abi", "pkg/plugin/store"},
	{"pkg/s2s", "pkg/cluster", "pkg/admin"},
	{"pkg/nameserver", "pkg/master", "pkg/gameserver", "pkg/config"},
	{"pkg/daemon", "pkg/doctor", "pkg/bench", "pkg/plugin/plugintest"},
	{"cmd/nameserver", "cmd/master", "cmd/gameserver", "cmd/boson", "test/e2e", "test/e2e/dropin", "test/fuzz", "test/cluster", "test/relay"},
}

// apps may not import each other: three programs, not one.
var apps = []string{"pkg/nameserver", "pkg/master", "pkg/gameserver"}

// pure packages are state machines and codecs: no sockets, no clock, no log.
var pure = []string{"pkg/gpbinary", "pkg/gpjson", "pkg/photon", "pkg/secure", "pkg/enet", "pkg/room", "pkg/lobby", "pkg/lobby/sqlfilter"}

var impure = []string{"net", "os", "log", "github.com/rs/zerolog", "golang.org/x/net/ipv4"}

func floor(pkg string) int {
	return slices.IndexFunc(floors, func(f []string) bool { return slices.Contains(f, pkg) })
}

func TestImportsGoDown(t *testing.T) {
	root := "../.."
	seen := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(rel))
		if strings.HasPrefix(pkg, "examples/") || strings.HasPrefix(pkg, "proto") {
			return nil
		}
		own := floor(pkg)
		if own < 0 {
			t.Errorf("%s: package %s is on no floor; add it to floors", rel, pkg)
			return nil
		}
		seen++
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			if slices.Contains(pure, pkg) && slices.Contains(impure, imp) {
				t.Errorf("%s imports %s: %s is a codec or state machine", rel, imp, pkg)
			}
			inner, ours := strings.CutPrefix(imp, module)
			if !ours || strings.HasPrefix(inner, "proto") {
				continue
			}
			switch to := floor(inner); {
			case to < 0:
				t.Errorf("%s imports %s, which is on no floor", rel, inner)
			case to > own:
				t.Errorf("%s imports %s: up from floor %d to %d", rel, inner, own, to)
			case slices.Contains(apps, pkg) && slices.Contains(apps, inner):
				t.Errorf("%s imports %s: one server never imports another", rel, inner)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Fatalf("saw %d files only: is the walk broken?", seen)
	}
}

// TestOnlyConfigReadsTheEnvironment holds that flags and the environment are
// read in cmd/ and pkg/config alone.
func TestOnlyConfigReadsTheEnvironment(t *testing.T) {
	files, err := filepath.Glob("../../pkg/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.Contains(file, "/config/") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			if spec.Path.Value == `"flag"` {
				t.Errorf("%s imports flag", file)
			}
		}
	}
}
