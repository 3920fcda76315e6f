package cluster

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// player is a client with everything it heard.
type player struct {
	*client.Client
	t      testing.TB
	events chan heard
	joins  chan int32
	leaves chan int32
	props  chan client.PropertiesChange
	lists  chan []client.RoomInfo
	stats  chan client.AppStats
	lost   chan error
}

type heard struct {
	code    photon.EventCode
	from    int32
	content any
	d       photon.Delivery
}

func newPlayer(t testing.TB, s client.Settings) *player {
	p := &player{t: t, events: make(chan heard, 4096), joins: make(chan int32, 64), leaves: make(chan int32, 64),
		props: make(chan client.PropertiesChange, 64), lists: make(chan []client.RoomInfo, 64), stats: make(chan client.AppStats, 64), lost: make(chan error, 4)}
	p.Client = client.New(s, client.Handler{
		OnEvent:             func(e *client.Event) { p.events <- heard{e.Code, e.ActorNr(), e.CustomData(), e.Delivery} },
		OnJoin:              func(a client.Actor) { p.joins <- a.ActorNr },
		OnLeave:             func(a client.Actor, _ bool) { p.leaves <- a.ActorNr },
		OnPropertiesChanged: func(c client.PropertiesChange) { p.props <- c },
		OnRoomList:          func(rooms []client.RoomInfo, _ bool) { p.lists <- rooms },
		OnAppStats:          func(s client.AppStats) { p.stats <- s },
		OnDisconnected:      func(err *client.DisconnectError) { p.lost <- err },
	})
	t.Cleanup(p.Close)
	return p
}

func (p *player) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	p.t.Cleanup(cancel)
	return ctx
}

func (p *player) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// next waits for something that the player hears.
func next[T any](t testing.TB, c chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(Timeout):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

func connected(t testing.TB, up *daemon.Up, f Form, user string) *player {
	t.Helper()
	p := newPlayer(t, Settings(up, f, user))
	p.must(p.Connect(p.ctx()))
	return p
}

func code(err error) photon.ReturnCode {
	var oe *client.OperationError
	if errors.As(err, &oe) {
		return oe.Code
	}
	return 0
}

// Every transport with every serialization goes the whole way: name server,
// lobby, create, join, random, events, properties, leave, back to the master.
func TestWholeWay(t *testing.T) {
	up := Start(t, func(c *config.Config) { c.Master.ListInterval = 20 * time.Millisecond })
	for _, f := range Forms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			ann, bob := connected(t, up, f, "ann"+f.String()), connected(t, up, f, "bob"+f.String())
			lobby := client.TypedLobby{Name: "lobby " + f.String()}
			bob.must(bob.JoinLobby(bob.ctx(), &lobby))
			next(t, bob.lists, "initial room list")

			opt := client.NewRoomOptions()
			opt.MaxPlayers = 3
			opt.CustomRoomProperties = map[string]any{"map": "m1", "n": int32(7)}
			opt.CustomRoomPropertiesForLobby = []string{"map"}
			ann.must(ann.CreateRoom(ann.ctx(), client.EnterRoomParams{RoomName: "room " + f.String(), RoomOptions: opt, Lobby: &lobby}))
			if nr := ann.MyActorNr(); nr != 1 {
				t.Errorf("creator is actor %d", nr)
			}
			if list := next(t, bob.lists, "room list update"); len(list) != 1 || list[0].Name != "room "+f.String() || list[0].MaxPlayers != 3 {
				t.Errorf("room list %+v", list)
			}
			bob.must(bob.JoinRandomRoom(bob.ctx(), client.JoinRandomRoomParams{ExpectedCustomRoomProperties: map[string]any{"map": "m1"}, Lobby: &lobby}))
			if nr := bob.MyActorNr(); nr != 2 {
				t.Errorf("second player is actor %d", nr)
			}
			if nr := next(t, ann.joins, "own join"); nr != 1 {
				t.Errorf("first join is of actor %d", nr)
			}
			if nr := next(t, ann.joins, "join of the other"); nr != 2 {
				t.Errorf("second join is of actor %d", nr)
			}

			bob.must(bob.RaiseEvent(9, "hello", nil, client.SendReliable))
			if e := next(t, ann.events, "event"); e.code != 9 || e.from != 2 || e.content != "hello" {
				t.Errorf("got %+v", e)
			}
			ann.must(ann.RaiseEvent(10, nil, &client.RaiseEventOptions{Receivers: photon.ReceiverAll}, client.SendReliable))
			if e := next(t, ann.events, "own event"); e.code != 10 || e.from != 1 {
				t.Errorf("got %+v", e)
			}
			next(t, bob.events, "event to all")

			ann.must(ann.SetRoomProperties(ann.ctx(), map[string]any{"score": int32(3)}, nil))
			if c := next(t, bob.props, "changed property"); c.TargetActorNr != 0 {
				t.Errorf("got %+v", c)
			}
			if err := bob.SetRoomProperties(bob.ctx(), map[string]any{"score": int32(5)}, map[string]any{"score": int32(4)}); code(err) != photon.ReturnInvalidOperation {
				t.Errorf("compare-and-swap with a wrong expectation: %v", err)
			}

			ann.must(ann.LeaveRoom(ann.ctx(), false))
			if nr := next(t, bob.leaves, "leave"); nr != 1 {
				t.Errorf("actor %d left", nr)
			}
			if id := bob.MasterClientID(); id != 2 {
				t.Errorf("master client is %d", id)
			}
			bob.must(bob.LeaveRoom(bob.ctx(), false))
			if err := ann.JoinRoom(ann.ctx(), client.EnterRoomParams{RoomName: "room " + f.String()}); code(err) != photon.ReturnGameDoesNotExist {
				t.Errorf("join of a room that is gone: %v", err)
			}
		})
	}
}

