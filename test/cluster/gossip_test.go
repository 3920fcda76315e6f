package cluster

import (
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
)

// Servers that know only one address of the gossip find each other: the game
// server its master, the name server the region. CL-12, CL-56
func TestGossip(t *testing.T) {
	cfg := separate(t)
	cfg.Cluster.Masters = nil
	seed := freeAddress(t)
	gossip := func(id, listen string) *config.Config {
		own := *cfg
		own.Cluster.NodeID = id
		own.Cluster.Gossip = config.Gossip{Listen: listen, Join: []string{seed}}
		return &own
	}
	ns := gossip("ns-1", seed)
	run(t, daemon.NewNameServer, ns)
	stopMaster := run(t, daemon.NewMaster, gossip("ms-1", freeAddress(t)))
	run(t, daemon.NewGameServer, gossip("gs-1", freeAddress(t)))

	p := newPlayer(t, client.Settings{
		AppID: "test", AppVersion: "1.0", NameServer: ns.NameServer.Listen.UDP, Region: "eu", UserID: "ann", Transport: client.UDP,
	})
	eventually(t, func() bool { return p.Connect(p.ctx()) == nil }, "the name server knows the master")
	eventually(t, func() bool { return p.CreateRoom(p.ctx(), client.EnterRoomParams{RoomName: "r"}) == nil }, "the game server found the master")

	stopMaster()
	q := newPlayer(t, client.Settings{
		AppID: "test", AppVersion: "1.0", NameServer: ns.NameServer.Listen.UDP, Region: "eu", UserID: "bob", Transport: client.UDP,
	})
	eventually(t, func() bool { return q.Connect(q.ctx()) != nil }, "a master that left is not handed out")
}
