package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Plugins configures the plugins of rooms (plugins.md 6, 15.1).
type Plugins struct {
	Enabled  bool        `yaml:"enabled" doc:"false: no room has a plugin, whatever else is set here"`
	Strict   bool        `yaml:"strict" doc:"a callback that returns without a decision fails the operation (true) or is continued with a warning (false)"`
	Dir      string      `yaml:"dir" doc:"directory of drop-in plugins (*.plugin.yaml and WebAssembly); empty: there are none"`
	CacheDir string      `yaml:"cache_dir" doc:"directory that keeps compiled drop-in plugins for the next start; empty: they are compiled at each start"`
	Apps     []PluginApp `yaml:"apps" doc:"which applications have plugins"`
	HTTP     PluginHTTP  `yaml:"http" doc:"web services that plugins may call"`
}

// PluginApp are the plugins of one application.
type PluginApp struct {
	AppID   string `yaml:"app_id" doc:"AppId, or * for all that have no entry of their own"`
	Factory string `yaml:"factory" doc:"dir: the drop-in plugins of plugins.dir; builtin:ID: those that are compiled in under that id, for example builtin:webhooks"`
	Default string `yaml:"default" doc:"plugin of rooms whose creator asks for none; empty: the factory decides"`
	// Persistent tells masters, too.
	Persistent bool `yaml:"persistent" doc:"the plugin saves rooms: clients that rejoin one that has ended are sent to a game server to load it; builtin:store and builtin:webhooks say so themselves"`
	// AsyncJoin is true when nil.
	AsyncJoin *bool             `yaml:"async_join" doc:"with persistent: plain joins load such rooms, too; true unless it is set to false"`
	Config    map[string]string `yaml:"config" doc:"keys and values for the plugins"`
}

// Loads says which joins of rooms that are not in memory may load one.
func (a *PluginApp) Loads() (onRejoin, onJoin bool) {
	return a.Persistent, a.Persistent && (a.AsyncJoin == nil || *a.AsyncJoin)
}

// PluginHTTP configures what plugins call.
type PluginHTTP struct {
	Allow             []string      `yaml:"allow" doc:"where requests may go: URL prefixes, hosts (*.example.com), host:port, or networks (10.0.0.0/8); loopback and private addresses only if they are listed"`
	MaxConcurrent     int           `yaml:"max_concurrent" doc:"requests of one application at once; each room has one at a time"`
	MaxQueued         int           `yaml:"max_queued" doc:"requests of one application that may wait (HttpQueueMaxQueuedRequests)"`
	QueueTimeout      time.Duration `yaml:"queue_timeout" doc:"how long a request may wait for its turn (HttpQueueQueueTimeout)"`
	RequestTimeout    time.Duration `yaml:"request_timeout" doc:"how long an answer may take (HttpQueueRequestTimeout)"`
	MaxErrors         int           `yaml:"max_errors" doc:"errors in a row after which requests pause (HttpQueueMaxErrors)"`
	MaxTimeouts       int           `yaml:"max_timeouts" doc:"time-outs in a row after which requests pause (HttpQueueMaxTimeouts)"`
	ReconnectInterval time.Duration `yaml:"reconnect_interval" doc:"how long they pause (HttpQueueReconnectInterval)"`
	MaxBody           int           `yaml:"max_body" doc:"bytes of an answer"`
	CA                string        `yaml:"ca" doc:"file (PEM) with certificates to trust instead of the system's"`
}

func defaultPlugins() Plugins {
	return Plugins{Enabled: true, Strict: true, HTTP: PluginHTTP{
		MaxConcurrent: 100, MaxQueued: 5000, QueueTimeout: 90 * time.Second, RequestTimeout: 30 * time.Second,
		MaxErrors: 30, MaxTimeouts: 30, ReconnectInterval: 10 * time.Second, MaxBody: 1 << 20,
	}}
}

func (p *Plugins) validate() error {
	for i, a := range p.Apps {
		if a.AppID == "" {
			return fmt.Errorf("plugins.apps[%d].app_id is empty, want an AppId or *", i)
		}
		if slices.ContainsFunc(p.Apps[:i], func(o PluginApp) bool { return o.AppID == a.AppID }) {
			return fmt.Errorf("plugins.apps[%d].app_id %q stands there twice: an application has one factory", i, a.AppID)
		}
		id, builtin := strings.CutPrefix(a.Factory, "builtin:")
		switch {
		case a.Factory == "dir" && p.Dir == "":
			return fmt.Errorf("plugins.apps[%d].factory is dir, but plugins.dir is empty", i)
		case a.Factory != "dir" && (!builtin || id == ""):
			return fmt.Errorf("plugins.apps[%d].factory is %q, want dir or builtin:ID", i, a.Factory)
		}
	}
	h := &p.HTTP
	for name, n := range map[string]int{"max_concurrent": h.MaxConcurrent, "max_queued": h.MaxQueued, "max_errors": h.MaxErrors, "max_timeouts": h.MaxTimeouts, "max_body": h.MaxBody} {
		if n < 1 {
			return fmt.Errorf("plugins.http.%s is %d, want at least 1", name, n)
		}
	}
	for name, d := range map[string]time.Duration{"queue_timeout": h.QueueTimeout, "request_timeout": h.RequestTimeout, "reconnect_interval": h.ReconnectInterval} {
		if d <= 0 {
			return fmt.Errorf("plugins.http.%s is %s, want more than 0", name, d)
		}
	}
	return nil
}
