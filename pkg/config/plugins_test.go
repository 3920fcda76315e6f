package config

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// loadFile loads a configuration file with that text.
func loadFile(t *testing.T, text string, args ...string) (*Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "boson.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load("test", append([]string{"--config", file}, args...), noEnv, nil, nil)
}

// PL-61, PL-63: keys and values reach the plugins as they stand there.
func TestPlugins(t *testing.T) {
	cfg, err := loadFile(t, `
plugins:
  strict: false
  apps:
  - app_id: "*"
    factory: builtin:chatfilter
    default: ChatFilter
    config:
      words: "darn, heck"
      Any Key: " kept as it is "
      number: "007"
      empty: ""
  - app_id: other
    factory: builtin:webhooks
    persistent: true
    async_join: false
  - app_id: third
    factory: builtin:webhooks
    persistent: true
`)
	if err != nil {
		t.Fatal(err)
	}
	p := cfg.Plugins
	if !p.Enabled || p.Strict || len(p.Apps) != 3 || p.HTTP.RequestTimeout != 30*time.Second {
		t.Errorf("got %+v", p)
	}
	want := map[string]string{"words": "darn, heck", "Any Key": " kept as it is ", "number": "007", "empty": ""}
	if a := p.Apps[0]; a.Factory != "builtin:chatfilter" || a.Default != "ChatFilter" || !maps.Equal(a.Config, want) {
		t.Errorf("got %+v", a)
	}
	for i, want := range [][2]bool{{false, false}, {true, false}, {true, true}} {
		if onRejoin, onJoin := p.Apps[i].Loads(); [2]bool{onRejoin, onJoin} != want {
			t.Errorf("application %d: loads on rejoin %v, on join %v", i, onRejoin, onJoin)
		}
	}
	cfg, err = loadFile(t, "plugins: {enabled: false}\n")
	if err != nil || cfg.Plugins.Enabled {
		t.Errorf("enabled: false: %+v, %v", cfg, err)
	}
}

// PL-62: an application has one factory. Other mistakes stop the start, too.
func TestPluginMistakes(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"two factories", "apps: [{app_id: a, factory: \"builtin:x\"}, {app_id: b, factory: \"builtin:x\"}, {app_id: a, factory: \"builtin:y\"}]", []string{"plugins.apps[2].app_id", `"a"`, "twice"}},
		{"two for all", "apps: [{app_id: \"*\", factory: \"builtin:x\"}, {app_id: \"*\", factory: \"builtin:y\"}]", []string{"plugins.apps[1].app_id", "twice"}},
		{"no application", "apps: [{factory: \"builtin:x\"}]", []string{"plugins.apps[0].app_id"}},
		{"no factory", "apps: [{app_id: a}]", []string{"plugins.apps[0].factory", "builtin:ID"}},
		{"no id", "apps: [{app_id: a, factory: \"builtin:\"}]", []string{"plugins.apps[0].factory"}},
		{"another kind of factory", "apps: [{app_id: a, factory: \"MyGame.PluginFactory\"}]", []string{"plugins.apps[0].factory", "MyGame"}},
		{"no directory", "apps: [{app_id: a, factory: dir}]", []string{"plugins.apps[0].factory", "plugins.dir"}},
		{"unknown key", "apps: [{app_id: a, factory: \"builtin:x\", conifg: {}}]", []string{"conifg"}},
		{"no concurrency", "http: {max_concurrent: 0}", []string{"plugins.http.max_concurrent"}},
		{"no time", "http: {request_timeout: 0s}", []string{"plugins.http.request_timeout"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadFile(t, "plugins: {"+tt.text+"}\n")
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not mention %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}
