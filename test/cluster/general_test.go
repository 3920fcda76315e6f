package cluster

import (
	"context"
	"fmt"
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// LB-003, LB-011: operations of another kind of server, and codes that nobody
// has, are answered with -2, and the connection stays.
func TestOperationsOfOtherServers(t *testing.T) {
	up := Start(t, nil)
	for _, f := range Forms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			p := connected(t, up, f, "user"+f.String())
			onMaster := p.Peer()
			for _, op := range []photon.OpCode{photon.OpRaiseEvent, photon.OpSetProperties, photon.OpLeave, 100} {
				if r := ask(t, onMaster, op, nil); r.ReturnCode != photon.ReturnInvalidOperation || r.Debug == "" {
					t.Errorf("%s on the master: %d %q", op, r.ReturnCode, r.Debug)
				}
			}
			p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{}))
			onGame := p.Peer()
			for _, op := range []photon.OpCode{photon.OpJoinLobby, photon.OpFindFriends, photon.OpGetRegions, 100} {
				if r := ask(t, onGame, op, nil); r.ReturnCode != photon.ReturnInvalidOperation || r.Debug == "" {
					t.Errorf("%s on the game server: %d %q", op, r.ReturnCode, r.Debug)
				}
			}
			p.must(p.LeaveRoom(p.ctx(), false))
		})
	}
}

// LB-007, WJ-034: fifty requests in one batch are answered in their order, also
// those that need a game server in between.
func TestAnswersKeepTheirOrder(t *testing.T) {
	up := Start(t, nil)
	for _, f := range Forms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			answers := make(chan photon.OpCode, 100)
			ctx, cancel := context.WithTimeout(t.Context(), Timeout)
			defer cancel()
			p, err := client.Dial(ctx, client.Options{Transport: f.Transport, Protocol: f.Protocol, OnResponse: func(r *client.Response) { answers <- r.Op }}, address(up.Master(), f.Transport))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Close)
			if r := ask(t, p, photon.OpAuthenticate, loginParams(true, nil)); r.ReturnCode != 0 {
				t.Fatal(r.Err())
			}
			mixed := []struct {
				op     photon.OpCode
				params photon.Params
			}{
				{photon.OpJoinLobby, nil}, {photon.OpCreateGame, nil}, {photon.OpFindFriends, photon.Params{photon.Param(photon.ParamFindFriendsUsers, []string{"x"})}},
				{photon.OpJoinRandomGame, photon.Params{photon.Param(photon.ParamGameProperties, gpbinary.NewHashtable(gpbinary.Pair{Key: "no", Value: "room"}))}},
				{photon.OpCreateGame, nil}, {photon.OpGetLobbyStats, nil}, {photon.OpLeaveLobby, nil}, {100, nil}, {photon.OpServerSettings, nil},
				{photon.OpJoinGame, photon.Params{photon.Param(photon.ParamRoomName, "nowhere")}},
			}
			for i := range 50 {
				m := mixed[i%len(mixed)]
				if err := p.Send(m.op, m.params, client.SendReliable); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 50 {
				if op := next(t, answers, fmt.Sprint("answer ", i)); op != mixed[i%len(mixed)].op {
					t.Fatalf("answer %d is of %s, want %s", i, op, mixed[i%len(mixed)].op)
				}
			}
		})
	}
}

// LB-014: the application is that of parameter 224, whatever the init request says.
func TestInitNameDoesNotMatter(t *testing.T) {
	up := Start(t, nil)
	first := connected(t, up, Form{client.UDP, photon.GpBinaryV18}, "first")
	first.must(first.CreateRoom(first.ctx(), client.EnterRoomParams{RoomName: "r"}))
	for _, name := range []string{"NameServer", "", "0f3b1c52-1111-2222-3333-444455556666"} {
		for _, tr := range []client.Transport{client.UDP, client.TCP, client.WebSocket} {
			ctx, cancel := context.WithTimeout(t.Context(), Timeout)
			p, err := client.Dial(ctx, client.Options{Transport: tr, AppID: name}, address(up.Master(), tr))
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			if r := ask(t, p, photon.OpAuthenticate, loginParams(true, nil)); r.ReturnCode != 0 {
				t.Fatal(r.Err())
			}
			if r := ask(t, p, photon.OpJoinGame, photon.Params{photon.Param(photon.ParamRoomName, "r")}); r.ReturnCode != 0 {
				t.Errorf("%s, init %q: %v", tr, name, r.Err())
			}
			p.Close()
		}
	}
}

// CL-54: who meets whom is a setting.
func TestSeparation(t *testing.T) {
	for separation, meet := range map[string][2]bool{"app": {true, false}, "none": {true, true}} {
		t.Run(separation, func(t *testing.T) {
			up := Start(t, func(c *config.Config) { c.Apps.Separation = separation })
			f := Form{client.TCP, photon.GpBinaryV18}
			host := connected(t, up, f, "host")
			host.must(host.CreateRoom(host.ctx(), client.EnterRoomParams{RoomName: "r"}))
			for i, change := range []func(*client.Settings){
				func(s *client.Settings) { s.AppVersion = "2.0" }, func(s *client.Settings) { s.AppID = "other" },
			} {
				s := Settings(up, f, fmt.Sprint("guest", i))
				change(&s)
				p := newPlayer(t, s)
				p.must(p.Connect(p.ctx()))
				if err := p.JoinRoom(p.ctx(), client.EnterRoomParams{RoomName: "r"}); (err == nil) != meet[i] {
					t.Errorf("%s %s: %v, want to meet: %v", s.AppID, s.AppVersion, err, meet[i])
				}
			}
		})
	}
}
