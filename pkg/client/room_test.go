package client

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// inTestRoom returns a client in the cluster's room. Its callbacks send what they
// got to the channel.
func inTestRoom(t *testing.T, cl *cluster) (*Client, chan any) {
	t.Helper()
	got := make(chan any, 100)
	c := connected(t, cl.settings(TCP), Handler{
		OnEvent:                func(e *Event) { got <- [2]any{e.Code, e.CustomData()} },
		OnJoin:                 func(a Actor) { got <- [2]any{"join", a.ActorNr} },
		OnLeave:                func(a Actor, inactive bool) { got <- [3]any{"leave", a.ActorNr, inactive} },
		OnPropertiesChanged:    func(p PropertiesChange) { got <- p },
		OnMasterClientSwitched: func(n int32) { got <- [2]any{"master", n} },
		OnErrorInfo:            func(s string) { got <- s },
		OnCacheSliceChanged:    func(n int32) { got <- [2]any{"slice", n} },
		OnResponse:             func(r *Response) { got <- r.ReturnCode },
		OnDisconnected:         func(err *DisconnectError) { got <- err.Cause },
	})
	if err := c.JoinRoom(testContext(t), EnterRoomParams{RoomName: "room"}); err != nil {
		t.Fatal(err)
	}
	expect(t, got, [2]any{"join", int32(2)})
	return c, got
}

func expect(t *testing.T, got chan any, want ...any) {
	t.Helper()
	for _, w := range want {
		if g := receive(t, got); !reflect.DeepEqual(g, w) {
			t.Errorf("got %v, want %v", g, w)
		}
	}
}