// A JSON, a V16 and a V18 client together in one room, each receiving what the
// others send. LB-230
func TestMixedSerializers(t *testing.T) {
	up := Start(t, nil)
	forms := []Form{{client.WebSocket, photon.JSON}, {client.UDP, photon.GpBinaryV16}, {client.TCP, photon.GpBinaryV18}}
	var players []*player
	for i, f := range forms {
		p := connected(t, up, f, fmt.Sprint("user", i))
		p.must(p.JoinOrCreateRoom(p.ctx(), client.EnterRoomParams{RoomName: "mixed"}))
		players = append(players, p)
	}
	table := gpbinary.NewHashtable(gpbinary.Pair{Key: "a", Value: int32(1)}, gpbinary.Pair{Key: "b", Value: gpbinary.ObjectArray{"x", true, nil, 2.5}})
	for i, sender := range players {
		sender.must(sender.RaiseEvent(photon.EventCode(i+1), table, nil, client.SendReliable))
		for j, receiver := range players {
			if i == j {
				continue
			}
			e := next(t, receiver.events, fmt.Sprintf("event of player %d at player %d", i, j))
			if e.code != photon.EventCode(i+1) || e.from != sender.MyActorNr() || !gpbinary.EqualValues(e.content, table) {
				t.Errorf("player %d got %+v", j, e)
			}
		}
	}
	// What JSON has no words for passes between the binary ones untouched.
	players[1].must(players[1].RaiseEvent(50, []byte{1, 2, 255}, nil, client.SendReliable))
	if e := next(t, players[2].events, "bytes"); !reflect.DeepEqual(e.content, []byte{1, 2, 255}) {
		t.Errorf("got %T %v", e.content, e.content)
	}
	if e := next(t, players[0].events, "bytes as JSON"); !gpbinary.EqualValues(e.content, gpbinary.ObjectArray{int32(1), int32(2), int32(255)}) {
		t.Errorf("got %T %v", e.content, e.content)
	}
}

// LB-061, LB-062, LB-063, wire W-35: AuthenticateOnce on every transport.
func TestAuthenticateOnce(t *testing.T) {
	up := Start(t, nil)
	for _, f := range Forms {
		if f.Protocol == photon.JSON {
			continue // has no AuthenticateOnce
		}
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			s := Settings(up, f, "once"+f.String())
			s.AuthMode = client.AuthOnce
			a := newPlayer(t, s)
			a.must(a.Connect(a.ctx()))
			a.must(a.CreateRoom(a.ctx(), client.EnterRoomParams{}))
			if !a.Peer().Encrypted() {
				t.Fatal("no encryption from the name server's secret")
			}
			s.UserID += "2"
			b := newPlayer(t, s)
			b.must(b.Connect(b.ctx()))
			b.must(b.JoinRoom(b.ctx(), client.EnterRoomParams{RoomName: a.CurrentRoom().Name}))
			// LB-228: encrypted for receivers when the sender's was.
			a.must(a.RaiseEvent(1, "secret", nil, photon.Delivery{Mode: photon.Reliable, Encrypt: true}))
			if e := next(t, b.events, "encrypted event"); e.content != "secret" || !e.d.Encrypt {
				t.Errorf("got %+v", e)
			}
			a.must(a.LeaveRoom(a.ctx(), false))
		})
	}
}

// LB-013, CL-53: players of two versions of an application never meet.
func TestVersionsAreSeparate(t *testing.T) {
	up := Start(t, nil)
	f := Form{client.TCP, photon.GpBinaryV18}
	one := connected(t, up, f, "one")
	s := Settings(up, f, "two")
	s.AppVersion = "2.0"
	two := newPlayer(t, s)
	two.must(two.Connect(two.ctx()))
	one.must(one.CreateRoom(one.ctx(), client.EnterRoomParams{RoomName: "same name"}))
	if err := two.JoinRoom(two.ctx(), client.EnterRoomParams{RoomName: "same name"}); code(err) != photon.ReturnGameDoesNotExist {
		t.Errorf("join across versions: %v", err)
	}
	two.must(two.CreateRoom(two.ctx(), client.EnterRoomParams{RoomName: "same name"}))
	if n := up.Rooms(); n != 2 {
		t.Errorf("%d rooms", n)
	}
}

