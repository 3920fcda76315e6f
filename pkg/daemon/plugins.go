package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/gameserver"
	"github.com/boson-project/boson/pkg/plugin"
	_ "github.com/boson-project/boson/pkg/plugin/store" // builtin:store
	"github.com/boson-project/boson/pkg/plugin/wasm"
	_ "github.com/boson-project/boson/pkg/plugin/webhooks" // builtin:webhooks
	"github.com/boson-project/boson/pkg/webcall"
	adminv1 "github.com/boson-project/boson/proto/admin/v1"
)

// plugins are those of all applications of a game server.
type plugins struct {
	apps   map[string]*gameserver.Plugins // by AppId
	others *gameserver.Plugins            // of the entry for *
	client *webcall.Client
	dir    *wasm.Directory // nil if no application uses drop-in plugins
	log    zerolog.Logger
}

func newPlugins(cfg *config.Config, log zerolog.Logger) (*plugins, error) {
	p := &plugins{apps: map[string]*gameserver.Plugins{}, log: log}
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
		factory, err := p.factory(a.Factory, &cfg.Plugins)
		if err != nil {
			p.close()
			return nil, fmt.Errorf("plugins.apps[%d].factory: %w", i, err)
		}
		if c, ok := factory.(plugin.ConfigChecker); ok {
			if err := c.CheckConfig(plugin.Config(a.Config)); err != nil {
				p.close()
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
		log.Info().Str("app", a.AppID).Str("factory", a.Factory).Str("default", a.Default).Msg("rooms have plugins")
		if a.AppID == "*" {
			p.others = made
		} else {
			p.apps[a.AppID] = made
		}
	}
	return p, nil
}

// errNoPlugins says that operators ask for what is not configured.
var errNoPlugins = errors.New("this process has no drop-in plugins (plugins.dir)")

func (p *plugins) factory(name string, cfg *config.Plugins) (plugin.Factory, error) {
	if name == "dir" {
		if p.dir == nil {
			if info, err := os.Stat(cfg.Dir); err != nil {
				return nil, fmt.Errorf("plugins.dir: %w", err)
			} else if !info.IsDir() {
				return nil, fmt.Errorf("plugins.dir: %s is no directory", cfg.Dir)
			}
			p.dir = wasm.OpenDirectory(wasm.DirectoryOptions{Path: cfg.Dir, CacheDir: cfg.CacheDir, Log: slog.New(zerolog.NewSlogHandler(p.log))})
		}
		return p.dir, nil
	}
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
	if p.dir != nil {
		p.dir.Close()
	}
}

// loadFailures counts what could not be loaded of the drop-in plugins.
func (p *plugins) loadFailures() float64 {
	if p.dir == nil {
		return 0
	}
	return float64(p.dir.Failures())
}

// list is what operators see of the drop-in plugins.
func (p *plugins) list(reload bool) ([]*adminv1.Plugin, error) {
	if p.dir == nil {
		return nil, errNoPlugins
	}
	if reload {
		p.dir.Reload()
	}
	var list []*adminv1.Plugin
	for _, s := range p.dir.Status() {
		list = append(list, &adminv1.Plugin{
			Name: s.Name, Version: s.Version, Manifest: s.Manifest, Active: s.Active, Removed: s.Removed, Rooms: int64(s.Rooms), Error: s.Error,
		})
	}
	return list, nil
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
