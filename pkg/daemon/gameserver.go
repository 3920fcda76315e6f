package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/admin"
	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/cluster"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/gameserver"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/plugin/letter"
	"github.com/boson-project/boson/pkg/plugin/store"
	"github.com/boson-project/boson/pkg/room"
	"github.com/boson-project/boson/pkg/s2s"
	"github.com/boson-project/boson/pkg/webrpc"
)

type gameServerNode struct {
	*app.Server
	cfg       *config.Config
	log       zerolog.Logger
	game      *gameserver.Server
	publisher *s2s.Publisher
	rpc       *webrpc.Service // nil: not configured
	plugins   *plugins
	id        string
	key       []byte
	started   time.Time
	set       announce.Set
	meter     *cluster.LoadMeter
	// masterAddresses are the S2S addresses of the masters where gossip is off.
	masterAddresses func() []string

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	masters map[string]*masterLink // by S2S address
	level   cluster.Level
}

// masterLink is the link to one master.
type masterLink struct {
	id       string // as gossip tells it; "" from a list
	outbound *s2s.Outbound
	cancel   context.CancelFunc
}

// NewGameServer makes the game server of a configuration.
func NewGameServer(cfg *config.Config, log zerolog.Logger) (Node, error) {
	n, err := newGameServer(cfg, log)
	if err != nil {
		return nil, err
	}
	return &operated{cfg: cfg, log: n.log, nodes: []measured{n}}, nil
}

func newGameServer(cfg *config.Config, log zerolog.Logger) (*gameServerNode, error) {
	log = log.With().Str("server", "gameserver").Logger()
	a, err := authenticator(cfg)
	if err != nil {
		return nil, err
	}
	key, err := subkey(cfg.Cluster, "s2s")
	if err != nil {
		return nil, err
	}
	n := &gameServerNode{
		cfg: cfg, log: log, id: nodeID(cfg.Cluster, "gameserver"), key: key, started: time.Now(),
		masters: map[string]*masterLink{},
		meter:   cluster.NewLoadMeter(cluster.LoadConfig{PeerLimit: cfg.GameServer.MaxPeers, NICMbit: cfg.GameServer.NICMbit}),
	}
	n.masterAddresses = func() []string { return cfg.Cluster.Masters }
	n.publisher = s2s.NewPublisher(func(r *lobby.Record, err error) {
		log.Warn().Err(err).Str("room", r.Name).Msg("room can't be published to masters")
	})
	if n.rpc, err = webRPC(cfg, log); err != nil {
		return nil, err
	}
	if n.plugins, err = newPlugins(cfg, log); err != nil {
		return nil, err
	}
	n.game = gameserver.New(gameserver.Options{
		WebRPC: n.rpc, Auth: a, Directory: n, Tokenless: cfg.Apps.Tokenless, AuthTimeout: cfg.Limits.AuthTimeout,
		TokenLife: cfg.Apps.TokenLife, MaxRooms: cfg.GameServer.MaxRooms, Logger: log,
		Room: room.Config{MaxEmptyRoomTTL: cfg.Apps.MaxEmptyRoomTTL}, Plugins: n.plugins.of,
	})
	n.Server, err = appServer("gameserver", cfg, cfg.GameServer.Listen, nil, log, n.game)
	return n, err
}

// Upsert implements gameserver.Directory.
func (n *gameServerNode) Upsert(r *lobby.Record) { n.publisher.Upsert(*r) }

// Remove implements gameserver.Directory.
func (n *gameServerNode) Remove(appKey, name string) { n.publisher.Remove(appKey, name) }

// placementTimeout bounds the wait for a master's answer (cluster.md 14).
const placementTimeout = 500 * time.Millisecond