// LB-105 and LB-101, LB-166: what a join by name can meet.
func TestJoinErrors(t *testing.T) {
	up := Start(t, nil)
	f := Form{client.TCP, photon.GpBinaryV18}
	ann, bob := connected(t, up, f, "ann"), connected(t, up, f, "bob")
	opt := client.NewRoomOptions()
	opt.MaxPlayers, opt.IsVisible = 1, false
	ann.must(ann.CreateRoom(ann.ctx(), client.EnterRoomParams{RoomName: "r", RoomOptions: opt}))
	if err := bob.CreateRoom(bob.ctx(), client.EnterRoomParams{RoomName: "r"}); code(err) != photon.ReturnGameIDAlreadyExists {
		t.Errorf("second create: %v", err)
	}
	if err := bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: "r"}); code(err) != photon.ReturnGameFull {
		t.Errorf("join of a full room: %v", err)
	}
	if err := bob.JoinRandomRoom(bob.ctx(), client.JoinRandomRoomParams{}); code(err) != photon.ReturnNoRandomMatchFound {
		t.Errorf("random join: %v", err)
	}
	ann.must(ann.SetMaxPlayers(ann.ctx(), 5))
	ann.must(ann.SetIsOpen(ann.ctx(), false))
	eventually(t, func() bool {
		return code(bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: "r"})) == photon.ReturnGameClosed
	}, "the master learns that the room is closed")
	ann.must(ann.SetIsOpen(ann.ctx(), true))
	eventually(t, func() bool {
		return bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: "r"}) == nil
	}, "the invisible room can be joined by name")
}

// eventually polls what other servers learn a moment later.
func eventually(t testing.TB, ok func() bool, what string) {
	t.Helper()
	deadline := time.Now().Add(Timeout)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Clients that call at the same moment meet in one room. LB-120, CL-25
func TestConcurrentJoinOrCreate(t *testing.T) {
	up := Start(t, nil)
	const players, rounds = 12, 5
	var all []*player
	for i := range players {
		all = append(all, connected(t, up, Forms[i%len(Forms)], fmt.Sprint("user", i)))
	}
	for round := range rounds {
		var wg sync.WaitGroup
		for i, p := range all {
			wg.Go(func() {
				params := client.EnterRoomParams{RoomName: fmt.Sprint("meet ", round)}
				if err := p.JoinOrCreateRoom(p.ctx(), params); err != nil {
					t.Errorf("round %d, player %d: %v", round, i, err)
				}
			})
		}
		wg.Wait()
		if n := up.Rooms(); n != 1 {
			t.Fatalf("round %d: %d rooms", round, n)
		}
		eventually(t, func() bool { return len(all[0].CurrentRoom().Actors) == players }, "everybody sees everybody")
		for _, p := range all {
			wg.Go(func() { p.must(p.LeaveRoom(p.ctx(), false)) })
		}
		wg.Wait()
		eventually(t, func() bool { return up.Rooms() == 0 }, "the room ends")
	}
}

// LB-226: order and completeness, over every transport at once.
func TestBurstInOrder(t *testing.T) {
	up := Start(t, nil)
	sender := connected(t, up, Form{client.UDP, photon.GpBinaryV18}, "sender")
	sender.must(sender.CreateRoom(sender.ctx(), client.EnterRoomParams{RoomName: "burst"}))
	var receivers []*player
	for i, f := range Forms {
		p := connected(t, up, f, fmt.Sprint("receiver", i))
		p.must(p.JoinRoom(p.ctx(), client.EnterRoomParams{RoomName: "burst"}))
		receivers = append(receivers, p)
	}
	const n = 2000
	for i := range n {
		sender.must(sender.RaiseEvent(1, int32(i), nil, client.SendReliable))
	}
	for i, p := range receivers {
		for want := range n {
			e := next(t, p.events, fmt.Sprintf("event %d at receiver %d", want, i))
			if got, ok := photon.AsInt(e.content); !ok || got != int64(want) {
				t.Fatalf("receiver %d (%s): event %d instead of %d", i, Forms[i], got, want)
			}
		}
	}
}

// A large message crosses every transport.
func TestLargeEvent(t *testing.T) {
	up := Start(t, nil)
	a := connected(t, up, Form{client.UDP, photon.GpBinaryV18}, "a")
	a.must(a.CreateRoom(a.ctx(), client.EnterRoomParams{RoomName: "large"}))
	b := connected(t, up, Form{client.UDP, photon.GpBinaryV16}, "b")
	b.must(b.JoinRoom(b.ctx(), client.EnterRoomParams{RoomName: "large"}))
	content := make([]byte, 200_000) // wire W-14
	for i := range content {
		content[i] = byte(i * 7)
	}
	a.must(a.RaiseEvent(1, content, nil, client.SendReliable))
	if e := next(t, b.events, "large event"); !reflect.DeepEqual(e.content, content) {
		t.Error("the content changed on its way")
	}
}
