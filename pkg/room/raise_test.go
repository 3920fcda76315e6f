package room

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

func code(n byte) par { return with(photon.ParamEventCode, n) }

func content(v any) par { return with(photon.ParamData, v) }

func caching(c photon.EventCaching) par { return with(photon.ParamCache, byte(c)) }

func group(g byte) par { return with(photon.ParamGroup, g) }

func actors(nr ...int32) par { return with(photon.ParamActorList, nr) }

func receivers(g photon.ReceiverGroup) par { return with(photon.ParamReceiverGroup, byte(g)) }

// LB-220, LB-221, LB-172, WJ-146: content and sender arrive, nothing else.
func TestRaiseEvent(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		_, ann, bob, eve := three(t, p)
		for _, tt := range []struct {
			params []par
			want   string
		}{
			{[]par{content("hello")}, `event 7 245="hello" 254=1`},
			{[]par{content(table("a", table("b", nil), "c", gpbinary.ObjectArray{int32(1), "x"}))}, `event 7 245={a:{b:null} c:[1 "x"]} 254=1`},
			{[]par{content(nil)}, "event 7 245=null 254=1"},
			{[]par{with(photon.ParamWebFlags, byte(1)), with(77, "x")}, "event 7 254=1"},
			{[]par{content(gpbinary.Custom{Code: 86, Data: []byte{1, 2}})}, "event 7 245={86 [1 2]} 254=1"},
		} {
			if err := ann.raise(append(tt.params, code(7))...); err != nil {
				t.Fatal(err)
			}
			ann.wants()
			bob.wants(tt.want)
			eve.wants(tt.want)
		}
	})
}

// Bytes go untouched between clients of one protocol, even in unusual forms.
func TestContentIsNotTouched(t *testing.T) {
	_, ann, bob, _ := three(t, photon.GpBinaryV18)
	// The int 1 in its long form, 09 with a compressed 02.
	req := ann.parse([]byte{0xF3, 2, 253, 2, 244, 3, 7, 245, 9, 2})
	if err := ann.run(req); err != nil {
		t.Fatal(err)
	}
	if got := bob.last(true, 7).bytes; !bytes.Contains(got, []byte{245, 9, 2}) {
		t.Errorf("got % x", got)
	}
}

// LB-222 to LB-225: who receives.
func TestReceivers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		params []par
		want   string // users that get the event once
	}{
		{"others", nil, "bob eve"},
		{"others by number", []par{receivers(photon.ReceiverOthers)}, "bob eve"},
		{"all", []par{receivers(photon.ReceiverAll)}, "ann bob eve"},
		{"master client", []par{receivers(photon.ReceiverMasterClient)}, "bob"},
		{"list", []par{actors(2, 99)}, "bob"},
		{"list with the sender", []par{actors(3, 1)}, "ann eve"},
		{"list with doubles", []par{actors(3, 3, 2, 3)}, "bob eve"},
		{"list with one who is away", []par{actors(4)}, ""},
		{"list of no one", []par{actors()}, ""},
		{"list before group and receivers", []par{actors(2), group(1), receivers(photon.ReceiverAll)}, "bob"},
		{"list as object array", []par{with(photon.ParamActorList, gpbinary.ObjectArray{int32(2), int32(3)})}, "bob eve"},
		{"group", []par{group(5)}, "eve"},
		{"group with the sender", []par{group(5), receivers(photon.ReceiverAll)}, "ann eve"},
		{"group of no one", []par{group(6)}, ""},
		{"no group", []par{group(0)}, "bob eve"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p photon.Protocol) {
				w, ann, bob, eve := three(t, p, with(photon.ParamPlayerTTL, int32(-1)))
				away := w.client(p, "away").mustJoin()
				away.disconnect()
				if err := ann.set(props(photon.PropMasterClientID, int32(2))); err != nil {
					t.Fatal(err)
				}
				for _, c := range []*client{ann, eve} {
					if err := c.do(photon.OpChangeGroups, with(photon.ParamAdd, []byte{5})); err != nil {
						t.Fatal(err)
					}
				}
				for _, c := range []*client{ann, bob, eve, away} {
					c.take()
				}
				if err := ann.raise(append(tt.params, code(1))...); err != nil {
					t.Fatal(err)
				}
				for _, c := range []*client{ann, bob, eve, away} {
					if strings.Contains(tt.want, c.user) {
						c.wants("event 1 254=1")
					} else {
						c.wants()
					}
				}
			})
		})
	}
}

// LB-222: the master client even if it is the sender.
func TestMasterClientToItself(t *testing.T) {
	_, ann, bob, _ := three(t, photon.GpBinaryV18)
	if err := ann.raise(code(1), receivers(photon.ReceiverMasterClient)); err != nil {
		t.Fatal(err)
	}
	ann.wants("event 1 254=1")
	bob.wants()
}