// RequestPlacement implements gameserver.Directory. Any master may answer; the
// name's owner has the least to ask of others.
func (n *gameServerNode) RequestPlacement(appKey, name string, done func(gameserver.Reserve)) {
	n.mu.Lock()
	links, ids := map[string]*s2s.Link{}, make([]string, 0, len(n.masters))
	for _, m := range n.masters {
		if l := m.outbound.Link(); l != nil {
			links[l.Peer().ID] = l
			ids = append(ids, l.Peer().ID)
		}
	}
	n.mu.Unlock()
	link := links[cluster.Owner(ids, s2s.RoomKey(appKey, name))]
	if link == nil {
		done(gameserver.Refused)
		return
	}
	n.running.Go(func() {
		ctx, cancel := context.WithTimeout(n.ctx, placementTimeout)
		defer cancel()
		// The master must hear of the end of the old room of this name first.
		select {
		case <-n.publisher.Flushed(link):
		case <-ctx.Done():
		}
		resp, err := link.Request(ctx, s2s.OpRequestPlacement, s2s.PlacementParams(appKey, name))
		switch {
		case err != nil:
			done(gameserver.Refused)
		case resp.ReturnCode == s2s.ReserveOk:
			done(gameserver.Reserved)
		case resp.ReturnCode == s2s.ReserveExists:
			done(gameserver.Exists)
		default:
			done(gameserver.Refused)
		}
	})
}

// Start implements Node.
func (n *gameServerNode) Start(context.Context) error {
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.Server.Start(); err != nil {
		return err
	}
	n.set = announce.Build(announcement(n.cfg.GameServer.Announce), boundAddresses(n.Bound()))
	logAddresses(n.log, n.Bound(), n.set)
	n.running.Go(func() { n.game.Run(n.ctx) })
	n.running.Go(func() { n.report(n.ctx) })

	if n.cfg.Cluster.Gossip.Listen != "" {
		_, err := startGossip(n.ctx, n.cfg, n.log, &n.running, cluster.Node{ID: n.id, Role: cluster.GameServer, Addresses: n.set}, n.clusterChanged)
		if err != nil {
			return err
		}
	} else {
		addresses := n.masterAddresses()
		if len(addresses) == 0 {
			return fmt.Errorf("cluster.masters is empty and gossip is off: this game server would have no master")
		}
		for _, address := range addresses {
			n.link("", address)
		}
	}
	return nil
}

func (n *gameServerNode) metrics() prometheus.Collector {
	return admin.NewServerMetrics("gs", n.Server, webRPCGauge(n.rpc),
		admin.Gauge{Name: "rooms", Help: "rooms", Read: func() float64 { return float64(n.game.Stats().Rooms) }},
		admin.Gauge{Name: "reservations", Help: "names kept for clients that masters sent", Read: func() float64 { return float64(n.game.Stats().Reservations) }},
		n.pluginCount("plugin_calls_total", "callbacks that plugins were asked in", &n.game.PluginCounters.Calls),
		n.pluginCount("plugin_panics_total", "panics in plugins", &n.game.PluginCounters.Panics),
		n.pluginCount("plugin_slow_total", "callbacks that held up their room for more than 50 ms", &n.game.PluginCounters.Slow),
		n.pluginCount("plugin_failed_total", "calls that plugins failed", &n.game.PluginCounters.Failed),
		n.pluginCount("plugin_saves_total", "rooms that RoomStore saved", &store.Saves),
		n.pluginCount("plugin_save_failures_total", "saves of rooms by RoomStore that failed, each attempt", &store.SaveFailures),
		n.pluginCount("plugin_dead_letters_total", "states of rooms that plugins could not save and wrote to their dead-letter directory", &letter.Written),
		admin.Gauge{Name: "plugin_load_failures_total", Help: "drop-in plugins, or new states of them, that could not be loaded", Counter: true, Read: n.plugins.loadFailures},
		admin.Gauge{Name: "load_level", Help: "0 lowest to 4 highest", Read: func() float64 { return float64(n.Level()) }},
	)
}

func (n *gameServerNode) pluginCount(name, help string, v *atomic.Int64) admin.Gauge {
	return admin.Gauge{Name: name, Help: help, Counter: true, Read: func() float64 { return float64(v.Load()) }}
}

