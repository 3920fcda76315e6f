package turnbased

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
	"github.com/boson-project/boson/pkg/transport"
)

// table runs a test in virtual time. ann, actor 1, plays X, bob O.
func table(t *testing.T, test func(t *testing.T, s *plugintest.Server, ann, bob *plugintest.Client), options ...gpbinary.Param) {
	synctest.Test(t, func(t *testing.T) {
		s := plugintest.New(t, plugintest.Options{Factory: Factory})
		defer s.Stop()
		ann, bob := s.Client("ann"), s.Client("bob")
		ok(t, ann.Create("room", options...))
		refused(t, ann, EvMove, int32(0)) // nobody to play with
		if r := s.Client("ann").Join("room"); r.ReturnCode != photon.ReturnJoinFailedFoundActiveJoiner {
			t.Errorf("ann against herself: %d %s", r.ReturnCode, r.Debug)
		}
		ok(t, bob.Join("room"))
		test(t, s, ann, bob)
	})
}

func ok(t *testing.T, r *plugintest.Response) {
	t.Helper()
	if r.ReturnCode != 0 {
		t.Fatalf("response %d: %d %s", r.Code, r.ReturnCode, r.Debug)
	}
}

func refused(t *testing.T, c *plugintest.Client, code byte, data any) {
	t.Helper()
	c.Raise(code, data)
	if r := c.WaitResponse(photon.OpRaiseEvent); r.ReturnCode != photon.ReturnPluginReportedError || r.Debug == "" {
		t.Errorf("event %d with %v: %d %q", code, data, r.ReturnCode, r.Debug)
	}
}

// moves are made in turn, by the first of two clients first.
func moves(a, b *plugintest.Client, cells ...int32) {
	for _, cell := range cells {
		a.Raise(EvMove, cell)
		a.Sync()
		a, b = b, a
	}
}

// wantState asks a client for the room's properties.
func wantState(t *testing.T, c *plugintest.Client, board string, turn, winner int32) {
	t.Helper()
	p := c.RoomProperties()
	for key, want := range map[string]any{keyBoard: board, keyTurn: turn, keyWinner: winner} {
		if got, _ := p.Get(key); got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
}

func wantOver(t *testing.T, winner int32, clients ...*plugintest.Client) {
	t.Helper()
	for _, c := range clients {
		if e := c.WaitEvent(EvOver); e.Sender() != 0 || e.Data() != winner {
			t.Errorf("%s was told %v", c.UserID, e)
		}
	}
}

func TestGame(t *testing.T) {
	table(t, func(t *testing.T, s *plugintest.Server, ann, bob *plugintest.Client) {
		refused(t, bob, EvMove, int32(0)) // not his turn
		moves(ann, bob, 4, 0)
		if e := bob.WaitEvent(photon.EventPropertiesChanged); e.Sender() != 0 {
			t.Errorf("the board changed by %d", e.Sender())
		}
		wantState(t, bob, "O...X....", 1, 0)
		for _, bad := range []any{int32(0), int32(9), int32(-1), "4", nil, 0.5} {
			refused(t, ann, EvMove, bad)
		}
		moves(ann, bob, 2, 1, 6)
		wantOver(t, 1, ann, bob)
		wantState(t, bob, "OOX.X.X..", 0, 1)
		refused(t, bob, EvMove, int32(8)) // over
		// A move is nobody's event: the room tells the result.
		if got := bob.Events(); len(got) != 0 {
			t.Errorf("bob got %v", got)
		}
	})
}

func TestDraw(t *testing.T) {
	table(t, func(t *testing.T, s *plugintest.Server, ann, bob *plugintest.Client) {
		moves(ann, bob, 0, 1, 2, 4, 3, 5, 7, 6, 8)
		wantOver(t, Draw, ann, bob)
		wantState(t, ann, "XOXXOOOXX", 0, Draw)
	})
}

func TestNobodyCheats(t *testing.T) {
	cheat := plugin.NewTable(plugin.Pair{Key: keyBoard, Value: "XXX......"}, plugin.Pair{Key: keyWinner, Value: int32(1)},
		plugin.Pair{Key: photon.PropMaxPlayersInt, Value: int32(9)}, plugin.Pair{Key: "map", Value: "wood"})
	table(t, func(t *testing.T, s *plugintest.Server, ann, bob *plugintest.Client) {
		wantState(t, ann, ".........", 1, 0)
		for _, key := range keys {
			if r := ann.Set(0, plugin.NewTable(plugin.Pair{Key: key})); r.ReturnCode != photon.ReturnPluginReportedError {
				t.Errorf("%s can be set: %d", key, r.ReturnCode)
			}
		}
		ok(t, ann.Set(0, plugin.NewTable(plugin.Pair{Key: "map", Value: "stone"})))
		ok(t, ann.Set(1, plugin.NewTable(plugin.Pair{Key: keyWinner, Value: int32(1)}))) // of herself: nobody looks at it
		refused(t, ann, EvOver, int32(1))
		if r := s.Client("cat").Join("room"); r.ReturnCode != photon.ReturnGameFull {
			t.Errorf("a third player: %d %s", r.ReturnCode, r.Debug)
		}
		wantState(t, ann, ".........", 1, 0)
		bob.Raise(3, "chat")
		if e := ann.WaitEvent(3); e.Sender() != 2 {
			t.Errorf("chat: %v", e)
		}
	}, photon.Param(photon.ParamGameProperties, cheat))
}

func TestRejoin(t *testing.T) {
	table(t, func(t *testing.T, s *plugintest.Server, ann, bob *plugintest.Client) {
		moves(ann, bob, 0, 4)
		bob.Drop(transport.ReasonTimeout)
		ann.WaitEvent(photon.EventLeave)
		moves(ann, nil, 1) // the game goes on
		bob = s.Client("bob")
		r := bob.JoinMode("room", photon.RejoinOnly, photon.Param(photon.ParamActorNr, int32(2)))
		ok(t, r)
		if board, _ := r.Get(photon.ParamGameProperties).(*plugin.Table).Get(keyBoard); board != "XX..O...." {
			t.Errorf("bob finds %v", board)
		}
		moves(bob, ann, 2, 3, 6)
		wantOver(t, 2, ann, bob)
	})
}

func TestWhoGoesLoses(t *testing.T) {
	for name, leave := range map[string]func(bob *plugintest.Client){
		"leaves": func(bob *plugintest.Client) { bob.Leave(false) },
		"is away too long": func(bob *plugintest.Client) {
			bob.Drop(transport.ReasonTimeout)
			time.Sleep(rejoinTime * time.Millisecond) // virtual
		},
	} {
		t.Run(name, func(t *testing.T) {
			table(t, func(t *testing.T, s *plugintest.Server, ann, bob *plugintest.Client) {
				moves(ann, bob, 0)
				leave(bob)
				wantOver(t, 1, ann)
				wantState(t, ann, "X........", 0, 1)
			})
		})
	}
}
