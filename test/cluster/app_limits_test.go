package cluster

import (
	"fmt"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/photon"
)

// claims are the parameters of a full authentication.
func claims(app, version, user string) photon.Params {
	return photon.Params{photon.Param(photon.ParamApplicationID, app), photon.Param(photon.ParamAppVersion, version),
		photon.Param(photon.ParamUserID, user), photon.Param(photon.ParamRegion, "eu")}
}

// LB-031, CL-55: the limit of players counts all versions of an application, and
// both the name server and the master refuse.
func TestPlayerLimit(t *testing.T) {
	up := Start(t, func(c *config.Config) { c.Apps.MaxCCU = 2 })
	for _, f := range []Form{Forms[1], Forms[6]} {
		app := f.String()
		for i, version := range []string{"1", "2", "3"} {
			m := dialRaw(t, up.Master(), f, nil)
			r := m.ask(photon.OpAuthenticate, claims(app, version, fmt.Sprint("user", i))...)
			if i < 2 {
				if r.ReturnCode != 0 {
					t.Fatalf("%s: player %d: %d %s", f, i, r.ReturnCode, r.Debug)
				}
				continue
			}
			refused(t, "the master", r, photon.ReturnMaxCcuReached)
		}
		ns := dialRaw(t, up.NameServer(), f, nil)
		refused(t, "the name server", ns.ask(photon.OpAuthenticate, claims(app, "3", "late")...), photon.ReturnMaxCcuReached)
		r := ns.ask(photon.OpAuthenticate, claims("other", "3", "late")...)
		if r.ReturnCode != 0 {
			t.Errorf("%s: another application: %d %s", f, r.ReturnCode, r.Debug)
		}
	}
}

// Name servers of their own learn of full applications by gossip.
func TestPlayerLimitByGossip(t *testing.T) {
	cfg := separate(t)
	cfg.Cluster.Masters = nil
	cfg.Apps.MaxCCU = 1
	seed := freeAddress(t)
	gossip := func(id, listen string) *config.Config {
		own := *cfg
		own.Cluster.NodeID = id
		own.Cluster.Gossip = config.Gossip{Listen: listen, Join: []string{seed}}
		return &own
	}
	ns := gossip("ns-1", seed)
	run(t, daemon.NewNameServer, ns)
	run(t, daemon.NewMaster, gossip("ms-1", freeAddress(t)))
	settings := func(user string) client.Settings {
		return client.Settings{AppID: "test", AppVersion: "1.0", NameServer: ns.NameServer.Listen.TCP, Region: "eu", UserID: user, Transport: client.TCP}
	}
	ann := newPlayer(t, settings("ann"))
	eventually(t, func() bool { return ann.Connect(ann.ctx()) == nil }, "ann is on the master")
	eventually(t, func() bool {
		p, err := client.Dial(t.Context(), client.Options{Transport: client.TCP}, ns.NameServer.Listen.TCP)
		if err != nil {
			return false
		}
		defer p.Close()
		return ask(t, p, photon.OpAuthenticate, claims("test", "2.0", "bob")).ReturnCode == photon.ReturnMaxCcuReached
	}, "the name server refuses")
}

// Limits of rooms: how many, counting all versions and names that are only
// reserved, and how many players in one.
func TestRoomLimits(t *testing.T) {
	up := Start(t, func(c *config.Config) {
		c.Apps.MaxRooms, c.Apps.MaxPlayers = 2, 4
		c.Apps.Rules = []config.AppRules{{AppID: "big", MaxRooms: -1, MaxPlayers: 300}}
	})
	f := Forms[3]
	one := connected(t, up, f, "one")
	one.must(one.CreateRoom(one.ctx(), client.EnterRoomParams{RoomName: "first"}))
	if n := one.CurrentRoom().MaxPlayers; n != 4 {
		t.Errorf("MaxPlayers of a room without is %d", n)
	}
	m := dialRaw(t, up.Master(), f, nil)
	m.ok(photon.OpAuthenticate, claims("test", "2.0", "two")...)
	m.ok(photon.OpCreateGame, roomName("reserved"))
	refused(t, "create", m.ask(photon.OpCreateGame, roomName("third")), photon.ReturnServerFull)
	refused(t, "join or create", m.ask(photon.OpJoinGame, roomName("third"), photon.Param(photon.ParamJoinMode, byte(1))), photon.ReturnServerFull)
	m.ok(photon.OpJoinGame, roomName("reserved"), photon.Param(photon.ParamJoinMode, byte(1)))
	refused(t, "random or create", m.ask(photon.OpJoinRandomGame, photon.Param(photon.ParamJoinMode, byte(1))), photon.ReturnServerFull)

	// The end of a room makes place.
	one.must(one.LeaveRoom(one.ctx(), false))
	eventually(t, func() bool { return m.ask(photon.OpCreateGame, roomName("third")).ReturnCode == 0 }, "there is place for a room again")

	// More players than allowed.
	s := Settings(up, f, "big one")
	s.AppID = "big"
	big := newPlayer(t, s)
	big.must(big.Connect(big.ctx()))
	create := func(n int) error {
		opt := client.NewRoomOptions()
		opt.MaxPlayers = n
		return big.CreateRoom(big.ctx(), client.EnterRoomParams{RoomName: fmt.Sprint("for ", n), RoomOptions: opt})
	}
	if err := create(301); code(err) != photon.ReturnInvalidOperation || !strings.Contains(err.Error(), "300") {
		t.Errorf("a room for 301: %v", err)
	}
	big.must(create(300))
	if err := big.SetMaxPlayers(big.ctx(), 301); code(err) != photon.ReturnInvalidOperation {
		t.Errorf("set to 301: %v", err)
	}
	big.must(big.SetMaxPlayers(big.ctx(), 0))
	eventually(t, func() bool { return big.CurrentRoom().MaxPlayers == 300 }, "a room without a limit of its own has that of the application")
}
