package gameserver

import (
	"errors"
	"math"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/host"
	"github.com/boson-project/boson/pkg/room"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
	"github.com/boson-project/boson/pkg/webcall"
)

// Plugins are the plugins of one application's rooms.
type Plugins struct {
	Factory plugin.Factory
	// Default is the plugin of rooms whose creator names none; "" leaves it to
	// the factory.
	Default string
	Config  plugin.Config
	// Strict is the mode of plugins that don't decide it for themselves.
	Strict bool
	// Load says which joins of rooms that are not in memory the plugin is asked about.
	Load Load
	// Web is the way of the application's plugins to web services; nil: there is none.
	Web *webcall.Service
	// Region, Cloud and Extra are what Host.Environment says beside the application.
	Region, Cloud string
	Extra         map[string]string
}

// Load says which joins of rooms that are not in memory may bring a saved room
// back (loadbalancing-operations.md 3.7).
type Load byte

// The choices.
const (
	LoadNever  Load = iota
	LoadRejoin      // join modes 2 and 3
	LoadJoin        // plain joins, too (AsyncJoin)
)

// allows says whether a join of that mode, which does not create, may load.
func (l Load) allows(mode photon.JoinMode) bool {
	switch mode {
	case photon.JoinOrRejoin, photon.RejoinOnly:
		return l >= LoadRejoin
	case photon.JoinDefault:
		return l >= LoadJoin
	}
	return false
}

// plugins are those of a client's application; nil is none.
func (s *Server) plugins(t *secure.Token) *Plugins {
	if s.opt.Plugins == nil {
		return nil
	}
	return s.opt.Plugins(t.AppID)
}

// newRoom makes the room that a client is about to create, with its plugin. The
// error is the client's answer.
func (g *game) newRoom(m *message, id room.ID) (*room.Room, error) {
	cfg := g.server.opt.Room
	cfg.MaxPlayers = int32(min(g.server.opt.Auth.Limits(m.peer.token.AppID).MaxPlayers, math.MaxInt32))
	h, err := g.newHost(m, &cfg)
	if err != nil {
		return nil, err
	}
	r := room.New(cfg, id)
	if h != nil {
		h.Attach(r)
		g.host.Store(h)
	}
	return r, nil
}

func (g *game) newHost(m *message, cfg *room.Config) (*host.Host, error) {
	s, p := g.server, m.peer
	plugins := s.plugins(p.token)
	if plugins == nil {
		return nil, nil
	}
	name := plugins.Default
	demanded, demands, err := m.request.Strings(photon.ParamPlugins)
	switch {
	case err != nil:
		return nil, err
	case len(demanded) > 1:
		return nil, nil // the room refuses it
	case demands && len(demanded) == 1:
		name = demanded[0]
	}
	opt := host.Options{
		GameID: g.key.name, Strict: plugins.Strict, Counters: &s.PluginCounters, Logger: s.log, Now: s.now,
		Environment: plugin.Environment{
			AppID: p.token.AppID, AppVersion: p.token.AppVersion, Region: plugins.Region, Cloud: plugins.Cloud, Extra: plugins.Extra,
		},
		Post:       func(f func()) bool { return g.fiber.PostAlways(message{kind: call, run: f}) },
		AuthCookie: func(to room.Sink) []byte { return to.(sink).token.AuthCookie },
	}
	if plugins.Web != nil {
		opt.Lane = plugins.Web.Lane
	}
	h := host.New(opt)
	made, err := h.Open(plugins.Factory, name, plugins.Config)
	if err != nil {
		h.Abandon()
	}
	switch {
	case errors.Is(err, host.ErrMismatch):
		return nil, app.Fail(photon.ReturnPluginMismatch, err.Error())
	case err != nil:
		s.log.Warn().Err(err).Str("app", appName(g.key.app)).Str("room", g.key.name).Str("plugin", name).Msg("room has no plugin and is refused")
		return nil, app.Fail(photon.ReturnPluginReportedError, err.Error())
	}
	if _, none := made.(plugin.Default); none {
		h.Abandon()
		return nil, nil
	}
	cfg.Plugin, cfg.PluginVersion = made.Name(), made.Version()
	if p, ok := made.(plugin.Persistent); ok {
		cfg.Persistent = p.IsPersistent()
	}
	return h, nil
}

// leaveReason is why a connection's actor leaves, as plugins see it.
func leaveReason(r transport.Reason) photon.LeaveReason {
	switch r {
	case transport.ReasonClientTimeout:
		return photon.ClientTimeoutDisconnect
	case transport.ReasonTimeout:
		return photon.TimeoutDisconnect
	case transport.ReasonServerDisconnect, transport.ReasonUserLimit, transport.ReasonSendQueueFull,
		transport.ReasonRateLimit, transport.ReasonManaged:
		return photon.ManagedDisconnect
	case transport.ReasonShutdown, transport.ReasonProtocolError, transport.ReasonMessageTooBig, transport.ReasonInitTimeout:
		return photon.ServerDisconnect
	}
	return photon.ClientDisconnect
}
