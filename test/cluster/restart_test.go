package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/photon"
)

// separate is a configuration for servers that start and stop on their own: the
// ports are fixed, and the same for every start.
func separate(t testing.TB) *config.Config {
	cfg := Config(nil)
	cfg.Cluster.Key = strings.Repeat("a1", 32)
	cfg.Master.S2S = freeAddress(t)
	cfg.Master.Listen = config.Endpoints{UDP: freeAddress(t), TCP: freeAddress(t)}
	cfg.NameServer.Listen = config.Endpoints{UDP: freeAddress(t), TCP: freeAddress(t)}
	cfg.Cluster.Masters = []string{cfg.Master.S2S}
	cfg.Master.LostHold = 2 * time.Second
	return cfg
}

type maker func(*config.Config, zerolog.Logger) (daemon.Node, error)

// run starts a server and returns a function that stops it.
func run(t testing.TB, make maker, cfg *config.Config) (stop func()) {
	t.Helper()
	copied := *cfg
	n, err := make(&copied, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), Timeout)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func separateClient(t testing.TB, cfg *config.Config, user string) *player {
	t.Helper()
	p := newPlayer(t, client.Settings{
		AppID: "test", AppVersion: "1.0", NameServer: cfg.NameServer.Listen.UDP, Region: "eu",
		UserID: user, Transport: client.UDP, Protocol: photon.GpBinaryV18,
	})
	p.must(p.Connect(p.ctx()))
	return p
}

// The master dies and comes back: games go on meanwhile, and it knows all rooms
// again. CL-33, CL-34, CL-12
func TestMasterRestart(t *testing.T) {
	cfg := separate(t)
	run(t, daemon.NewNameServer, cfg)
	stopMaster := run(t, daemon.NewMaster, cfg)
	run(t, daemon.NewGameServer, cfg)

	ann := separateClient(t, cfg, "ann")
	eventually(t, func() bool { return ann.CreateRoom(ann.ctx(), client.EnterRoomParams{RoomName: "lasting"}) == nil }, "a room can be made")
	bob := separateClient(t, cfg, "bob")
	bob.must(bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: "lasting"}))

	stopMaster()
	for i := range 20 {
		ann.must(ann.RaiseEvent(1, int32(i), nil, client.SendReliable))
		if e := next(t, bob.events, "event while the master is down"); e.content != int32(i) {
			t.Fatalf("got %+v", e)
		}
	}
	run(t, daemon.NewMaster, cfg)
	carl := separateClient(t, cfg, "carl")
	eventually(t, func() bool { return carl.JoinRoom(carl.ctx(), client.EnterRoomParams{RoomName: "lasting"}) == nil }, "the new master knows the room")
	if nr := carl.MyActorNr(); nr != 3 {
		t.Errorf("carl is actor %d of the room, want 3", nr)
	}
	// LB-067: the token of before the restart is good on the new master.
	bob.must(bob.LeaveRoom(bob.ctx(), false))
	eventually(t, func() bool { return bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: "lasting"}) == nil }, "a client returns to the new master")
}

// Several game servers on one machine: the master spreads rooms over them, and
// knows the end of one that leaves at once. CL-17 in small, CL-35
func TestSeveralGameServers(t *testing.T) {
	cfg := separate(t)
	run(t, daemon.NewNameServer, cfg)
	run(t, daemon.NewMaster, cfg)
	stops := map[string]func(){}
	for i := range 3 {
		own := *cfg
		own.Cluster.NodeID = fmt.Sprint("gs-", i)
		own.GameServer.Listen = config.Endpoints{UDP: freeAddress(t)}
		stops[own.GameServer.Listen.UDP] = run(t, daemon.NewGameServer, &own)
	}
	rooms := map[string][]*player{}
	for i := range 24 {
		p := separateClient(t, cfg, fmt.Sprint("user", i))
		eventually(t, func() bool {
			return p.CreateRoom(p.ctx(), client.EnterRoomParams{RoomName: fmt.Sprint("room ", i)}) == nil
		}, "a room can be made")
		rooms[p.Peer().Address()] = append(rooms[p.Peer().Address()], p)
		if len(rooms) == 3 && i > 8 {
			break
		}
	}
	if len(rooms) != 3 {
		t.Fatalf("rooms are on %d game servers, want 3", len(rooms))
	}
	seeker := newPlayer(t, client.Settings{
		AppID: "test", AppVersion: "1.0", NameServer: cfg.NameServer.Listen.UDP, Region: "eu", UserID: "seeker", Transport: client.UDP,
		Peer: client.Options{Timeout: time.Second}, // for an address where nobody is any more
	})
	seeker.must(seeker.Connect(seeker.ctx()))
	for address, players := range rooms {
		name := players[0].CurrentRoom().Name
		stops[address]()
		eventually(t, func() bool {
			return code(seeker.JoinRoom(seeker.ctx(), client.EnterRoomParams{RoomName: name})) == photon.ReturnGameDoesNotExist
		}, "the rooms of a game server that left are gone")
		break
	}
}

// A game server with another key is not let in, and clients are told that there
// is no server. CL-05
func TestWrongClusterKey(t *testing.T) {
	cfg := separate(t)
	run(t, daemon.NewNameServer, cfg)
	run(t, daemon.NewMaster, cfg)
	other := *cfg
	other.Cluster.Key = strings.Repeat("b2", 32)
	run(t, daemon.NewGameServer, &other)
	p := separateClient(t, cfg, "user")
	if err := p.CreateRoom(p.ctx(), client.EnterRoomParams{}); code(err) != photon.ReturnServerFull {
		t.Errorf("create without a game server: %v", err) // LB-107
	}
}
