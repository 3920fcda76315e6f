package matchtimer

import (
	"time"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
)

// Name is what clients ask for by RoomOptions.Plugins.
const Name = "MatchTimer"

// Codes of the room's events.
const (
	EvWaiting   = 20
	EvCountdown = 21
	EvStarted   = 22
	EvEnded     = 23
)

// KeyPhase is the room property that says how the match stands.
const KeyPhase = "phase"

// The phases.
const (
	Waiting   = "waiting"
	Countdown = "countdown"
	Running   = "running"
	Over      = "over"
)

func init() { plugin.Register("matchtimer", Factory{}) }

// Factory makes the plugins of rooms.
type Factory struct{}

// Create implements plugin.Factory.
func (Factory) Create(host plugin.Host, _ string, config plugin.Config) (plugin.Plugin, error) {
	r, err := parse(config)
	if err != nil {
		return nil, err
	}
	return &match{Base: plugin.Base{Host: host}, rules: r, seen: map[int32]time.Time{}}, nil
}

// CheckConfig implements plugin.ConfigChecker.
func (Factory) CheckConfig(config plugin.Config) error {
	_, err := parse(config)
	return err
}

// rules are the configuration.
type rules struct {
	players                 int
	countdown, length, idle time.Duration
}

func parse(c plugin.Config) (r rules, err error) {
	if r.players, err = c.Int("players", 2, 1); err != nil {
		return r, err
	}
	if r.countdown, err = c.Duration("countdown", 5*time.Second); err != nil {
		return r, err
	}
	if r.length, err = c.Duration("length", 3*time.Minute); err != nil {
		return r, err
	}
	r.idle, err = c.Duration("idle", 30*time.Second)
	return r, err
}

// match is the plugin of one room.
type match struct {
	plugin.Base
	rules rules
	phase string
	clock *plugin.Timer // of the phase
	watch *plugin.Timer // for idle players
	seen  map[int32]time.Time
}

// Name implements plugin.Plugin.
func (*match) Name() string { return Name }

// Version implements plugin.Plugin.
func (*match) Version() string { return "1.0" }

// Filter implements plugin.Filtered.
func (m *match) Filter() plugin.Filter {
	hooks := plugin.HookCreateGame | plugin.HookJoin | plugin.HookLeave
	if m.rules.idle > 0 {
		hooks |= plugin.HookRaiseEvent
	}
	return plugin.Filter{Hooks: hooks}
}

// OnCreateGame implements plugin.Plugin.
func (m *match) OnCreateGame(c *plugin.CreateGameCall) {
	if c.Continue() == nil {
		m.wait()
	}
}

// OnJoin implements plugin.Plugin.
func (m *match) OnJoin(c *plugin.JoinCall) {
	if c.Continue() != nil {
		return
	}
	m.seen[c.ActorNr] = time.Now()
	if m.phase == Waiting {
		m.wait()
	}
}

// OnLeave implements plugin.Plugin.
func (m *match) OnLeave(c *plugin.LeaveCall) {
	_ = c.Continue()
	delete(m.seen, c.ActorNr)
	if m.phase == Waiting || m.phase == Countdown {
		m.wait()
	}
}

// OnRaiseEvent implements plugin.Plugin.
func (m *match) OnRaiseEvent(c *plugin.RaiseEventCall) {
	m.seen[c.ActorNr] = time.Now()
	_ = c.Continue()
}

// wait is for enough players.
func (m *match) wait() {
	missing := m.rules.players - len(m.Host.ActiveActors())
	switch {
	case missing > 0:
		m.enter(Waiting, nil)
		m.tell(EvWaiting, int32(missing))
	case m.phase != Countdown:
		m.enter(Countdown, nil)
		m.count(m.rules.countdown)
	}
}

// count tells how much is left, each second, and starts the match.
func (m *match) count(left time.Duration) {
	if left <= 0 {
		m.start()
		return
	}
	m.tell(EvCountdown, seconds(left))
	step := min(left, time.Second)
	m.clock = m.Host.AfterFunc(step, func() { m.count(left - step) })
}

func (m *match) start() {
	m.enter(Running, plugin.NewTable(plugin.Pair{Key: photon.PropIsOpen, Value: false}))
	m.tell(EvStarted, seconds(m.rules.length))
	m.clock = m.Host.AfterFunc(m.rules.length, m.end)
	if m.rules.idle > 0 {
		now := time.Now()
		for _, a := range m.Host.ActiveActors() {
			m.seen[a.ActorNr] = now
		}
		m.watch = m.Host.Every(time.Second, time.Second, m.kickIdle)
	}
}

func (m *match) kickIdle() {
	for _, a := range m.Host.ActiveActors() {
		if time.Since(m.seen[a.ActorNr]) >= m.rules.idle {
			m.Host.RemoveActor(a.ActorNr, plugin.Kick, "you did nothing for "+m.rules.idle.String())
		}
	}
}

func (m *match) end() {
	m.enter(Over, nil)
	m.watch.Stop()
	m.tell(EvEnded, nil)
}

// enter makes a phase the room's, with further properties, and ends the clock of
// the one before.
func (m *match) enter(phase string, more *plugin.Table) {
	m.clock.Stop()
	if m.phase == phase {
		return
	}
	m.phase = phase
	t := more.Clone()
	t.Set(KeyPhase, phase)
	if _, err := m.Host.SetProperties(0, t, plugin.SetOptions{Broadcast: true}); err != nil {
		m.Host.Logger().Error("phase was not set", "phase", phase, "error", err)
	}
}

func (m *match) tell(code byte, data any) {
	if err := m.BroadcastToAll(code, data); err != nil {
		m.Host.Logger().Error("event was not sent", "code", code, "error", err)
	}
}

// seconds rounds up: what is left is never 0.
func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }
