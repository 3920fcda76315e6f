package s2s

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
)

// onLink encodes parameters and decodes them again, as a link does.
func onLink(t *testing.T, p gpbinary.Params) gpbinary.Params {
	t.Helper()
	b, err := photon.AppendRequest(nil, photon.GpBinaryV16, 1, p)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := gpbinary.DecodeRequest(gpbinary.V16, b[2:])
	if err != nil {
		t.Fatal(err)
	}
	return r.Params
}

// What masters ask each other arrives as it was, in every serialization of clients.
func TestMastersRequests(t *testing.T) {
	for _, proto := range []photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18, photon.JSON} {
		msg, err := photon.AppendRequest(nil, proto, photon.OpJoinGame, photon.Params{
			photon.Param(photon.ParamRoomName, "room"), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)),
			photon.Param(photon.ParamGameProperties, gpbinary.NewHashtable(gpbinary.Pair{Key: "map", Value: "forest"})),
		})
		if err != nil {
			t.Fatal(err)
		}
		if proto == photon.JSON {
			msg = msg[bytes.IndexByte(msg, '{'):] // without the frame
		}
		want := Forward{
			App: "app\x001.0", User: "ann", Session: 1 << 63, Lobby: lobby.ID{Name: "arena", Type: lobby.SQL}, Transport: 3, Client: netip.MustParseAddr("203.0.113.9"),
		}
		if err := photon.ParseRequest(proto, msg, &want.Request); err != nil {
			t.Fatal(err)
		}
		got, err := ParseForward(onLink(t, want.Params()))
		want.Request.Delivery = photon.Delivery{}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v\nwant %+v", proto, got, err, want)
		}
	}
	if _, err := ParseForward(onLink(t, gpbinary.Params{param(7, byte(99))})); err == nil {
		t.Error("unknown serialization is taken")
	}
	d := Decision{Code: -3, Text: "text", Room: "room", Server: "gs-1"}
	if got, err := ParseDecision(onLink(t, d.Params())); err != nil || got != d {
		t.Errorf("%+v, %v", got, err)
	}
	c := Claim{App: "app", Room: "room", Server: "gs-1", Placement: [16]byte{1, 15: 9}, TTL: 15 * time.Second}
	if got, err := ParseClaim(onLink(t, c.Params())); err != nil || got != c {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ParseClaim(onLink(t, gpbinary.Params{param(1, "app")})); err == nil {
		t.Error("a claim without a name is taken")
	}
	if server, certain, err := ParseTaken(onLink(t, TakenParams("gs-1", true))); err != nil || server != "gs-1" || !certain {
		t.Errorf("%q %v %v", server, certain, err)
	}
	for _, rows := range []gpbinary.ObjectArray{{"x"}, {gpbinary.ObjectArray{"app", "l", byte(0), int32(-1)}}, {gpbinary.ObjectArray{"app", 1.5, byte(0), int32(1)}}} {
		if _, _, err := parseMessage(OpPeerStats, gpbinary.Params{param(2, rows)}); err == nil {
			t.Errorf("%v is taken for lobbies", rows)
		}
	}
}

// crowd is the users that another master tells of.
type crowd struct {
	mu    sync.Mutex
	users map[UserAt]int
	msgs  int
}

func (c *crowd) message(_ *Link, m Message) {
	d, ok := m.(*UserDelta)
	if !ok || !d.Master {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.msgs++
	for _, u := range d.Joined {
		c.users[u]++
	}
	for _, u := range d.Left {
		if c.users[u]--; c.users[u] == 0 {
			delete(c.users, u)
		}
	}
}

func (c *crowd) count() (users, msgs int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.users), c.msgs
}

// Users reach the other master: those who were there before the link and those
// who come and go while it is up. Who came and went between two batches costs none.
func TestUsersReachTheOtherMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &pipes{}
		there := &crowd{users: map[UserAt]int{}}
		other := master(1)
		other.ID = "ms-2"
		listening := serve(t, NewListener(ListenerConfig{Self: other, Key: sharedKey, Handlers: Handlers{Message: there.message}}), n.listen())
		p := NewUserPublisher()
		const before = 5000
		for i := range before {
			p.Connected("app", fmt.Sprint("user", i))
		}
		p.Connected("app", "user0") // a second time
		o := NewOutbound(OutboundConfig{Addr: "x", Self: func() Hello { return master(1) }, Key: sharedKey, Dial: n.dial, Handlers: Handlers{Up: p.Attach}})
		dialing := keep(t, o)
		after(time.Second)
		if users, _ := there.count(); users != before || there.users[UserAt{App: "app", User: "user0"}] != 2 {
			t.Fatalf("%d users, user0 %d times", users, there.users[UserAt{App: "app", User: "user0"}])
		}
		_, msgs := there.count()
		p.Disconnected("app", "user0")
		p.Disconnected("app", "user1")
		p.Connected("other app", "user1")
		after(userDelay + 10*time.Millisecond)
		if users, n := there.count(); users != before || there.users[UserAt{App: "app", User: "user0"}] != 1 || n > msgs+3 {
			t.Errorf("%d users in %d messages, user0 %d times", users, n-msgs, there.users[UserAt{App: "app", User: "user0"}])
		}
		_, msgs = there.count()
		p.Connected("app", "fleeting")
		p.Disconnected("app", "fleeting")
		after(2 * userDelay)
		if users, n := there.count(); users != before || n != msgs {
			t.Errorf("%d users, %d messages about somebody who came and went", users, n-msgs)
		}
		dialing.end()
		p.Close()
		listening.end()
	})
}

// A server that finds itself at an address does not try again; one whose peer is
// to dial waits long.
func TestNobodyLinksToItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &pipes{}
		listening := serve(t, NewListener(ListenerConfig{Self: master(7), Key: sharedKey}), n.listen())
		var codes []int16
		handlers := Handlers{Failed: func(_ string, err error) {
			var r *RefusedError
			if errors.As(err, &r) {
				codes = append(codes, r.ReturnCode)
			}
		}}
		self := NewOutbound(OutboundConfig{Addr: "x", Self: func() Hello { return master(7) }, Key: sharedKey, Dial: n.dial, Longest: time.Second, Handlers: handlers})
		self.Run(t.Context()) // returns by itself
		other := master(7)
		other.ID = "ms-2"
		bigger := keep(t, NewOutbound(OutboundConfig{Addr: "x", Self: func() Hello { return other }, Key: sharedKey, Dial: n.dial, Longest: time.Second, Handlers: handlers}))
		after(2 * time.Minute)
		bigger.end()
		listening.end()
		if len(codes) < 2 || codes[0] != ReturnSelf || codes[1] != ReturnOtherDials || len(codes) > 16 {
			t.Errorf("%d refusals: %v", len(codes), codes)
		}
	})
}

// With Longest a link that can't be had is tried for at least that often.
func TestLongestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &pipes{}
		run := keep(t, NewOutbound(OutboundConfig{Addr: "x", Self: func() Hello { return master(1) }, Dial: n.dial, Longest: 800 * time.Millisecond}))
		after(time.Minute)
		run.end()
		for i := 1; i < len(n.dials); i++ {
			if d := n.dials[i].Sub(n.dials[i-1]); d > 960*time.Millisecond {
				t.Errorf("pause %d is %v", i, d)
			}
		}
	})
}