// clusterChanged follows the masters that gossip knows. A link that is up
// counts more than gossip's opinion: it ends when the master says goodbye.
func (n *gameServerNode) clusterChanged(c cluster.Change) {
	if c.Node.Role != cluster.Master || c.Node.S2S == "" || !strings.EqualFold(c.Node.Region, n.cfg.Cluster.Region) {
		return
	}
	switch c.Kind {
	case cluster.Up, cluster.Changed:
		n.link(c.Node.ID, c.Node.S2S)
	case cluster.Left:
		n.mu.Lock()
		if m := n.masters[c.Node.S2S]; m != nil {
			m.cancel()
			delete(n.masters, c.Node.S2S)
		}
		n.mu.Unlock()
	}
}

// link keeps a connection to a master, and none to where it was before.
func (n *gameServerNode) link(id, address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for old, m := range n.masters {
		if id != "" && m.id == id && old != address {
			m.cancel()
			delete(n.masters, old)
		}
	}
	if n.masters[address] != nil {
		return
	}
	ctx, cancel := context.WithCancel(n.ctx)
	quiet := false // one warning per loss, not one per attempt
	m := &masterLink{id: id, cancel: cancel}
	m.outbound = s2s.NewOutbound(s2s.OutboundConfig{
		Addr: address, Key: n.key, Self: n.hello, Longest: longestPause,
		Handlers: s2s.Handlers{
			Up: func(l *s2s.Link) {
				quiet = false
				n.log.Info().Str("master", l.Peer().ID).Str("address", address).Msg("linked to master")
				n.publisher.Attach(l)
				_ = l.Send(n.loadReport())
			},
			Down: func(_ *s2s.Link, err error) {
				if n.ctx.Err() == nil {
					n.log.Warn().Err(err).Str("address", address).Msg("link to master is down; rooms go on")
				}
			},
			Failed: func(address string, err error) {
				if !quiet {
					n.log.Warn().Err(err).Str("address", address).Msg("no link to master; trying on")
				}
				quiet = true
			},
			Request: n.masterRequest,
			Event:   n.masterEvent,
		},
	})
	n.masters[address] = m
	n.running.Go(func() { m.outbound.Run(ctx) })
}

func (n *gameServerNode) hello() s2s.Hello {
	return s2s.Hello{
		ID: n.id, Role: s2s.RoleGameServer, Generation: n.started.UnixMilli(), Cluster: n.cfg.Cluster.Name,
		Region: n.cfg.Cluster.Region, Version: Version, Addresses: n.set, State: byte(n.state()),
	}
}

func (n *gameServerNode) state() cluster.State {
	if n.game.Stats().Draining {
		return cluster.OutOfRotation
	}
	return cluster.Normal
}

// Level is the server's load level, as last reported.
func (n *gameServerNode) Level() cluster.Level {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.level
}

func (n *gameServerNode) masterRequest(_ *s2s.Link, r *s2s.Request) {
	if r.Op != s2s.OpReserveRoom {
		_ = r.Reply(s2s.ReturnUnknown, "unknown operation", nil)
		return
	}
	req, err := s2s.ParseReserveRoom(r.Params)
	if err != nil {
		_ = r.Reply(s2s.ReturnUnknown, err.Error(), nil)
		return
	}
	result, record := n.game.ReserveRoom(req.App, req.Room, req.Lobby, req.Placement, req.TTL)
	reply := func() error {
		if record == nil {
			return r.Reply(int16(result), "", nil)
		}
		params, err := s2s.ExistsParams(record)
		if err != nil {
			params = nil
		}
		return r.Reply(int16(result), "", params)
	}
	_ = reply() // a link that is down has no use for it
}

func (n *gameServerNode) masterEvent(l *s2s.Link, e s2s.Event) {
	switch e := e.(type) {
	case *s2s.Resync:
		n.publisher.Resync(l)
	case *s2s.RoomReleased:
		n.game.ReleaseRoom(e.App, e.Room, e.Placement)
	case *s2s.SetState:
		n.game.SetDraining(e.State != byte(cluster.Normal))
		_ = l.Send(n.loadReport())
	}
}