// LB-226: order, with many senders and receivers of all protocols.
func TestEventOrder(t *testing.T) {
	w := newWorld(t, Config{})
	clients := []*client{w.client(photon.GpBinaryV18, "0").mustCreate(options()...)}
	for i := 1; i < 4; i++ {
		clients = append(clients, w.client(protocols[i-1], fmt.Sprint(i)).mustJoin())
	}
	for _, c := range clients {
		c.take()
	}
	var next [5]int32
	random := rand.New(rand.NewPCG(1, 2))
	for range 10000 / 4 {
		c := clients[random.IntN(4)]
		nr := c.seat.ActorNr()
		if err := c.raise(code(1), content(next[nr]), receivers(photon.ReceiverAll)); err != nil {
			t.Fatal(err)
		}
		next[nr]++
	}
	for _, c := range clients {
		var seen [5]int32
		for _, m := range c.got {
			nr, _ := photon.AsInt(m.param(photon.ParamActorNr))
			if m.param(photon.ParamData) != seen[nr] {
				t.Fatalf("%s got %s, want number %d", c.user, m.text, seen[nr])
			}
			seen[nr]++
		}
		if seen != next {
			t.Errorf("%s got %v events, want %v", c.user, seen, next)
		}
	}
}

// LB-227, LB-228: as the sender sent it, so do receivers get it.
func TestDelivery(t *testing.T) {
	_, ann, bob, _ := three(t, photon.GpBinaryV16)
	for _, d := range []photon.Delivery{
		{Channel: 0, Mode: photon.Reliable},
		{Channel: 3, Mode: photon.Unreliable},
		{Channel: 4, Mode: photon.UnreliableUnsequenced, Encrypt: true},
		{Channel: 5, Mode: photon.ReliableUnsequenced},
	} {
		req := ann.request(photon.OpRaiseEvent, []par{code(1)})
		req.Delivery = d
		if err := ann.run(req); err != nil {
			t.Fatal(err)
		}
		if got := bob.last(true, 1).d; got != d {
			t.Errorf("got %+v, want %+v", got, d)
		}
	}
}

// LB-229: codes that clients take for the server's.
func TestReservedEvents(t *testing.T) {
	_, ann, bob, _ := three(t, photon.GpBinaryV18)
	w := newWorld(t, Config{AllowReservedEvents: true})
	free := w.client(photon.GpBinaryV18, "x").mustCreate()
	for n := range 256 {
		want := photon.ReturnOk
		if n == 223 || n == 224 || n == 226 || n == 229 || n == 230 || n >= 250 {
			want = photon.ReturnInvalidOperation
		}
		err := ann.raise(code(byte(n)))
		if Code(err) != want {
			t.Errorf("code %d: %v", n, err)
		}
		if got := len(bob.take()); (got == 1) != (err == nil) {
			t.Errorf("code %d: %d events", n, got)
		}
		free.fails(free.raise(code(byte(n))), 0)
	}
}

// LB-230, WJ-064: values between the protocols.
func TestEventsBetweenProtocols(t *testing.T) {
	for _, tt := range []struct {
		sender photon.Protocol
		in     any
		js     string // as JavaScript sees it
		net    any    // as .NET sees it
	}{
		{photon.GpBinaryV16, table(byte(1), []byte{10, 20}), "{1:[10 20]}", table(byte(1), []byte{10, 20})},
		{photon.GpBinaryV18, gpbinary.ObjectArray{int16(3), float32(0.5), nil, true}, "[3 0.5 null true]", gpbinary.ObjectArray{int16(3), float32(0.5), nil, true}},
		{photon.GpBinaryV18, gpbinary.Custom{Code: 86, Data: []byte{1, 2}}, "{86 [1 2]}", gpbinary.Custom{Code: 86, Data: []byte{1, 2}}},
		{photon.JSON, table("255", int32(1), "x", 1.5), "{255:1 x:1.5}", table("255", int32(1), "x", 1.5)},
		{photon.JSON, []int32{1, 2}, "[1 2]", gpbinary.ObjectArray{int32(1), int32(2)}},
	} {
		w := newWorld(t, Config{})
		sender := w.client(tt.sender, "sender").mustCreate(options()...)
		v16, v18, js := w.client(photon.GpBinaryV16, "v16").mustJoin(), w.client(photon.GpBinaryV18, "v18").mustJoin(), w.client(photon.JSON, "js").mustJoin()
		if err := sender.raise(code(1), content(tt.in)); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{v16, v18} {
			if got := c.last(true, 1).param(photon.ParamData); !gpbinary.Equal(got, tt.net) {
				t.Errorf("%s to %s: %s, want %s", tt.sender, c.p, show(got), show(tt.net))
			}
		}
		if got := show(js.last(true, 1).param(photon.ParamData)); got != tt.js {
			t.Errorf("%s to JSON: %s, want %s", tt.sender, got, tt.js)
		}
	}
}

