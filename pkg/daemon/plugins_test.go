package daemon

import (
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/plugin"
)

// strictFactory wants a setting.
type strictFactory struct{ plugin.Factory }

func (strictFactory) CheckConfig(c plugin.Config) error {
	if c["secret"] == "" {
		return errors.New("secret is missing")
	}
	return nil
}

func init() { plugin.Register("daemon_test", strictFactory{}) }

// PL-61, PL-63: which application has which plugins.
func TestPluginsOfApplications(t *testing.T) {
	app := func(id, secret string) config.PluginApp {
		return config.PluginApp{AppID: id, Factory: "builtin:daemon_test", Config: map[string]string{"secret": secret}}
	}
	cfg := config.Default()
	cfg.Plugins.Apps = []config.PluginApp{app("a", "1"), app("*", "2")}
	p, err := newPlugins(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for id, want := range map[string]string{"a": "1", "b": "2"} {
		if got := p.of(id); got == nil || got.Config["secret"] != want || !got.Strict {
			t.Errorf("%s has %+v", id, got)
		}
	}
	cfg.Plugins.Enabled = false
	p, err = newPlugins(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if got := p.of("a"); got != nil {
		t.Errorf("plugins are off, and a has %+v", got)
	}
	cfg.Plugins = config.Default().Plugins
	cfg.Plugins.Apps = []config.PluginApp{app("a", "1")}
	p, err = newPlugins(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if got := p.of("b"); got != nil {
		t.Errorf("b has %+v", got)
	}
}

// Mistakes that only the plugins know keep the server from starting, with one line.
func TestPluginMistakes(t *testing.T) {
	for _, tt := range []struct {
		app  config.PluginApp
		want []string
	}{
		{config.PluginApp{AppID: "a", Factory: "builtin:NoSuch"}, []string{"plugins.apps[0].factory", "NoSuch", "daemon_test"}},
		{config.PluginApp{AppID: "a", Factory: "builtin:daemon_test"}, []string{"plugins.apps[0].config", "secret"}},
	} {
		cfg := config.Default()
		cfg.Plugins.Apps = []config.PluginApp{tt.app}
		_, err := newPlugins(cfg, zerolog.Nop())
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Fatalf("got %v, want one line", err)
		}
		for _, w := range tt.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q does not mention %q", err, w)
			}
		}
	}
}
