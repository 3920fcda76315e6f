package wasm

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
)

func openDir(t *testing.T) (*Directory, string) {
	t.Helper()
	path := t.TempDir()
	d := OpenDirectory(DirectoryOptions{Path: path, CacheDir: filepath.Join(guestDir, "cache")})
	t.Cleanup(d.Close)
	return d, path
}

// drop puts a plugin into a directory, as an operator does.
func drop(t *testing.T, dir, manifest, version string, more ...string) {
	t.Helper()
	wasm := tiny{name: "Named", version: version}.file()
	write(t, filepath.Join(dir, version+".wasm"), string(wasm))
	text := fmt.Sprintf("name: Named\nversion: %s\napi: 1.0\nruntime: wasm\nfile: %s.wasm\nlimits: { memoryMiB: 32, callTimeoutMs: 30000 }\n%s", version, version, strings.Join(more, "\n"))
	write(t, filepath.Join(dir, manifest), text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, s *plugintest.Server, room string) (c *plugintest.Client, version any) {
	t.Helper()
	c = s.Client("user of " + room)
	r := c.Create(room, photon.Param(photon.ParamPlugins, []string{"Named"}))
	ok(t, r)
	return c, r.Get(photon.ParamPluginVersion)
}

// PL-132, PL-133, PL-134, PL-53, PL-55
func TestPluginsAreDroppedIn(t *testing.T) {
	d, path := openDir(t)
	s := plugintest.New(t, plugintest.Options{Factory: d})
	if r := s.Client("ann").Create("room", photon.Param(photon.ParamPlugins, []string{"Named"})); r.ReturnCode != photon.ReturnPluginMismatch {
		t.Fatalf("without a plugin: %d %s", r.ReturnCode, r.Debug)
	}
	if r := s.Client("ann").Create("room"); r.Get(photon.ParamPluginName) != "Default" {
		t.Errorf("asked for none: %v", r.Params)
	}

	drop(t, path, "a.plugin.yaml", "1.9.0")
	d.Reload()
	old, version := create(t, s, "one")
	if version != "1.9.0" {
		t.Errorf("the first room has %v", version)
	}

	// A new version, which is higher by number.
	drop(t, path, "b.plugin.yaml", "1.10.0")
	d.Reload()
	_, version = create(t, s, "two")
	if version != "1.10.0" {
		t.Errorf("the second room has %v", version)
	}
	if r := s.Client("bob").Join("one"); r.Get(photon.ParamPluginVersion) != "1.9.0" {
		t.Errorf("the old room has %v", r.Params)
	}

	// A broken file of a still higher version changes nothing, and is seen.
	write(t, filepath.Join(path, "2.0.0.wasm"), "\x00asm\x01\x00\x00\x00nonsense")
	write(t, filepath.Join(path, "c.plugin.yaml"), "name: Named\nversion: 2.0.0\napi: 1.0\nfile: 2.0.0.wasm\n")
	// And so does a broken new state of one that is in use.
	write(t, filepath.Join(path, "b.plugin.yaml"), "name: Named\nversion: 1.11.0\napi: 1.0\nfile: missing.wasm\n")
	d.Reload()
	if _, version = create(t, s, "three"); version != "1.10.0" {
		t.Errorf("the third room has %v", version)
	}
	status := d.Status()
	if len(status) != 3 || status[1].Version != "1.10.0" || !status[1].Active || status[1].Error == "" || status[1].Rooms != 2 ||
		status[2].Version != "2.0.0" || status[2].Active || status[2].Error == "" || status[0].Error != "" {
		t.Errorf("status %+v", status)
	}

	// Files that are gone: no new rooms, the old ones go on, and their module with
	// the last of them.
	for _, name := range []string{"a.plugin.yaml", "b.plugin.yaml", "c.plugin.yaml"} {
		if err := os.Remove(filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	module := d.state[filepath.Join(path, "a.plugin.yaml")].module
	d.Reload()
	if r := s.Client("eve").Create("four", photon.Param(photon.ParamPlugins, []string{"Named"})); r.ReturnCode != photon.ReturnPluginMismatch {
		t.Errorf("after the removal: %d %s", r.ReturnCode, r.Debug)
	}
	old.Raise(5, "still here")
	old.Sync()
	if !slices.ContainsFunc(d.Status(), func(s PluginStatus) bool { return s.Removed && s.Rooms == 1 && s.Version == "1.9.0" }) {
		t.Errorf("status %+v", d.Status())
	}
	select {
	case <-module.Closed():
		t.Error("the module is gone before its room")
	default:
	}
	s.Stop()
	<-module.Closed()
	if left := d.Status(); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// PL-59 and the manifest's other entries.
func TestManifests(t *testing.T) {
	good := "name: X\nversion: 1.0.0\napi: 1.0\nfile: x.wasm\n"
	for text, want := range map[string]string{
		good: "",
		"name: X\nversion: '1.0' # first\napi: \"1.0\"\nfile: x.wasm\n":                                                                        "",
		good + "hooks: [OnJoin, OnRaiseEvent]\neventCodes: [\"0-9\", \"200\"]\ninstance: shared\nlimits: { memoryMiB: 8, callTimeoutMs: 5 }\n": "",
		"name: X\nversion: 1.0.0\napi: 2.0\nfile: x.wasm\n":                                                                                    "API version 2.0",
		"name: X\nversion: 1.0.0\napi: 1.9\nfile: x.wasm\n":                                                                                    "API version 1.9",
		"name: X\nversion: 1.0.0\nfile: x.wasm\n":                                                                                              "api",
		"name: Default\nversion: 1.0.0\napi: 1.0\nfile: x.wasm\n":                                                                              "reserved",
		"name: X\nversion: 1.0.0\napi: 1.0\nfile: ../x.wasm\n":                                                                                 "file",
		"name: X\nversion: 1.0.0\napi: 1.0\nfile: /etc/passwd\n":                                                                               "file",
		"version: 1.0.0\napi: 1.0\nfile: x.wasm\n":                                                                                             "name",
		"name: X\napi: 1.0\nfile: x.wasm\n":                                                                                                    "version",
		good + "hooks: [OnNothing]\n":                                                                                                          "OnNothing",
		good + "eventCodes: [\"9-3\"]\n":                                                                                                       "9-3",
		good + "eventCodes: [\"256\"]\n":                                                                                                       "256",
		good + "instance: many\n":                                                                                                              "many",
		good + "limits: { memoryMiB: -1 }\n":                                                                                                   "memoryMiB",
		good + "limits: { callTimeoutMs: 100000 }\n":                                                                                           "callTimeoutMs",
		good + "nonsense: 1\n":                                                                                                                 "nonsense",
		good + "runtime: grpc\n":                                                                                                               "grpc",
	} {
		_, err := ParseManifest([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestVersionsAreText(t *testing.T) {
	m, err := ParseManifest([]byte("name: X\nversion: 1.10 # not 1.1\napi: 1.0\nfile: x.wasm\n"))
	if err != nil || m.Version != "1.10" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestSHA256(t *testing.T) {
	d, path := openDir(t)
	sum := sha256.Sum256(tiny{name: "Named", version: "1.0.0"}.file())
	drop(t, path, "a.plugin.yaml", "1.0.0", fmt.Sprintf("sha256: %X", sum))
	d.Reload()
	if s := d.Status(); len(s) != 1 || s[0].Error != "" {
		t.Errorf("status %+v", s)
	}
	drop(t, path, "a.plugin.yaml", "1.0.0", fmt.Sprintf("sha256: %064x", 5))
	d.Reload()
	if s := d.Status(); len(s) != 1 || !strings.Contains(s[0].Error, "SHA-256") || !s[0].Active {
		t.Errorf("status %+v", s)
	}
}

// PL-89: what the manifest leaves out does not reach the plugin.
func TestFilters(t *testing.T) {
	m := load(t, "probeguest", func(o *Options) {
		o.Filter = plugin.Filter{Hooks: plugin.HookRaiseEvent, Events: []plugin.EventRange{{From: 1, To: 30}}}
	})
	p, _ := open(t, m, nil)
	if f := p.(plugin.Filtered).Filter(); f.Hooks != plugin.HookRaiseEvent || len(f.Events) != 1 {
		t.Errorf("filter %+v", f)
	}
	if got := overlap([]plugin.EventRange{{From: 0, To: 10}, {From: 50, To: 60}}, []plugin.EventRange{{From: 5, To: 55}}); !slices.Equal(got, []plugin.EventRange{{From: 5, To: 10}, {From: 50, To: 55}}) {
		t.Errorf("overlap %v", got)
	}
}

func TestVersionsAreOrderedByNumber(t *testing.T) {
	ordered := []string{"0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-rc.2", "1.0.0-rc.11", "1.0.0", "1.2", "1.10.0", "2"}
	for i, a := range ordered {
		for j, b := range ordered {
			if c := compareVersions(a, b); (c < 0) != (i < j) || (c > 0) != (i > j) {
				t.Errorf("%s and %s: %d", a, b, c)
			}
		}
	}
	if compareVersions("1.0", "1.0.0+build5") != 0 || compareVersions("v1.0", "1.0") != 0 {
		t.Error("the same version in another form is another")
	}
}
