package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/admin"
	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/cluster"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/master"
	"github.com/boson-project/boson/pkg/s2s"
	"github.com/boson-project/boson/pkg/webrpc"
)

// nodeID is a server's name in the cluster.
func nodeID(cfg config.Cluster, role string) string {
	if cfg.NodeID != "" {
		return cfg.NodeID
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return role + "-" + host
}

type masterNode struct {
	*app.Server
	cfg      *config.Config
	log      zerolog.Logger
	auth     *auth.Authenticator
	master   *master.Server
	listener *s2s.Listener
	rpc      *webrpc.Service // nil: not configured
	s2sAddr  net.Addr
	set      announce.Set // what clients are told; known when it has started
	id       string

	users   *s2s.UserPublisher
	started time.Time
	// masterAddresses are the S2S addresses of the region's masters where gossip is off.
	masterAddresses func() []string

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	mirrors map[string]*s2s.Mirror // by game server; outlive links
	masters masterLinks
}

// NewMaster makes the master of a configuration.
func NewMaster(cfg *config.Config, log zerolog.Logger) (Node, error) {
	n, err := newMaster(cfg, log)
	if err != nil {
		return nil, err
	}
	return &operated{cfg: cfg, log: n.log, nodes: []measured{n}}, nil
}

func newMaster(cfg *config.Config, log zerolog.Logger) (*masterNode, error) {
	log = log.With().Str("server", "master").Logger()
	a, err := fullAuthenticator(cfg, log)
	if err != nil {
		return nil, err
	}
	n := &masterNode{
		auth: a, cfg: cfg, log: log, id: nodeID(cfg.Cluster, "master"), mirrors: map[string]*s2s.Mirror{},
		users: s2s.NewUserPublisher(), started: time.Now(), masters: newMasterLinks(),
	}
	n.masterAddresses = func() []string { return cfg.Cluster.Masters }
	if n.rpc, err = webRPC(cfg, log); err != nil {
		return nil, err
	}
	n.master = master.New(master.Options{
		WebRPC: n.rpc, Auth: a, AuthTimeout: cfg.Limits.AuthTimeout,
		Lobby: lobby.Config{ListInterval: cfg.Master.ListInterval, ListLimit: cfg.Master.ListLimit, GameListLimit: cfg.Master.GameListLimit,
			MaxLobbies: cfg.Master.MaxLobbies, StatsLimit: cfg.Master.LobbyStatsLimit},
		StatsInterval: cfg.Master.StatsInterval, LobbyStatsInterval: cfg.Master.LobbyStatsInterval,
		LostHold: cfg.Master.LostHold, Loads: loads(cfg.Plugins), Logger: log,
		ID: n.id, Settling: true, Users: n.users,
	})
	if cfg.Master.S2S == "" {
		return nil, fmt.Errorf("master.s2s is empty: game servers could not reach the master")
	}
	n.Server, err = appServer("master", cfg, cfg.Master.Listen, nil, log, n.master)
	return n, err
}

// Start implements Node. The S2S listener comes first: a client that finds the
// master should find game servers too.
func (n *masterNode) Start(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	n.ctx, n.cancel = ctx, cancel
	l, err := net.Listen("tcp", n.cfg.Master.S2S)
	if err != nil {
		return fmt.Errorf("master.s2s: %w", err)
	}
	key, err := subkey(n.cfg.Cluster, "s2s")
	if err != nil {
		return errors.Join(err, l.Close())
	}
	n.s2sAddr = l.Addr()
	n.listener = s2s.NewListener(s2s.ListenerConfig{
		Self: n.hello(),
		Key:  key,
		Handlers: s2s.Handlers{
			Up: n.linkUp, Down: n.linkDown, Message: n.linkMessage, Request: n.linkRequest,
			Failed: func(addr string, err error) {
				if !isMastersList(err) {
					n.log.Warn().Err(err).Str("address", addr).Msg("S2S link refused")
				}
			},
		},
	})
	n.running.Go(func() {
		if err := n.listener.Serve(ctx, l); err != nil {
			n.log.Error().Err(err).Msg("S2S listener ended")
		}
	})
	if err := n.Server.Start(); err != nil {
		cancel()
		n.running.Wait()
		return err
	}
	n.set = announce.Build(announcement(n.cfg.Master.Announce), boundAddresses(n.Bound()))
	logAddresses(n.log, n.Bound(), n.set)
	n.log.Info().Stringer("s2s", n.s2sAddr).Str("cluster", n.cfg.Cluster.Name).Str("region", n.cfg.Cluster.Region).Msg("listening for game servers")
	return n.joinMasters(key)
}

func (n *masterNode) hello() s2s.Hello {
	return s2s.Hello{
		ID: n.id, Role: s2s.RoleMaster, Generation: n.started.UnixMilli(),
		Cluster: n.cfg.Cluster.Name, Region: n.cfg.Cluster.Region, Version: Version,
	}
}

func (n *masterNode) metrics() prometheus.Collector {
	return admin.NewServerMetrics("ms", n.Server, webRPCGauge(n.rpc),
		admin.Gauge{Name: "gameservers", Help: "game servers with a link", Read: func() float64 { _, up := n.links(); return float64(up) }},
		admin.Gauge{Name: "masters", Help: "other masters of the region with a link", Read: func() float64 { linked, _ := n.links(); return float64(linked) }},
		admin.Gauge{Name: "masters_missing", Help: "other masters that count as alive without a link: while there are any, rooms of new names can't be made", Read: func() float64 {
			linked, _ := n.links()
			return float64(len(n.master.Masters()) - linked)
		}},
		admin.Gauge{Name: "master_forwards_total", Help: "operations that other masters were asked to decide", Counter: true, Read: func() float64 { return float64(n.master.MasterCounts().Forwarded) }},
		admin.Gauge{Name: "master_claims_total", Help: "names that other masters were asked to agree to", Counter: true, Read: func() float64 { return float64(n.master.MasterCounts().Claimed) }},
		admin.Gauge{Name: "master_claims_refused_total", Help: "names without the agreement of all masters", Counter: true, Read: func() float64 { return float64(n.master.MasterCounts().Refused) }},
		admin.Gauge{Name: "duplicate_rooms", Help: "rooms of one name on more than one game server, after a partition", Read: func() float64 { return float64(n.master.Duplicates()) }},
	)
}

// linkUp registers a game server and answers for its rooms from now on, or
// another master.
func (n *masterNode) linkUp(l *s2s.Link) {
	hello := l.Peer()
	switch hello.Role {
	case s2s.RoleGameServer:
	case s2s.RoleMaster:
		n.masterUp(l)
		return
	default:
		return
	}
	id := hello.ID
	n.mu.Lock()
	m := n.mirrors[id]
	if m == nil {
		m = &s2s.Mirror{
			Upsert: func(r lobby.Record) { n.master.Upsert(id, &r) },
			Remove: func(appKey, name string, _ s2s.RemoveReason) { n.master.Remove(id, appKey, name) },
		}
		n.mirrors[id] = m
	}
	n.mu.Unlock()
	m.Reset()
	n.master.ServerUp(master.GameServer{
		ID: id, Addresses: hello.Addresses, Seen: remoteAddr(l),
		Reserve: func(ctx context.Context, r master.Reservation) (master.ReserveResult, error) {
			req := s2s.ReserveRoom{App: r.App, Room: r.Room, Placement: r.Placement, TTL: reservationTTL, User: r.User, Lobby: r.Lobby}
			resp, err := l.Request(ctx, s2s.OpReserveRoom, req.Params())
			if err != nil {
				return master.ReserveRefused, err
			}
			if resp.ReturnCode < 0 {
				return master.ReserveRefused, errors.New(resp.Debug)
			}
			return master.ReserveResult(resp.ReturnCode), nil
		},
		Release: func(r master.Reservation) {
			// Behind the request, on the same link: it can't arrive before it.
			_ = l.SendEvent(&s2s.RoomReleased{App: r.App, Room: r.Room, Placement: r.Placement})
		},
	}, cluster.State(hello.State))
}

// reservationTTL is how long a game server keeps a name for a client
// (cluster.md 14).
const reservationTTL = 20 * time.Second

func remoteAddr(l *s2s.Link) netip.Addr {
	ap, err := netip.ParseAddrPort(l.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

func (n *masterNode) linkDown(l *s2s.Link, err error) {
	hello := l.Peer()
	if errors.Is(err, s2s.ErrReplaced) {
		return
	}
	if hello.Role == s2s.RoleMaster {
		n.masterDown(l, err)
		return
	}
	if hello.Role != s2s.RoleGameServer {
		return
	}
	n.master.ServerDown(hello.ID, n.saidGoodbye(hello.ID))
	n.log.Debug().Err(err).Str("gameserver", hello.ID).Msg("S2S link down")
}

// saidGoodbye says whether a game server left by itself, and forgets it then.
func (n *masterNode) saidGoodbye(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	left := n.mirrors[id] == nil
	return left
}

func (n *masterNode) linkMessage(l *s2s.Link, msg s2s.Message) {
	id := l.Peer().ID
	if l.Peer().Role == s2s.RoleMaster {
		n.masterMessage(l, msg)
		return
	}
	n.mu.Lock()
	m := n.mirrors[id]
	n.mu.Unlock()
	switch msg := msg.(type) {
	case *s2s.LoadReport:
		n.master.ServerLoad(id, cluster.Level(msg.Level), cluster.State(msg.State))
	case *s2s.Goodbye:
		n.mu.Lock()
		delete(n.mirrors, id)
		n.mu.Unlock()
	default:
		if m == nil {
			return
		}
		if err := m.Receive(l, msg); err != nil {
			n.log.Error().Err(err).Str("gameserver", id).Msg("rooms can't be followed")
			l.Close()
		}
		if _, ok := msg.(*s2s.SnapshotEnd); ok {
			n.gameServerComplete(id)
		}
	}
}

func (n *masterNode) linkRequest(l *s2s.Link, r *s2s.Request) {
	if l.Peer().Role == s2s.RoleMaster {
		n.masterRequest(l, r)
		return
	}
	if r.Op != s2s.OpRequestPlacement {
		_ = r.Reply(s2s.ReturnUnknown, "unknown operation", nil)
		return
	}
	appKey, name, err := s2s.ParseRequestPlacement(r.Params)
	if err != nil {
		_ = r.Reply(s2s.ReturnUnknown, err.Error(), nil)
		return
	}
	n.master.RequestPlacement(l.Peer().ID, appKey, name, func(answer master.ReserveResult) {
		_ = r.Reply(int16(answer), "", nil) // a link that is down has no use for it
	})
}

// Drain implements Node: clients reconnect to another master, rooms go on. Where
// there is another master, name servers hear that this one takes no more clients,
// and those that are here get some time to go by themselves.
func (n *masterNode) Drain(ctx context.Context) error {
	if len(n.master.Masters()) == 0 {
		return nil
	}
	n.outOfRotation()
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Master.DrainTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for peers(n.Server) > 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return nil
}

// Ready implements Node.
func (n *masterNode) Ready() error {
	if !n.master.Ready() {
		return errors.New("no game server has connected yet")
	}
	for _, m := range n.master.Masters() {
		if !m.Linked {
			return fmt.Errorf("no link to master %s, which counts as alive", m.ID)
		}
	}
	return nil
}

// Stop implements Node.
func (n *masterNode) Stop(ctx context.Context) error {
	err := n.Shutdown(ctx)
	n.rpc.Close()
	n.master.Tell(&s2s.Goodbye{Reason: "shutdown"}) // this master is not lost, it leaves
	n.cancel()
	n.running.Wait()
	n.users.Close()
	n.auth.Close()
	n.master.Close()
	return err
}
