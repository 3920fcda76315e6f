package daemon

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/gameserver"
	"github.com/boson-project/boson/pkg/plugin"
	_ "github.com/boson-project/boson/pkg/plugin/store"    // builtin:store
	_ "github.com/boson-project/boson/pkg/plugin/webhooks" // builtin:webhooks
	"github.com/boson-project/boson/pkg/webcall"
)

// plugins are those of all applications of a game server.
type plugins struct {
	apps   map[string]*gameserver.Plugins // by AppId
	others *gameserver.Plugins            // of the entry for *
	client *webcall.Client
}

func newPlugins(cfg *config.Config, log zerolog.Logger) (*plugins, error) {
	p := &plugins{apps: map[string]*gameserver.Plugins{}}
	if !cfg.Plugins.Enabled || len(cfg.Plugins.Apps) == 0 {
		return p, nil
	}
	h := cfg.Plugins.HTTP
	opt := webcall.ClientOptions{Rules: webcall.Rules{Allow: h.Allow}, MaxBody: h.MaxBody}
	var err error
	if opt.RootCAs, err = certificates(h.CA); err != nil {
		return nil, fmt.Errorf("plugins.http.ca: %w", err)
	}
	if p.client, err = webcall.NewClient(opt); err != nil {
		return nil, fmt.Errorf("plugins.http.allow: %w", err)
	}
	for i := range cfg.Plugins.Apps {
		a := &cfg.Plugins.Apps[i]
		factory, err := p.factory(a.Factory)
		if err != nil {
			return nil, fmt.Errorf("plugins.apps[%d].factory: %w", i, err)
		}
		if c, ok := factory.(plugin.ConfigChecker); ok {
			if err := c.CheckConfig(plugin.Config(a.Config)); err != nil {
				return nil, fmt.Errorf("plugins.apps[%d].config: %w", i, err)
			}
		}
		made := &gameserver.Plugins{
			Factory: factory, Default: a.Default, Config: plugin.Config(a.Config), Strict: cfg.Plugins.Strict,
			Load: loadOf(a), Region: strings.ToLower(cfg.Cluster.Region), Cloud: cfg.Cluster.Name,
			Web: webcall.NewService(p.client, webcall.Config{
				MaxConcurrent: h.MaxConcurrent, MaxQueued: h.MaxQueued, QueueTimeout: h.QueueTimeout, RequestTimeout: h.RequestTimeout,
				MaxErrors: h.MaxErrors, MaxTimeouts: h.MaxTimeouts, ReconnectInterval: h.ReconnectInterval, Logger: log,
			}),
		}
		if a.AppID == "*" {
			p.others = made
		} else {
			p.apps[a.AppID] = made
		}
	}
	return p, nil
}

func (p *plugins) factory(name string) (plugin.Factory, error) {
	id := strings.TrimPrefix(name, "builtin:")
	f, ok := plugin.Registered(id)
	if !ok {
		return nil, fmt.Errorf("no plugin is compiled in under the id %q; there are: %s", id, strings.Join(plugin.RegisteredIDs(), ", "))
	}
	return f, nil
}

// of implements gameserver.Options.Plugins.
func (p *plugins) of(appID string) *gameserver.Plugins {
	if a := p.apps[appID]; a != nil {
		return a
	}
	return p.others
}

// close ends what is left of web calls. Rooms have ended before.
func (p *plugins) close() {
	for _, a := range p.apps {
		a.Web.Close()
	}
	if p.others != nil {
		p.others.Web.Close()
	}
	if p.client != nil {
		p.client.Close()
	}
}

func loadOf(a *config.PluginApp) gameserver.Load {
	onRejoin, onJoin := appLoads(a)
	switch {
	case onJoin:
		return gameserver.LoadJoin
	case onRejoin:
		return gameserver.LoadRejoin
	}
	return gameserver.LoadNever
}

// loads implements master.Options.Loads.
func loads(cfg config.Plugins) func(appID string) (onRejoin, onJoin bool) {
	return func(appID string) (bool, bool) {
		if !cfg.Enabled {
			return false, false
		}
		for _, id := range [...]string{appID, "*"} {
			if i := slices.IndexFunc(cfg.Apps, func(a config.PluginApp) bool { return a.AppID == id }); i >= 0 {
				return appLoads(&cfg.Apps[i])
			}
		}
		return false, false
	}
}

// appLoads says which joins may load a room: as the configuration says, and as
// the compiled-in plugin itself does.
func appLoads(a *config.PluginApp) (onRejoin, onJoin bool) {
	onRejoin, onJoin = a.Loads()
	f, _ := plugin.Registered(strings.TrimPrefix(a.Factory, "builtin:"))
	if l, ok := f.(plugin.Loader); ok {
		rejoin, join := l.Loads(plugin.Config(a.Config))
		onRejoin, onJoin = onRejoin || rejoin, onJoin || join
	}
	return onRejoin, onJoin
}
