package client_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/photon"
)

// startCluster runs a whole cluster in this process, on free ports.
func startCluster(ctx context.Context) (*daemon.Up, error) {
	cfg := config.Default()
	daemon.UpPreset(cfg)
	free := "127.0.0.1:0"
	listen := config.Endpoints{UDP: free, TCP: free, WS: free, WSS: free}
	cfg.NameServer.Listen, cfg.Master.Listen, cfg.GameServer.Listen = listen, listen, listen
	cfg.Master.S2S, cfg.Admin.Listen = free, ""
	cfg.TLS.SelfSigned = true
	cfg.Master.ListInterval = 20 * time.Millisecond
	cfg.Master.StatsInterval = 50 * time.Millisecond
	up, err := daemon.NewUp(cfg, zerolog.Nop(), io.Discard)
	if err != nil {
		return nil, err
	}
	return up, up.Start(ctx)
}

func cluster(t *testing.T) *daemon.Up {
	t.Helper()
	up, err := startCluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := up.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return up
}

// address of a server for a transport.
func address(bound []app.Bound, tr client.Transport) string {
	for _, b := range bound {
		if b.Kind.String() == tr.String() {
			if tr == client.WebSocket || tr == client.SecureWebSocket {
				return tr.String() + "://" + b.Addr.String()
			}
			return b.Addr.String()
		}
	}
	return ""
}

// player is a client whose callbacks go into channels.
type player struct {
	*client.Client
	events  chan event
	joins   chan client.Actor
	leaves  chan int32
	changes chan client.PropertiesChange
	masters chan int32
	lists   chan []client.RoomInfo
	stats   chan client.AppStats
}

type event struct {
	code    photon.EventCode
	content any
	sender  int32
}