// report measures the load once a second and tells the masters.
func (n *gameServerNode) report(ctx context.Context) {
	cpu := cluster.NewCPUMeter(time.Now())
	var lastOut int64
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			var out int64
			for _, b := range n.Bound() {
				out += b.Counters.BytesOut.Load()
			}
			sample := cluster.Sample{BytesOut: float64(out - lastOut), Peers: n.game.Stats().Peers}
			if n.cfg.GameServer.LoadByCPU {
				sample.CPU = cpu.Percent(now)
			}
			level := n.meter.Add(sample)
			lastOut = out
			n.mu.Lock()
			if level != n.level {
				n.log.Info().Stringer("load", level).Msg("load level changed")
			}
			n.level = level
			links := make([]*s2s.Outbound, 0, len(n.masters))
			for _, m := range n.masters {
				links = append(links, m.outbound)
			}
			n.mu.Unlock()
			msg := n.loadReport()
			for _, l := range links {
				_ = l.Send(msg) // the next report follows in a second
			}
		}
	}
}

func (n *gameServerNode) loadReport() *s2s.LoadReport {
	st := n.game.Stats()
	return &s2s.LoadReport{
		Level: byte(n.Level()), State: byte(n.state()), Peers: int32(st.Peers), Rooms: int32(st.Rooms),
		Reservations: int32(st.Reservations), PeerLimit: int32(n.cfg.GameServer.MaxPeers),
	}
}

const (
	// readingTime is how long players may take to read why they have to go, when the
	// deadline of a drain has closed their rooms.
	readingTime = 6 * time.Second
	closingPoll = 20 * time.Millisecond
)

// Drain implements Node: rooms end by themselves, or are closed at the deadline
// with their players told (cluster.md 16). A cancelled ctx ends it at once.
func (n *gameServerNode) Drain(stop context.Context) error {
	ctx := stop
	if t := n.cfg.GameServer.DrainTimeout; t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t)
		defer cancel()
	}
	n.game.SetDraining(true)
	n.send(n.loadReport())
	if rooms := n.game.Stats().Rooms; rooms > 0 {
		n.log.Info().Int("rooms", rooms).Msg("waiting for rooms to end")
	}
	err := n.game.Drain(ctx)
	if err == nil || stop.Err() != nil {
		return err
	}
	n.log.Warn().Int("rooms", n.game.Stats().Rooms).Stringer("drain_timeout", n.cfg.GameServer.DrainTimeout).Msg("the drain's deadline is over: rooms are closed")
	saving, saved := context.WithTimeout(stop, saveTimeout)
	defer saved()
	if err := n.game.CloseRooms(saving, "the server is being stopped"); err != nil {
		return fmt.Errorf("rooms did not end: %w", err)
	}
	ctx, cancel := context.WithTimeout(stop, readingTime)
	defer cancel()
	tick := time.NewTicker(closingPoll)
	defer tick.Stop()
	for n.game.Stats().Peers > 0 {
		select {
		case <-ctx.Done():
			return nil // Stop closes who is still there
		case <-tick.C:
		}
	}
	return nil
}

func (n *gameServerNode) send(msg s2s.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.masters {
		_ = m.outbound.Send(msg) // a master that is down learns it when it is back
	}
}

// Ready implements Node.
func (n *gameServerNode) Ready() error {
	if n.state() != cluster.Normal {
		return errors.New("draining")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.masters {
		if m.outbound.Link() != nil {
			return nil
		}
	}
	return errors.New("no link to a master yet")
}

// saveTimeout is how long plugins have to save rooms when the server stops.
const saveTimeout = stopTimeout * 7 / 10

// Stop implements Node.
func (n *gameServerNode) Stop(ctx context.Context) error {
	n.game.Stop()
	saving, saved := context.WithTimeout(ctx, saveTimeout)
	if err := n.game.CloseRooms(saving, "the server is stopping"); err != nil {
		n.log.Warn().Int("rooms", n.game.Stats().Rooms).Msg("plugins did not end their rooms in time; what they were saving may be lost")
	}
	saved()
	err := n.Shutdown(ctx)
	n.rpc.Close()
	err = errors.Join(err, n.game.Close(ctx))
	n.plugins.close()
	n.send(&s2s.Goodbye{Reason: "shutdown"})
	n.cancel()
	n.publisher.Close()
	n.running.Wait()
	return err
}
