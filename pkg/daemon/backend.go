package daemon

import (
	"context"
	"strings"
	"time"

	"github.com/boson-project/boson/pkg/admin"
	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/gameserver"
	"github.com/boson-project/boson/pkg/lobby"
	adminv1 "github.com/boson-project/boson/proto/admin/v1"
)

// backend answers the operators' API for the servers of one process.
type backend struct{ *operated }

// Status implements admin.Backend.
func (o backend) Status() *adminv1.StatusResponse {
	r := &adminv1.StatusResponse{Version: Version}
	for _, n := range o.nodes {
		s := n.status()
		s.Ready = true
		if err := n.Ready(); err != nil {
			s.Ready, s.NotReadyBecause = false, err.Error()
		}
		r.Servers = append(r.Servers, s)
	}
	if ms := nodeOf[*masterNode](o); ms != nil {
		own := nodeOf[*gameServerNode](o)
		for _, g := range ms.master.Servers() {
			if own != nil && own.id == g.ID {
				continue
			}
			s := &adminv1.Server{Role: "gameserver", Id: g.ID, Ready: g.Up, State: g.State.String(), LoadLevel: g.Level.String(), Announced: announced(g.Addresses)}
			if !g.Up {
				s.NotReadyBecause = "no link to the master"
			}
			r.Servers = append(r.Servers, s)
		}
		for _, m := range ms.master.Masters() {
			s := &adminv1.Server{Role: "master", Id: m.ID, Ready: m.Linked, State: ms.stateOf(m.ID).String()}
			if !m.Linked {
				s.NotReadyBecause = "no link to this master: rooms of new names wait"
			}
			r.Servers = append(r.Servers, s)
		}
	}
	return r
}

// nodeOf returns the process's node of one kind, or nil.
func nodeOf[N measured](o backend) (n N) {
	for _, m := range o.nodes {
		if found, ok := m.(N); ok {
			return found
		}
	}
	return n
}

func announced(set announce.Set) map[string]string {
	out := map[string]string{}
	for k, a := range set {
		out[k] = describe(a)
	}
	return out
}

func peers(s *app.Server) (n int64) {
	for _, b := range s.Bound() {
		n += b.Counters.Peers.Load()
	}
	return n
}

func (n *nameServerNode) status() *adminv1.Server {
	return &adminv1.Server{Role: "nameserver", Id: nodeID(n.cfg.Cluster, "nameserver"), State: "normal", Peers: peers(n.Server)}
}

func (n *masterNode) status() *adminv1.Server {
	return &adminv1.Server{Role: "master", Id: n.id, State: n.state().String(), Peers: peers(n.Server), Announced: announced(n.set)}
}

func (n *gameServerNode) status() *adminv1.Server {
	return &adminv1.Server{
		Role: "gameserver", Id: n.id, State: n.state().String(), LoadLevel: n.Level().String(),
		Peers: peers(n.Server), Rooms: int64(n.game.Stats().Rooms), Announced: announced(n.set),
	}
}

// Rooms implements admin.Backend. A master knows more than a game server beside it.
func (o backend) Rooms(ctx context.Context, req *adminv1.ListRoomsRequest) ([]*adminv1.Room, error) {
	var out []*adminv1.Room
	add := func(server string, r *lobby.Record) {
		id, version, _ := strings.Cut(r.App, "\x00")
		if req.AppId != "" && req.AppId != id || !strings.HasPrefix(r.Name, req.NamePrefix) {
			return
		}
		out = append(out, &adminv1.Room{
			AppId: id, AppVersion: version, Name: r.Name, Lobby: r.Lobby.Name, GameServer: server,
			Players: r.Players, Inactive: r.Inactive, MaxPlayers: r.MaxPlayers, Open: r.Open, Visible: r.Visible,
		})
	}
	if ms := nodeOf[*masterNode](o); ms != nil {
		err := ms.master.Rooms(ctx, add)
		return out, err
	}
	if gs := nodeOf[*gameServerNode](o); gs != nil {
		for _, r := range gs.game.Records() {
			add(gs.id, r)
		}
	}
	return out, nil
}

// Drain implements admin.Backend.
func (o backend) Drain(on bool) (rooms int, err error) {
	gs := nodeOf[*gameServerNode](o)
	if gs == nil {
		return 0, admin.ErrNotGameServer
	}
	gs.game.SetDraining(on)
	gs.send(gs.loadReport())
	return gs.game.Stats().Rooms, nil
}

// CloseRoom implements admin.Backend.
func (o backend) CloseRoom(appID, version, name, reason string) error {
	gs := nodeOf[*gameServerNode](o)
	if gs == nil {
		return admin.ErrNotGameServer
	}
	if !gs.game.CloseRoom(appID+"\x00"+version, name, reason) {
		return admin.ErrNoRoom
	}
	return nil
}

// kickTimeout bounds the wait for a room that has much to do, or whose plugin holds it.
const kickTimeout = 5 * time.Second

// Kick implements admin.Backend.
func (o backend) Kick(ctx context.Context, req *adminv1.KickUserRequest) (removed int, err error) {
	gs := nodeOf[*gameServerNode](o)
	if gs == nil {
		return 0, admin.ErrNotGameServer
	}
	ctx, cancel := context.WithTimeout(ctx, kickTimeout)
	defer cancel()
	there, removed, err := gs.game.Kick(ctx, req.AppId+"\x00"+req.AppVersion, req.Name,
		gameserver.Kick{UserID: req.UserId, ActorNr: req.ActorNr, Ban: req.Ban, Reason: req.Reason})
	switch {
	case err != nil:
		return 0, err
	case !there:
		return 0, admin.ErrNoRoom
	case removed == 0 && !(req.Ban && req.UserId != ""):
		return 0, admin.ErrNoActor
	}
	gs.log.Info().Str("app", req.AppId).Str("room", req.Name).Str("user", req.UserId).Int32("actor", req.ActorNr).
		Bool("ban", req.Ban).Int("removed", removed).Msg("players removed from a room by an operator")
	return removed, nil
}

// Plugins implements admin.Backend.
func (o backend) Plugins(reload bool) ([]*adminv1.Plugin, error) {
	gs := nodeOf[*gameServerNode](o)
	if gs == nil {
		return nil, admin.ErrNotGameServer
	}
	return gs.plugins.list(reload)
}