// Serialization.md 14, websocket-json.md 4.6: what a receiver's format can't hold.
func TestInexpressibleEvents(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.client(photon.GpBinaryV18, "ann").mustCreate(options()...)
	old, js := w.client(photon.GpBinaryV16, "old").mustJoin(), w.client(photon.JSON, "js").mustJoin()
	ann.take()
	old.take()
	big := make([]int16, 40000)
	if err := ann.raise(code(1), content(big), caching(photon.AddToRoomCache)); err != nil {
		t.Fatal(err)
	}
	old.wants()
	if got := js.last(true, 1).param(photon.ParamData).(gpbinary.ObjectArray); len(got) != len(big) {
		t.Errorf("JSON got %d elements", len(got))
	}
	// From JSON the event comes without content.
	if err := js.raise(code(2), content(big), caching(photon.AddToRoomCache)); err != nil {
		t.Fatal(err)
	}
	old.wants("event 2 254=3")
	// The same for joiners.
	older := w.client(photon.GpBinaryV16, "older")
	if err := older.join(); err != nil {
		t.Fatal(err)
	}
	if got := older.take()[2:]; fmt.Sprint(got) != "[event 2 254=3]" {
		t.Errorf("joiner got %q", got)
	}
}

// LB-004, LB-005: what is refused, with the parameter's name.
func TestRaiseEventRefuses(t *testing.T) {
	_, ann, bob, _ := three(t, photon.GpBinaryV18)
	for _, tt := range []struct {
		name   string
		params []par
	}{
		{"244", []par{content("x")}},
		{"244", []par{with(photon.ParamEventCode, int32(256))}},
		{"247", []par{code(1), caching(8)}},
		{"247", []par{code(1), caching(9)}},
		{"247", []par{code(1), caching(14)}},
		{"246", []par{code(1), receivers(3)}},
		{"252", []par{code(1), with(photon.ParamActorList, "x")}},
		{"240", []par{code(1), with(photon.ParamGroup, "x")}},
		{"205", []par{caching(photon.SliceSetIndex)}},
		{"205", []par{caching(photon.SlicePurgeIndex)}},
		{"205", []par{caching(photon.SlicePurgeUpToIndex)}},
		{"205", []par{caching(photon.SliceSetIndex), with(photon.ParamCacheSliceIndex, int32(-1))}},
		{"245", []par{code(1), caching(photon.MergeCache), content("no table")}},
		{"245", []par{code(1), caching(photon.MergeCache)}},
		{"245", []par{code(1), caching(photon.MergeCache), content(table(1.5, "x"))}},
	} {
		err := ann.raise(tt.params...)
		if Code(err) != photon.ReturnInvalidOperation || !strings.Contains(err.Error(), tt.name) {
			t.Errorf("%v: %v does not name parameter %s", tt.params, err, tt.name)
		}
		ann.wants("response 253 rc -2")
		bob.wants()
	}
}

// LB-260, LB-262, WJ-145: groups after ChangeGroups.
func TestChangeGroups(t *testing.T) {
	for _, tt := range []struct {
		name        string
		remove, add any
		want        []byte // of 1 to 4, coming from 1 and 4
	}{
		{"exactly these", []byte{}, []byte{1, 2}, []byte{1, 2}},
		{"add", nil, []byte{3}, []byte{1, 3, 4}},
		{"remove", []byte{1}, nil, []byte{4}},
		{"both", []byte{1, 2}, []byte{2, 1}, []byte{1, 2, 4}},
		{"none", []byte{}, nil, nil},
		{"nothing", nil, nil, []byte{1, 4}},
		{"group 0 can't be left", []byte{0}, []byte{0}, []byte{1, 4}},
		// LB-261: 2 exists because another actor was in it once.
		{"all that exist", nil, []byte{}, []byte{1, 2, 4}},
		{"leave all, enter all", []byte{}, []byte{}, []byte{1, 2, 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p photon.Protocol) {
				_, ann, bob, eve := three(t, p)
				change := func(c *client, remove, add any) {
					t.Helper()
					if err := c.do(photon.OpChangeGroups, with(photon.ParamRemove, remove), with(photon.ParamAdd, add)); err != nil {
						t.Fatal(err)
					}
					c.wants()
				}
				change(eve, nil, []byte{2})
				change(eve, []byte{2}, nil)
				change(bob, nil, []byte{1, 4})
				change(bob, tt.remove, tt.add)
				var got []byte
				for g := byte(1); g <= 4; g++ {
					if err := ann.raise(code(1), group(g)); err != nil {
						t.Fatal(err)
					}
					if len(bob.take()) == 1 {
						got = append(got, g)
					}
				}
				if !bytes.Equal(got, tt.want) {
					t.Errorf("in groups %v, want %v", got, tt.want)
				}
			})
		})
	}
	w, ann, bob, _ := three(t, photon.GpBinaryV18, with(photon.ParamPlayerTTL, int32(-1)))
	bob.fails(bob.do(photon.OpChangeGroups, with(photon.ParamAdd, "x")), -2)
	bob.fails(bob.do(photon.OpChangeGroups, with(photon.ParamRemove, []int32{300})), -2)
	bob.fails(bob.do(photon.OpChangeGroups, with(photon.ParamAdd, []byte{5, 255})), 0)
	bob.disconnect()
	bob = w.client(photon.GpBinaryV18, "bob").mustJoin(with(photon.ParamJoinMode, byte(3)))
	if err := ann.raise(code(1), group(255)); err != nil {
		t.Fatal(err)
	}
	bob.wants()
}
