package client

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// settings of a client of the cluster.
func (cl *cluster) settings(tr Transport) Settings {
	return Settings{
		AppID: "app", AppVersion: "1.0", NameServer: cl.name.address, Region: "eu", UserID: "me",
		NickName: "Bob", PlayerProperties: map[string]any{"level": 3}, Transport: tr,
	}
}

func connected(t *testing.T, s Settings, h Handler) *Client {
	t.Helper()
	c := New(s, h)
	t.Cleanup(c.Close)
	if err := c.Connect(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFlow goes from the name server into a room and back on every link.
func TestFlow(t *testing.T) {
	for _, l := range links {
		t.Run(l.name, func(t *testing.T) {
			ctx := testContext(t)
			cl := newCluster(t, l.transport)
			s := cl.settings(l.transport)
			s.Protocol = l.protocol
			c := connected(t, s, Handler{})
			if c.State() != ConnectedToMasterServer || c.UserID() != "user-1" || c.NickName() != "Nick" || c.Cluster() != "default" {
				t.Errorf("state %s, user %q, nick %q, cluster %q", c.State(), c.UserID(), c.NickName(), c.Cluster())
			}
			if err := c.CreateRoom(ctx, EnterRoomParams{RoomName: "room"}); err != nil {
				t.Fatal(err)
			}
			room := c.CurrentRoom()
			if c.State() != Joined || room.Name != "room" || c.MyActorNr() != 2 || c.MasterClientID() != 1 || room.MaxPlayers != 4 ||
				!room.IsOpen || room.IsVisible || room.CustomProperties["map"] != "m1" || !slices.Equal(room.PropsListedInLobby, []string{"map"}) {
				t.Errorf("state %s, room %+v", c.State(), room)
			}
			ann := Actor{ActorNr: 1, NickName: "Ann", UserID: "ann", CustomProperties: map[string]any{"team": int32(1)}}
			me := Actor{ActorNr: 2, NickName: "Nick", IsLocal: true, CustomProperties: map[string]any{"level": int32(3), "stored": int32(9)}}
			if want := map[int32]Actor{1: ann, 2: me}; !reflect.DeepEqual(room.Actors, want) {
				t.Errorf("actors\n%+v, want\n%+v", room.Actors, want)
			}
			if err := c.LeaveRoom(ctx, true); err != nil {
				t.Fatal(err)
			}
			if c.State() != ConnectedToMasterServer || c.CurrentRoom() != nil || c.MyActorNr() != 0 {
				t.Errorf("after leaving: %s, %v", c.State(), c.CurrentRoom())
			}
			want := []string{
				"NS Authenticate", "MS Authenticate", "MS CreateGame", "GS Authenticate", "GS CreateGame", "GS Leave", "MS Authenticate",
			}
			if got := cl.took(); !slices.Equal(got, want) {
				t.Errorf("requests\n%q, want\n%q", got, want)
			}
			// Secrets travel encrypted, the token alone goes to the others.
			if cl.secured["NS Authenticate"] == (l.protocol == photon.JSON) || cl.secured["MS Authenticate"] {
				t.Errorf("encrypted: %v", cl.secured)
			}
			ns := map[byte]any{220: "1.0", 224: "app", 210: "eu", 225: "me"}
			if got := cl.last("NS Authenticate"); !reflect.DeepEqual(got, ns) {
				t.Errorf("credentials %v", got)
			}
			if got := cl.last("GS Authenticate"); !reflect.DeepEqual(got, map[byte]any{221: "GS-token"}) {
				t.Errorf("to the game server: %v", got)
			}
			if got := cl.last("GS Leave"); !reflect.DeepEqual(got, map[byte]any{233: true}) {
				t.Errorf("leave %v", got)
			}
			got := cl.last("MS CreateGame")
			if l.protocol == photon.JSON {
				// These clients describe the room to the master as well.
				if got[241] != true {
					t.Errorf("to the master: %v", got)
				}
			} else if !reflect.DeepEqual(got, map[byte]any{255: "room"}) {
				t.Errorf("to the master: %v", got)
			}
		})
	}
}

func TestAuthOnce(t *testing.T) {
	ctx := testContext(t)
	cl := newCluster(t, TCP)
	s := cl.settings(TCP)
	s.AuthMode, s.EnableLobbyStatistics = AuthOnce, true
	s.CustomAuth = &CustomAuth{Type: 1, Parameters: "a=b", Data: []byte{1}}
	c := connected(t, s, Handler{})
	if err := c.JoinOrCreateRoom(ctx, EnterRoomParams{RoomName: "room"}); err != nil {
		t.Fatal(err)
	}
	want := map[byte]any{
		195: byte(1), 193: byte(0), 220: "1.0", 224: "app", 210: "eu", 225: "me", 217: byte(1), 216: "a=b", 214: []byte{1},
	}
	if got := cl.last("NS AuthenticateOnce"); !reflect.DeepEqual(got, want) {
		t.Errorf("credentials %v", got)
	}
	// No key exchange, no authentication: the token is in the init request.
	if got, want := cl.took(), []string{"NS AuthenticateOnce", "MS ServerSettings", "MS JoinGame", "GS JoinGame"}; !slices.Equal(got, want) {
		t.Errorf("requests %q", got)
	}
	if err := c.RaiseEvent(1, "x", nil, photon.Delivery{Mode: photon.Reliable, Encrypt: true}); err != nil {
		t.Error("the name server's secret is not in use:", err)
	}
}

func TestDirectMaster(t *testing.T) {
	cl := newCluster(t, TCP)
	s := cl.settings(TCP)
	s.NameServer, s.Region, s.Master = "", "", cl.mast.address
	connected(t, s, Handler{})
	if got := cl.took(); !slices.Equal(got, []string{"MS Authenticate"}) {
		t.Errorf("requests %q", got)
	}
	if got := cl.last("MS Authenticate"); got[224] != "app" || got[225] != "me" || !cl.secured["MS Authenticate"] {
		t.Errorf("credentials %v, encrypted %v", got, cl.secured)
	}
	s.AuthMode = AuthOnce
	if err := New(s, Handler{}).Connect(testContext(t)); err == nil {
		t.Error("AuthOnce without a name server")
	}
}

// TestGameParams holds the full set of options on the game server
// (loadbalancing-operations.md 8).
func TestGameParams(t *testing.T) {
	ctx := testContext(t)
	cl := newCluster(t, TCP)
	c := connected(t, cl.settings(TCP), Handler{})
	o := NewRoomOptions()
	o.MaxPlayers, o.PlayerTTL, o.EmptyRoomTTL, o.PublishUserID, o.Plugins = 4, 1000, 2000, true, []string{"X"}
	o.CustomRoomProperties, o.CustomRoomPropertiesForLobby = map[string]any{"map": 1}, []string{"map"}
	err := c.CreateRoom(ctx, EnterRoomParams{
		RoomName: "room", RoomOptions: o, Lobby: &TypedLobby{"L1", SQLLobby}, ExpectedUsers: []string{"bob"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := cl.last("GS CreateGame")
	room, player := got[248].(*gpbinary.Hashtable), got[249].(*gpbinary.Hashtable)
	delete(got, 248)
	delete(got, 249)
	want := map[byte]any{
		255: "room", 213: "L1", 212: byte(2), 238: []string{"bob"}, 250: true, 241: true, 232: true, 235: int32(1000),
		236: int32(2000), 204: []string{"X"}, 239: true, 191: int32(43),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("parameters %v, want %v", got, want)
	}
	wantRoom := gpbinary.NewHashtable(
		gpbinary.Pair{Key: byte(253), Value: true}, gpbinary.Pair{Key: byte(254), Value: true}, gpbinary.Pair{Key: byte(250), Value: []string{"map"}},
		gpbinary.Pair{Key: "map", Value: int32(1)}, gpbinary.Pair{Key: byte(255), Value: byte(4)}, gpbinary.Pair{Key: byte(243), Value: int32(4)})
	wantPlayer := gpbinary.NewHashtable(gpbinary.Pair{Key: "level", Value: int32(3)}, gpbinary.Pair{Key: byte(255), Value: "Nick"})
	if !gpbinary.Equal(room, wantRoom) || !gpbinary.Equal(player, wantPlayer) {
		t.Errorf("room %v, player %v", room.Pairs(), player.Pairs())
	}
	if got := cl.last("MS CreateGame"); len(got) != 4 {
		t.Errorf("to the master: %v", got)
	}
}

// TestWaysIn holds the table of loadbalancing.md 3.6.
func TestWaysIn(t *testing.T) {
	ctx := testContext(t)
	cl := newCluster(t, TCP)
	c := connected(t, cl.settings(TCP), Handler{})
	for name, tt := range map[string]struct {
		enter          func() error
		master, game   string
		mode, onMaster any
	}{
		"join":      {func() error { return c.JoinRoom(ctx, EnterRoomParams{RoomName: "room"}) }, "MS JoinGame", "GS JoinGame", nil, nil},
		"or create": {func() error { return c.JoinOrCreateRoom(ctx, EnterRoomParams{RoomName: "room"}) }, "MS JoinGame", "GS JoinGame", byte(1), byte(1)},
		"rejoin":    {func() error { return c.RejoinRoom(ctx, "room") }, "MS JoinGame", "GS JoinGame", byte(3), byte(3)},
		"random or create": {func() error {
			return c.JoinRandomOrCreateRoom(ctx, JoinRandomRoomParams{}, EnterRoomParams{RoomName: "room"})
		}, "MS JoinRandomGame", "GS JoinGame", byte(1), byte(1)},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.enter(); err != nil {
				t.Fatal(err)
			}
			onMaster, onGame := cl.last(tt.master), cl.last(tt.game)
			if onMaster[215] != tt.onMaster || onGame[215] != tt.mode || onGame[248] == nil || onGame[250] != true {
				t.Errorf("master %v, game server %v", onMaster, onGame)
			}
			if _, ok := onGame[249]; ok == (name == "rejoin") {
				t.Errorf("player properties: %v", ok)
			}
			if err := c.LeaveRoom(ctx, false); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestJoinRandomFails(t *testing.T) {
	ctx := testContext(t)
	cl := newCluster(t, TCP)
	c := connected(t, cl.settings(TCP), Handler{})
	err := c.JoinRandomRoom(ctx, JoinRandomRoomParams{
		ExpectedCustomRoomProperties: map[string]any{"map": "x"}, ExpectedMaxPlayers: 300, MatchingType: photon.RandomMatching,
		SQLLobbyFilter: "C0 > 1", Lobby: &TypedLobby{"L", SQLLobby},
	})
	var op *OperationError
	if !errors.As(err, &op) || op.Code != photon.ReturnNoRandomMatchFound || op.Debug != "nothing here" || ReturnCodeOf(err) != op.Code {
		t.Errorf("error %v", err)
	}
	got := cl.last("MS JoinRandomGame")
	filter := got[248].(*gpbinary.Hashtable)
	if v, _ := filter.Get(byte(243)); v != int32(300) || got[223] != byte(2) || got[245] != "C0 > 1" || got[188] != true || got[213] != "L" {
		t.Errorf("request %v, filter %v", got, filter.Pairs())
	}
	if c.State() != ConnectedToMasterServer {
		t.Error(c.State())
	}
}

// TestJoinFailsOnGameServer: back to the master, then the error (loadbalancing.md 3.7).
func TestJoinFailsOnGameServer(t *testing.T) {
	ctx := testContext(t)
	cl := newCluster(t, TCP)
	cl.joinCode = photon.ReturnGameFull
	c := connected(t, cl.settings(TCP), Handler{})
	err := c.JoinRoom(ctx, EnterRoomParams{RoomName: "room"})
	if ReturnCodeOf(err) != photon.ReturnGameFull || c.State() != ConnectedToMasterServer {
		t.Errorf("error %v, state %s", err, c.State())
	}
}

func TestSuppressedRoomEvents(t *testing.T) {
	cl := newCluster(t, TCP)
	cl.flags = 0x44
	c := connected(t, cl.settings(TCP), Handler{})
	if err := c.JoinRoom(testContext(t), EnterRoomParams{RoomName: "room"}); err != nil {
		t.Fatal(err)
	}
	if c.State() != Joined || c.CurrentRoom().Flags != 0x44 {
		t.Error(c.State(), c.CurrentRoom().Flags)
	}
}

func TestMaster(t *testing.T) {
	ctx := testContext(t)
	cl := newCluster(t, TCP)
	lists := make(chan []RoomInfo, 10)
	c := connected(t, cl.settings(TCP), Handler{OnRoomList: func(rooms []RoomInfo, full bool) {
		if full != (len(rooms) == 2) {
			t.Errorf("full %v: %v", full, rooms)
		}
		lists <- rooms
	}})
	if err := c.JoinLobby(ctx, &TypedLobby{"L", DefaultLobby}); err != nil || !c.InLobby() {
		t.Fatal(err)
	}
	first := receive(t, lists)
	if want := (RoomInfo{Name: "a", MaxPlayers: 4, PlayerCount: 2, IsOpen: true, CustomProperties: map[string]any{"map": "m1"}}); !reflect.DeepEqual(first[0], want) {
		t.Errorf("room %+v", first[0])
	}
	if second := receive(t, lists); !second[0].Removed {
		t.Errorf("update %+v", second)
	}
	if list := c.RoomList(); len(list) != 1 || list[0].Name != "b" || list[0].MaxPlayers != 300 {
		t.Errorf("list %+v", list)
	}
	friends, err := c.FindFriends(ctx, []string{"x", "y"}, photon.FriendsOpen)
	if want := []FriendInfo{{"x", true, "room"}, {"y", false, ""}}; err != nil || !slices.Equal(friends, want) {
		t.Error(friends, err)
	}
	if _, err := c.FindFriends(ctx, []string{"x"}, 0); err == nil {
		t.Error("an answer about two friends for one")
	}
	stats, err := c.GetLobbyStats(ctx)
	if want := []LobbyStatistics{{TypedLobby{"", 0}, 1, 3}, {TypedLobby{"L", 2}, 2, 4}}; err != nil || !slices.Equal(stats, want) {
		t.Error(stats, err)
	}
	if _, err := c.GetGameList(ctx, TypedLobby{"L", SQLLobby}, "C0 = 1"); err != nil {
		t.Error(err)
	}
	rpc, err := c.WebRPC(ctx, "path?x", map[string]any{"a": 1}, true)
	if want := (WebRPCResponse{"path", 3, "msg", "data"}); err != nil || *rpc != want {
		t.Error(rpc, err)
	}
	if s := c.AppStats(); s != (AppStats{3, 2, 1}) {
		t.Error(s)
	}
	if err := c.LeaveLobby(ctx); err != nil || c.InLobby() {
		t.Error(err)
	}
	if err := c.LeaveRoom(ctx, false); !errors.Is(err, ErrState) {
		t.Error(err)
	}
}

func TestClosedClient(t *testing.T) {
	cl := newCluster(t, TCP)
	c := connected(t, cl.settings(TCP), Handler{OnDisconnected: func(err *DisconnectError) { t.Error("told of its own end:", err) }})
	c.Close()
	if err := c.Connect(testContext(t)); !errors.Is(err, ErrState) {
		t.Error(err)
	}
}

// TestCloseEndsConnect: a client can be closed while it connects.
func TestCloseEndsConnect(t *testing.T) {
	seen := make(chan struct{})
	s := start(t, TCP, func(*serverConn, *photon.Request) { close(seen) }) // and no answer
	c := New(Settings{AppID: "app", NameServer: s.address, Region: "eu"}, Handler{})
	c.settings.Transport = TCP
	connected := make(chan error, 1)
	go func() { connected <- c.Connect(context.Background()) }()
	receive(t, seen)
	c.Close()
	if err := receive(t, connected); err == nil {
		t.Error("connected")
	}
	c.Close() // once more does no harm
}

// TestOperationLimit: the response ends the connection, as in official clients.
func TestOperationLimit(t *testing.T) {
	cl := newCluster(t, TCP)
	c, got := inTestRoom(t, cl)
	if err := c.RaiseEvent(104, nil, nil, SendReliable); err != nil {
		t.Fatal(err)
	}
	expect(t, got, photon.ReturnOperationLimitReached, DisconnectByOperationLimit)
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		in   string
		role role
		t    Transport
		want string
	}{
		{"h", nameServer, UDP, "h:5058"},
		{"h:1", nameServer, UDP, "h:1"},
		{"::1", masterServer, TCP, "[::1]:4530"},
		{"[::1]", masterServer, UDP, "[::1]:5055"},
		{"ws://h", nameServer, WebSocket, "ws://h:9093"},
		{"wss://h/path", gameServer, SecureWebSocket, "wss://h:19091/path"},
	} {
		if got := withPort(tt.in, tt.role, tt.t); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.in, got, tt.want)
		}
	}
	for in, want := range map[string]string{"ws://h:9090/x": "h", "[::1]:5055": "::1", "h": "h", "10.0.0.1:5055": "10.0.0.1"} {
		if got := hostOf(in); got != want {
			t.Errorf("host of %s: %s, want %s", in, got, want)
		}
	}
}
