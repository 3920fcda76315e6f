package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/admin"
	"github.com/boson-project/boson/pkg/config"
	adminv1 "github.com/boson-project/boson/proto/admin/v1"
)

// PL-132: the factory "dir", and what operators see of it. testdata/named.wasm is
// a plugin in 203 bytes that calls itself Named and decides nothing.
func TestDropInPlugins(t *testing.T) {
	cfg := config.Default()
	cfg.Plugins.Dir, cfg.Plugins.CacheDir = t.TempDir(), t.TempDir()
	cfg.Plugins.Apps = []config.PluginApp{{AppID: "a", Factory: "dir"}, {AppID: "*", Factory: "dir"}}
	p, err := newPlugins(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if p.of("a").Factory != p.of("b").Factory {
		t.Error("two applications have two directories")
	}
	b := backend{&operated{nodes: []measured{&gameServerNode{plugins: p}}}}
	list := func(reload bool, want int) []*adminv1.Plugin {
		t.Helper()
		got, err := b.Plugins(reload)
		if err != nil || len(got) != want {
			t.Fatalf("got %v, %v, want %d plugins", got, err, want)
		}
		return got
	}
	list(true, 0)

	put(t, cfg.Plugins.Dir, "named", "named.wasm")
	if got := list(true, 1)[0]; got.Name != "Named" || got.Version != "1.0.0" || got.Manifest != "named.plugin.yaml" || !got.Active || got.Error != "" {
		t.Errorf("got %v", got)
	}
	put(t, cfg.Plugins.Dir, "other", "missing.wasm")
	list(true, 2)
	var broken *adminv1.Plugin
	for _, l := range list(false, 2) {
		if l.Manifest == "other.plugin.yaml" {
			broken = l
		}
	}
	if broken == nil || broken.Active || !strings.Contains(broken.Error, "missing.wasm") || p.loadFailures() != 1 {
		t.Errorf("got %v, %v failures", broken, p.loadFailures())
	}
	if kept, err := os.ReadDir(cfg.Plugins.CacheDir); err != nil || len(kept) == 0 {
		t.Errorf("nothing is kept in plugins.cache_dir: %v, %v", kept, err)
	}
}

// put writes a manifest, and the file that it names if that is there.
func put(t *testing.T, dir, name, file string) {
	t.Helper()
	if wasm, err := os.ReadFile(filepath.Join("testdata", file)); err == nil {
		if err := os.WriteFile(filepath.Join(dir, file), wasm, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	manifest := "name: Named\nversion: 1.0.0\napi: 1.0\nfile: " + file + "\n"
	if err := os.WriteFile(filepath.Join(dir, name+".plugin.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNoDropInPlugins(t *testing.T) {
	cfg := config.Default()
	cfg.Plugins.Dir = filepath.Join(t.TempDir(), "missing")
	cfg.Plugins.Apps = []config.PluginApp{{AppID: "a", Factory: "dir"}}
	if _, err := newPlugins(cfg, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "plugins.dir") {
		t.Errorf("a missing directory: %v", err)
	}
	cfg.Plugins.Apps = nil
	p, err := newPlugins(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if _, err := (backend{&operated{nodes: []measured{&gameServerNode{plugins: p}}}}).Plugins(true); !errors.Is(err, errNoPlugins) {
		t.Errorf("without a directory: %v", err)
	}
	if _, err := (backend{&operated{}}).Plugins(true); !errors.Is(err, admin.ErrNotGameServer) {
		t.Errorf("on a master: %v", err)
	}
}