func TestRoomEvents(t *testing.T) {
	cl := newCluster(t, TCP)
	c, got := inTestRoom(t, cl)
	raise := func(code photon.EventCode) {
		t.Helper()
		if err := c.RaiseEvent(code, nil, nil, SendReliable); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.RaiseEvent(7, "hello", nil, SendReliable); err != nil {
		t.Fatal(err)
	}
	expect(t, got, [2]any{photon.EventCode(7), "hello"})
	raise(100)
	expect(t, got, [3]any{"leave", int32(1), true}, [2]any{"master", int32(2)}, [3]any{"leave", int32(1), false})
	if room := c.CurrentRoom(); len(room.Actors) != 1 || room.MasterClientID != 2 {
		t.Errorf("room %+v", room)
	}
	raise(101)
	expect(t, got, [2]any{"join", int32(3)})
	raise(102)
	expect(t, got, "oops", [2]any{"slice", int32(5)}, photon.ReturnCode(-2))
	if c.token != "refreshed" {
		t.Errorf("token %v", c.token)
	}
}

func TestProperties(t *testing.T) {
	for _, flags := range []int32{0x23, 0x03, 0x13} {
		ctx := testContext(t)
		cl := newCluster(t, TCP)
		cl.flags = flags
		c, got := inTestRoom(t, cl)
		broadcast := flags&0x20 != 0
		told := func() {
			if broadcast {
				if _, ok := receive(t, got).(PropertiesChange); !ok {
					t.Error("no change")
				}
			}
		}
		if err := c.SetRoomProperties(ctx, map[string]any{"map": "m2", "x": 1}, nil); err != nil {
			t.Fatal(err)
		}
		told()
		if err := c.SetRoomProperties(ctx, map[string]any{"x": nil}, nil); err != nil {
			t.Fatal(err)
		}
		told()
		room := c.CurrentRoom()
		x, has := room.CustomProperties["x"]
		if room.CustomProperties["map"] != "m2" || x != nil || has == (flags&0x10 != 0) {
			t.Errorf("flags %x: properties %v", flags, room.CustomProperties)
		}
		if err := c.SetActorProperties(ctx, 1, map[string]any{"team": 2}, nil); err != nil {
			t.Fatal(err)
		}
		told()
		if a := c.CurrentRoom().Actors[1]; a.CustomProperties["team"] != int32(2) {
			t.Errorf("actor %v", a)
		}
		if err := c.SetMaxPlayers(ctx, 300); err != nil {
			t.Fatal(err)
		}
		told()
		if err := c.SetIsOpen(ctx, false); err != nil {
			t.Fatal(err)
		}
		told()
		if room := c.CurrentRoom(); room.MaxPlayers != 300 || room.IsOpen {
			t.Errorf("room %+v", room)
		}
		// The server's script refuses every condition.
		err := c.SetRoomProperties(ctx, map[string]any{"map": "m3"}, map[string]any{"map": "m1"})
		if ReturnCodeOf(err) != photon.ReturnInvalidOperation {
			t.Errorf("condition: %v", err)
		}
		if err := c.SetMasterClient(ctx, 2); ReturnCodeOf(err) != photon.ReturnInvalidOperation {
			t.Errorf("master client: %v", err)
		}
		if got := cl.last("GS SetProperties")[231].(*gpbinary.Hashtable); !gpbinary.Equal(got, gpbinary.NewHashtable(gpbinary.Pair{Key: byte(248), Value: int32(1)})) {
			t.Errorf("condition %v", got.Pairs())
		}
		if err := c.SetActorProperties(ctx, 0, nil, nil); err == nil {
			t.Error("actor 0")
		}
	}
}

func TestChangeGroups(t *testing.T) {
	cl := newCluster(t, TCP)
	c, got := inTestRoom(t, cl)
	if err := c.ChangeGroups([]byte{}, []byte{1, 2}); err != nil {
		t.Fatal(err)
	}
	if err := c.RaiseEvent(7, nil, nil, SendReliable); err != nil {
		t.Fatal(err)
	}
	expect(t, got, [2]any{photon.EventCode(7), nil})
	if got := cl.last("GS ChangeGroups"); !reflect.DeepEqual(got, map[byte]any{239: []byte{}, 238: []byte{1, 2}}) {
		t.Errorf("groups %v", got)
	}
}

// TestLostAndBack: the loss is told, and the way back goes straight to the game
// server (loadbalancing.md 3.9).
func TestLostAndBack(t *testing.T) {
	ctx := testContext(t)
	cl := newCluster(t, TCP)
	c, got := inTestRoom(t, cl)
	cl.took()
	if err := c.RaiseEvent(103, nil, nil, SendReliable); err != nil {
		t.Fatal(err)
	}
	expect(t, got, ServerTimeout)
	if c.State() != Disconnected {
		t.Error(c.State())
	}
	if err := c.RaiseEvent(1, nil, nil, SendReliable); !errors.Is(err, ErrState) {
		t.Error(err)
	}
	if err := c.ReconnectAndRejoin(ctx); err != nil {
		t.Fatal(err)
	}
	if want := []string{"GS RaiseEvent", "GS Authenticate", "GS JoinGame"}; !slices.Equal(cl.took(), want) {
		t.Error("not straight to the game server")
	}
	me := c.CurrentRoom().Actors[2]
	if me.CustomProperties["stored"] != int32(9) || me.CustomProperties["level"] != nil {
		t.Errorf("own properties %v: not the stored ones", me.CustomProperties)
	}
	c.Disconnect()
	if err := c.ReconnectToMaster(ctx); err != nil || c.State() != ConnectedToMasterServer {
		t.Error(err, c.State())
	}
}

// TestRaiseEventParams compares with requests of the official client
// (loadbalancing-operations.md 8).
func TestRaiseEventParams(t *testing.T) {
	index := int32(4)
	for _, tt := range []struct {
		code    photon.EventCode
		content any
		opt     *RaiseEventOptions
		want    map[byte]any
	}{
		{7, "hello", &RaiseEventOptions{CachingOption: photon.AddToRoomCache, Receivers: photon.ReceiverAll},
			map[byte]any{247: byte(4), 246: byte(1), 244: byte(7), 245: "hello"}},
		{8, map[string]any{}, &RaiseEventOptions{TargetActors: []int32{1, 2}, WebFlags: 3, Receivers: photon.ReceiverAll},
			map[byte]any{252: []int32{1, 2}, 234: byte(3), 244: byte(8), 245: gpbinary.NewHashtable()}},
		{0, 5, &RaiseEventOptions{CachingOption: photon.RemoveFromRoomCache, TargetActors: []int32{0, 1}},
			map[byte]any{247: byte(6), 252: []int32{0, 1}, 244: byte(0), 245: int32(5)}},
		{0, nil, &RaiseEventOptions{CachingOption: photon.SliceIncreaseIndex}, map[byte]any{247: byte(10)}},
		{0, nil, &RaiseEventOptions{CachingOption: photon.SliceSetIndex, CacheSliceIndex: &index}, map[byte]any{247: byte(11), 205: int32(4)}},
		{9, nil, &RaiseEventOptions{InterestGroup: 3, Receivers: photon.ReceiverAll}, map[byte]any{240: byte(3), 244: byte(9)}},
		{9, nil, nil, map[byte]any{244: byte(9)}},
	} {
		got := make(map[byte]any)
		for _, p := range RaiseEventParams(tt.code, tt.content, tt.opt) {
			got[p.Key] = p.Value
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("code %d: %v, want %v", tt.code, got, tt.want)
		}
	}
}