func newPlayer(t *testing.T, s client.Settings) *player {
	t.Helper()
	p := &player{
		events: make(chan event, 100), joins: make(chan client.Actor, 100), leaves: make(chan int32, 100),
		changes: make(chan client.PropertiesChange, 100), masters: make(chan int32, 100),
		lists: make(chan []client.RoomInfo, 100), stats: make(chan client.AppStats, 100),
	}
	p.Client = client.New(s, client.Handler{
		OnEvent:                func(e *client.Event) { p.events <- event{e.Code, e.CustomData(), e.ActorNr()} },
		OnJoin:                 func(a client.Actor) { p.joins <- a },
		OnLeave:                func(a client.Actor, _ bool) { p.leaves <- a.ActorNr },
		OnPropertiesChanged:    func(c client.PropertiesChange) { p.changes <- c },
		OnMasterClientSwitched: func(n int32) { p.masters <- n },
		OnRoomList:             func(l []client.RoomInfo, _ bool) { p.lists <- l },
		OnAppStats: func(s client.AppStats) {
			select {
			case p.stats <- s:
			default:
			}
		},
	})
	t.Cleanup(p.Close)
	if err := p.Connect(within(t)); err != nil {
		t.Fatal(err)
	}
	return p
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func next[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("no %s came", what)
		panic("unreachable")
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func settings(up *daemon.Up, tr client.Transport, p photon.Protocol, mode client.AuthMode, user string) client.Settings {
	ns := tr
	if mode == client.AuthOnceWss {
		ns = client.SecureWebSocket
	}
	return client.Settings{
		AppID: "app", AppVersion: "1", NameServer: address(up.NameServer(), ns), Region: "eu", UserID: user, NickName: user,
		Transport: tr, Protocol: p, AuthMode: mode, TLS: &tls.Config{InsecureSkipVerify: true},
	}
}

// TestPlay plays with a real cluster, on every transport, with every protocol
// and mode of authentication, against a second player on TCP.
// loadbalancing LB-061, LB-062, LB-063 (AuthOnce)
func TestPlay(t *testing.T) {
	up := cluster(t)
	for _, tt := range []struct {
		transport client.Transport
		protocol  photon.Protocol
		mode      client.AuthMode
	}{
		{client.UDP, photon.GpBinaryV18, client.Auth},
		{client.UDP, photon.GpBinaryV16, client.AuthOnce},
		{client.TCP, photon.GpBinaryV16, client.Auth},
		{client.TCP, photon.GpBinaryV18, client.AuthOnce},
		{client.UDP, photon.GpBinaryV18, client.AuthOnceWss},
		{client.WebSocket, photon.GpBinaryV18, client.Auth},
		{client.WebSocket, photon.GpBinaryV16, client.AuthOnce},
		{client.WebSocket, photon.JSON, client.Auth},
		{client.SecureWebSocket, photon.GpBinaryV18, client.Auth},
		{client.SecureWebSocket, photon.GpBinaryV18, client.AuthOnce},
		{client.SecureWebSocket, photon.JSON, client.Auth},
	} {
		t.Run(fmt.Sprintf("%s %s %d", tt.transport, tt.protocol, tt.mode), func(t *testing.T) {
			play(t, newPlayer(t, settings(up, tt.transport, tt.protocol, tt.mode, "ann")),
				newPlayer(t, settings(up, client.TCP, photon.GpBinaryV18, client.Auth, "bob")), t.Name())
		})
	}
}

func play(t *testing.T, ann, bob *player, name string) {
	ctx := within(t)
	options := client.NewRoomOptions()
	options.MaxPlayers, options.PublishUserID, options.PlayerTTL = 4, true, 60000
	options.CustomRoomProperties, options.CustomRoomPropertiesForLobby = map[string]any{"map": "m1"}, []string{"map"}
	ok(t, ann.CreateRoom(ctx, client.EnterRoomParams{RoomName: name, RoomOptions: options}))
	if me := next(t, ann.joins, "own Join event"); !me.IsLocal || me.ActorNr != 1 || me.UserID != "ann" || ann.MasterClientID() != 1 {
		t.Errorf("own join %+v, master client %d", me, ann.MasterClientID())
	}
	ok(t, ann.RaiseEvent(1, "cached", &client.RaiseEventOptions{CachingOption: photon.AddToRoomCache}, client.SendReliable))
	ok(t, ann.SetRoomProperties(ctx, map[string]any{"round": 1}, nil))

	if err := bob.CreateRoom(ctx, client.EnterRoomParams{RoomName: name}); client.ReturnCodeOf(err) != photon.ReturnGameIDAlreadyExists {
		t.Errorf("second room of the name: %v", err)
	}
	ok(t, bob.JoinRoom(ctx, client.EnterRoomParams{RoomName: name}))
	room := bob.CurrentRoom()
	if bob.MyActorNr() != 2 || room.MaxPlayers != 4 || room.CustomProperties["map"] != "m1" || room.CustomProperties["round"] != int32(1) ||
		room.MasterClientID != 1 || room.Actors[1].NickName != "ann" || room.Actors[1].UserID != "ann" {
		t.Errorf("bob's room %+v", room)
	}
	if e := next(t, bob.events, "cached event"); e != (event{1, "cached", 1}) {
		t.Errorf("cached event %v", e)
	}
	if a := next(t, ann.joins, "Join event"); a.NickName != "bob" || a.ActorNr != 2 {
		t.Errorf("bob's join %+v", a)
	}

	// Events both ways, to all and to some.
	ok(t, ann.RaiseEvent(2, int32(7), nil, client.SendReliable))
	if e := next(t, bob.events, "event"); e != (event{2, int32(7), 1}) {
		t.Errorf("event %v", e)
	}
	ok(t, bob.RaiseEvent(3, "to all", &client.RaiseEventOptions{Receivers: photon.ReceiverAll}, client.SendUnreliable))
	for _, p := range []*player{ann, bob} {
		if e := next(t, p.events, "event to all"); e != (event{3, "to all", 2}) {
			t.Errorf("event to all %v", e)
		}
	}
	ok(t, bob.ChangeGroups(nil, []byte{5}))
	// The answer to an operation behind it says that the subscription is in force.
	ok(t, bob.SetActorProperties(ctx, 2, map[string]any{"team": "red"}, nil))
	ok(t, ann.RaiseEvent(4, nil, &client.RaiseEventOptions{InterestGroup: 5}, client.SendReliable))
	if e := next(t, bob.events, "event to the group"); e != (event{4, nil, 1}) {
		t.Errorf("event to the group %v", e)
	}

	// Properties, with and without a condition.
	if c := next(t, ann.changes, "change of round"); c.TargetActorNr != 0 {
		t.Errorf("change %+v", c)
	}
	if c := next(t, ann.changes, "change of team"); c.TargetActorNr != 2 || ann.CurrentRoom().Actors[2].CustomProperties["team"] != "red" {
		t.Errorf("change %+v", c)
	}
	ok(t, bob.SetRoomProperties(ctx, map[string]any{"round": 2}, map[string]any{"round": 1}))
	next(t, ann.changes, "change of round")
	if err := ann.SetRoomProperties(ctx, map[string]any{"round": 3}, map[string]any{"round": 1}); client.ReturnCodeOf(err) != photon.ReturnInvalidOperation {
		t.Errorf("condition that does not hold: %v", err)
	}
	if got := ann.CurrentRoom().CustomProperties["round"]; got != int32(2) {
		t.Errorf("round %v", got)
	}

	// The master client leaves for a while; the next one takes over.
	ok(t, ann.LeaveRoom(ctx, true))
	if n := next(t, bob.leaves, "Leave event"); n != 1 {
		t.Errorf("left: %d", n)
	}
	if n := next(t, bob.masters, "new master client"); n != 2 || bob.MasterClientID() != 2 || !bob.CurrentRoom().Actors[1].IsInactive {
		t.Errorf("master client %d, room %+v", n, bob.CurrentRoom())
	}
	ok(t, ann.RejoinRoom(ctx, name))
	if ann.MyActorNr() != 1 || ann.MasterClientID() != 2 || ann.CurrentRoom().Actors[2].CustomProperties["team"] != "red" {
		t.Errorf("after the rejoin: %+v", ann.CurrentRoom())
	}
	ok(t, bob.SetMasterClient(ctx, 1))
	if n := next(t, ann.masters, "new master client"); n != 1 {
		t.Errorf("master client %d", n)
	}
	ok(t, ann.LeaveRoom(ctx, false))
	ok(t, bob.LeaveRoom(ctx, false))
	if ann.State() != client.ConnectedToMasterServer {
		t.Error(ann.State())
	}
}

// TestMatchmaking: lobby lists, random matches, friends, statistics.
func TestMatchmaking(t *testing.T) {
	up := cluster(t)
	ctx := within(t)
	ann := newPlayer(t, settings(up, client.UDP, photon.GpBinaryV18, client.Auth, "ann"))
	bob := newPlayer(t, settings(up, client.TCP, photon.GpBinaryV18, client.AuthOnce, "bob"))
	eve := newPlayer(t, settings(up, client.WebSocket, photon.JSON, client.Auth, "eve"))

	ok(t, eve.JoinLobby(ctx, nil))
	if list := next(t, eve.lists, "room list"); len(list) != 0 {
		t.Errorf("list %v", list)
	}
	if err := bob.JoinRandomRoom(ctx, client.JoinRandomRoomParams{}); client.ReturnCodeOf(err) != photon.ReturnNoRandomMatchFound {
		t.Errorf("random join without rooms: %v", err)
	}
	options := client.NewRoomOptions()
	options.CustomRoomProperties, options.CustomRoomPropertiesForLobby = map[string]any{"map": "m1"}, []string{"map"}
	ok(t, ann.JoinRandomOrCreateRoom(ctx, client.JoinRandomRoomParams{}, client.EnterRoomParams{RoomOptions: options}))
	name := ann.CurrentRoom().Name
	for {
		if list := next(t, eve.lists, "room list"); len(list) == 1 && list[0].PlayerCount == 1 {
			if list[0].Name != name || list[0].CustomProperties["map"] != "m1" || !list[0].IsOpen {
				t.Errorf("row %+v", list[0])
			}
			break
		}
	}
	filter := func(m string) client.JoinRandomRoomParams {
		return client.JoinRandomRoomParams{ExpectedCustomRoomProperties: map[string]any{"map": m}}
	}
	if err := bob.JoinRandomRoom(ctx, filter("m2")); client.ReturnCodeOf(err) != photon.ReturnNoRandomMatchFound {
		t.Errorf("random join of another map: %v", err)
	}
	ok(t, bob.JoinRandomRoom(ctx, filter("m1")))
	if bob.CurrentRoom().Name != name {
		t.Errorf("bob is in %s", bob.CurrentRoom().Name)
	}
	for {
		friends, err := eve.FindFriends(ctx, []string{"bob", "nobody"}, 0)
		ok(t, err)
		if friends[1].IsOnline {
			t.Error("nobody is online")
		}
		if friends[0].Room == name {
			break
		}
		next(t, eve.stats, "statistics")
	}
	for next(t, eve.stats, "statistics") != (client.AppStats{PlayersInRooms: 2, Rooms: 1, PlayersOnMaster: 1}) {
	}
}

// TestBestRegion finds the way without a region given.
func TestBestRegion(t *testing.T) {
	up := cluster(t)
	s := settings(up, client.UDP, photon.GpBinaryV18, client.Auth, "ann")
	s.Region = ""
	_, port, err := net.SplitHostPort(address(up.Master(), client.UDP))
	ok(t, err)
	s.RegionPingPort, err = net.LookupPort("udp", port)
	ok(t, err)
	newPlayer(t, s)
}
