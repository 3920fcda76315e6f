package room

import (
	"fmt"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// joinerSees returns what a new actor of that protocol gets behind its Join event.
func (w *world) joinerSees(p photon.Protocol) []string {
	w.t.Helper()
	c := w.client(p, fmt.Sprint("joiner", w.room.lastNr))
	if err := c.join(); err != nil {
		w.t.Fatal(err)
	}
	got := c.take()
	if !strings.HasPrefix(got[0], "response 226 rc 0") || !strings.HasPrefix(got[1], "event 255") {
		w.t.Errorf("joiner got %q first", got[:2])
	}
	c.disconnect()
	return got[2:]
}

func (w *world) cached(want ...string) {
	w.t.Helper()
	for _, p := range protocols {
		if got := w.joinerSees(p); fmt.Sprint(got) != fmt.Sprint(want) {
			w.t.Errorf("%s joiner gets\n\t%s\nwant\n\t%s", p, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	}
}

func (c *client) mustRaise(params ...par) {
	c.w.t.Helper()
	if err := c.raise(params...); err != nil {
		c.w.t.Fatal(err)
	}
}

// LB-240, LB-241, LB-242, LB-244, WJ-147: what is cached and who gets it.
func TestCache(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w, ann, bob, eve := three(t, p, with(photon.ParamPlayerTTL, int32(-1)))
		ann.mustRaise(code(1), content("a"), caching(photon.AddToRoomCache))
		bob.mustRaise(code(2), content("b"), caching(photon.AddToRoomCacheGlobal))
		eve.wants(`event 1 245="a" 254=1`, `event 2 245="b" 254=2`)
		ann.wants(`event 2 245="b" 254=2`)
		ann.mustRaise(code(3), caching(photon.AddToRoomCache), receivers(photon.ReceiverAll))
		// Not cached, but sent.
		bob.take()
		ann.mustRaise(code(4), caching(photon.AddToRoomCache), actors(2))
		ann.mustRaise(code(5), caching(photon.AddToRoomCacheGlobal), receivers(photon.ReceiverMasterClient))
		ann.mustRaise(code(6), caching(photon.AddToRoomCache), group(1))
		ann.mustRaise(code(7))
		bob.wants("event 4 254=1", "event 7 254=1")
		w.cached(`event 1 245="a" 254=1`, `event 2 245="b" 254=0`, "event 3 254=1")
		// One who comes back gets the others' and the room's, not its own.
		again := func(c *client) []string {
			c.disconnect()
			d := w.client(p, c.user)
			if err := d.join(with(photon.ParamJoinMode, byte(3))); err != nil {
				t.Fatal(err)
			}
			return d.take()[2:]
		}
		if got := fmt.Sprint(again(ann)); got != `[event 2 245="b" 254=0]` {
			t.Errorf("ann got %s", got)
		}
		if got := fmt.Sprint(again(bob)); got != `[event 1 245="a" 254=1 event 2 245="b" 254=0 event 3 254=1]` {
			t.Errorf("bob got %s", got)
		}
	})
}

// LB-242, LB-243: a thousand events of three senders, in order, none lost or
// doubled, and live ones behind them.
func TestCacheOrder(t *testing.T) {
	w, ann, bob, eve := three(t, photon.GpBinaryV18)
	senders := []*client{ann, bob, eve}
	var want []string
	for i := range int32(1000) {
		s := senders[i%3]
		s.mustRaise(code(1), content(i), caching(photon.AddToRoomCache))
		want = append(want, fmt.Sprintf("event 1 245=%d 254=%d", i, s.seat.ActorNr()))
	}
	fay := w.client(photon.GpBinaryV16, "fay")
	if err := fay.join(); err != nil {
		t.Fatal(err)
	}
	ann.mustRaise(code(1), content(int32(1000)), caching(photon.AddToRoomCache))
	fay.got = fay.got[2:] // response and Join event
	fay.wants(append(want, "event 1 245=1000 254=1")...)
}

func TestCacheIsSentReliably(t *testing.T) {
	w, ann, _, _ := three(t, photon.GpBinaryV18)
	req := ann.request(photon.OpRaiseEvent, []par{code(1), caching(photon.AddToRoomCache), content("secret")})
	req.Delivery = photon.Delivery{Channel: 3, Mode: photon.Unreliable, Encrypt: true}
	if err := ann.run(req); err != nil {
		t.Fatal(err)
	}
	clear(req.Fields[2].Bytes) // the message's memory is used again
	fay := w.client(photon.GpBinaryV18, "fay")
	if err := fay.join(); err != nil {
		t.Fatal(err)
	}
	m := fay.last(true, 1)
	if m.d != (photon.Delivery{Mode: photon.Reliable, Encrypt: true}) || m.param(photon.ParamData) != "secret" {
		t.Errorf("got %s with %+v", m.text, m.d)
	}
}

// LB-245, LB-246, LB-247, WJ-067: filters.
func TestRemoveFromCache(t *testing.T) {
	// a room with this cache: number in the list, sender, code, content
	type ev struct {
		global bool
		code   byte
		v      any
	}
	fill := []ev{
		{false, 200, table(byte(0), int32(1001), "m", "x")}, // 0: RPC of view 1001
		{false, 200, table(byte(0), int32(1002))},           // 1
		{false, 202, table(byte(7), int32(1001), byte(0), "x")},
		{true, 202, table(byte(7), int32(1001))}, // 3: a room object
		{false, 1, "text"},
		{true, 1, nil},
		{false, 0, table(int32(7), int32(1001))}, // 6: int key
	}
	for _, tt := range []struct {
		name   string
		asker  photon.Protocol
		params []par
		left   string
	}{
		{"no filter", photon.GpBinaryV18, nil, ""},
		{"everything, as PUN asks", photon.GpBinaryV18, []par{code(0)}, ""},
		{"everything of a player, as PUN asks", photon.GpBinaryV16, []par{code(0), actors(1)}, "3 5"},
		{"RPCs of a player, as PUN asks", photon.GpBinaryV18, []par{code(200), actors(1)}, "2 3 4 5 6"},
		{"RPCs of an object, as PUN asks", photon.GpBinaryV16, []par{code(200), content(table(byte(0), int32(1001)))}, "1 2 3 4 5 6"},
		{"an object, as PUN asks", photon.GpBinaryV18, []par{code(202), content(table(byte(7), int32(1001)))}, "0 1 4 5 6"},
		{"code", photon.GpBinaryV18, []par{code(1)}, "0 1 2 3 6"},
		{"owner", photon.GpBinaryV18, []par{actors(1)}, "3 5"},
		{"room", photon.GpBinaryV18, []par{actors(0)}, "0 1 2 4 6"},
		{"owner and room", photon.GpBinaryV18, []par{actors(0, 1)}, ""},
		{"other owner", photon.GpBinaryV18, []par{actors(2)}, "0 1 2 3 4 5 6"},
		{"no owner", photon.GpBinaryV18, []par{actors()}, "0 1 2 3 4 5 6"},
		{"content", photon.GpBinaryV18, []par{content(table(byte(7), int32(1001)))}, "0 1 4 5 6"},
		{"content and owner", photon.GpBinaryV18, []par{content(table(byte(7), int32(1001))), actors(0)}, "0 1 2 4 5 6"},
		{"int key is not byte key", photon.GpBinaryV18, []par{content(table(int32(7), int32(1001)))}, "0 1 2 3 4 5"},
		{"other type of value", photon.GpBinaryV18, []par{content(table(byte(7), int16(1001)))}, "0 1 2 3 4 5 6"},
		{"empty table is any table", photon.GpBinaryV18, []par{content(table())}, "4 5"},
		{"null content is any", photon.GpBinaryV18, []par{content(nil), code(1)}, "0 1 2 3 6"},
		{"text", photon.GpBinaryV18, []par{content("text")}, "0 1 2 3 5 6"},
		{"other text", photon.JSON, []par{content("tex")}, "0 1 2 3 4 5 6"},
		{"receivers mean nothing", photon.GpBinaryV18, []par{code(1), receivers(7)}, "0 1 2 3 6"},
		{"JSON", photon.JSON, []par{content(table("m", "x"))}, "1 2 3 4 5 6"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, ann, bob, eve := three(t, photon.GpBinaryV18)
			for _, e := range fill {
				option := photon.AddToRoomCache
				if e.global {
					option = photon.AddToRoomCacheGlobal
				}
				ann.mustRaise(code(e.code), content(e.v), caching(option))
			}
			var ids = map[*entry]int{}
			for i, e := range w.room.cache.slices[0].entries {
				ids[e] = i
			}
			asker := w.client(tt.asker, "asker").mustJoin()
			bob.take()
			eve.take()
			asker.mustRaise(append(tt.params, caching(photon.RemoveFromRoomCache))...)
			asker.wants()
			bob.wants()
			eve.wants()
			var left []string
			for _, s := range w.room.cache.slices {
				for _, e := range s.entries {
					left = append(left, fmt.Sprint(ids[e]))
				}
			}
			if got := strings.Join(left, " "); got != tt.left {
				t.Errorf("left: %s, want %s", got, tt.left)
			}
		})
	}
}

// WJ-067: a filter from JSON, or for content from JSON, compares by value. A
// dictionary is like a table.
func TestFilterBetweenProtocols(t *testing.T) {
	dict := &gpbinary.Dictionary{Key: gpbinary.TypeDesc{Kind: gpbinary.KindString}, Val: gpbinary.TypeDesc{Kind: gpbinary.KindInt},
		Pairs: []gpbinary.Pair{{Key: "oid", Value: int32(1)}, {Key: "x", Value: int32(2)}}}
	for _, tt := range []struct {
		sender photon.Protocol
		in     any
		asker  photon.Protocol
		filter any
		hit    bool
	}{
		{photon.GpBinaryV18, table("oid", byte(1), "x", "y"), photon.JSON, table("oid", int32(1)), true},
		{photon.GpBinaryV18, table("oid", int64(1)), photon.JSON, table("oid", int32(1)), true},
		{photon.JSON, table("oid", int32(1), "x", "y"), photon.JSON, table("oid", int32(1)), true},
		{photon.JSON, table("oid", int32(1)), photon.GpBinaryV18, table("oid", byte(1)), true},
		{photon.JSON, table("oid", int32(1)), photon.GpBinaryV18, table("oid", byte(2)), false},
		{photon.GpBinaryV18, table("oid", byte(1)), photon.GpBinaryV16, table("oid", int32(1)), false},
		{photon.GpBinaryV18, dict, photon.GpBinaryV16, table("oid", int32(1)), true},
		{photon.GpBinaryV18, table("oid", int32(1), "x", int32(2)), photon.GpBinaryV18, dict, true},
		{photon.GpBinaryV18, table("oid", int32(1)), photon.GpBinaryV18, dict, false},
		{photon.JSON, 5.0, photon.GpBinaryV18, byte(5), true},
	} {
		w, _, _, _ := three(t, photon.GpBinaryV18)
		w.client(tt.sender, "sender").mustJoin().mustRaise(code(1), content(tt.in), caching(photon.AddToRoomCache))
		w.client(tt.asker, "asker").mustJoin().mustRaise(content(tt.filter), caching(photon.RemoveFromRoomCache))
		if (w.room.cache.count == 0) != tt.hit {
			t.Errorf("%s %s, %s asks for %s: hit %v", tt.sender, show(tt.in), tt.asker, show(tt.filter), !tt.hit)
		}
	}
}

// LB-248, LB-249: actors that left, with and without clean-up.
func TestCacheOfActorsLeft(t *testing.T) {
	for _, cleans := range []bool{true, false} {
		w := newWorld(t, Config{})
		ann := w.client(photon.GpBinaryV18, "ann").mustCreate(with(photon.ParamCleanupCacheOnLeave, cleans), with(photon.ParamPlayerTTL, int32(-1)))
		bob, eve := w.client(photon.GpBinaryV18, "bob").mustJoin(), w.client(photon.JSON, "eve").mustJoin()
		for i, c := range []*client{ann, bob, eve} {
			c.mustRaise(code(byte(i)), caching(photon.AddToRoomCache))
			c.mustRaise(code(byte(10+i)), caching(photon.AddToRoomCacheGlobal))
			c.mustRaise(code(byte(20+i)), caching(photon.ReplaceCache))
		}
		bob.fails(bob.do(photon.OpLeave), 0)
		eve.disconnect() // inactive
		want := []string{"event 20 254=1", "event 22 254=3", "event 0 254=1", "event 10 254=0", "event 11 254=0", "event 2 254=3", "event 12 254=0"}
		if !cleans {
			w.cached("event 20 254=1", "event 21 254=2", "event 22 254=3", "event 0 254=1", "event 10 254=0", "event 1 254=2", "event 11 254=0", "event 2 254=3", "event 12 254=0")
			ann.take()
			ann.mustRaise(caching(photon.RemoveFromRoomCacheForActorsLeft))
			ann.wants()
		}
		w.cached(want...)
	}
}

// LB-250: slices.
func TestSlices(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w, ann, bob, _ := three(t, p)
		slice := func(option photon.EventCaching, index ...int32) {
			t.Helper()
			params := []par{caching(option)}
			for _, n := range index {
				params = append(params, with(photon.ParamCacheSliceIndex, n))
			}
			ann.mustRaise(params...)
		}
		add := func(c byte) {
			t.Helper()
			ann.mustRaise(code(c), caching(photon.AddToRoomCache))
			ann.take()
			bob.take()
		}
		add(1)
		slice(photon.SliceIncreaseIndex)
		ann.wants("event 250 205=1")
		bob.wants("event 250 205=1")
		add(2)
		slice(photon.SliceSetIndex, 5)
		bob.wants("event 250 205=5")
		add(3)
		slice(photon.SliceSetIndex, 1)
		add(4)
		w.cached("event 1 254=1", "event 250 205=1", "event 2 254=1", "event 4 254=1", "event 250 205=5", "event 3 254=1")
		ann.take()
		bob.take()
		slice(photon.SlicePurgeIndex, 1)
		ann.wants()
		bob.wants()
		add(5) // the purged slice is still the current one
		w.cached("event 1 254=1", "event 250 205=1", "event 5 254=1", "event 250 205=5", "event 3 254=1")
		slice(photon.SlicePurgeUpToIndex, 1)
		w.cached("event 250 205=5", "event 3 254=1")
	})
	w, ann, bob, _ := three(t, photon.GpBinaryV16)
	ann.mustRaise(caching(photon.SliceSetIndex), with(photon.ParamCacheSliceIndex, int64(1<<31-1)))
	if got := bob.last(true, 250).param(photon.ParamCacheSliceIndex); got != int32(1<<31-1) {
		t.Errorf("205 is %v (%T)", got, got)
	}
	ann.fails(ann.raise(caching(photon.SliceIncreaseIndex)), -2)
	if w.room.cache.current != 1<<31-1 {
		t.Error("index changed")
	}
}

// LB-251: one entry per actor and code, merged, replaced, removed.
func TestMergeReplaceRemove(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p photon.Protocol) {
		w, ann, bob, eve := three(t, p)
		ann.mustRaise(code(1), content(table("a", int32(1), "b", int32(2))), caching(photon.MergeCache))
		bob.mustRaise(code(1), content("bob"), caching(photon.ReplaceCache))
		ann.mustRaise(code(2), caching(photon.AddToRoomCache))
		eve.take()
		ann.mustRaise(code(1), content(table("b", nil, "c", int32(3))), caching(photon.MergeCache))
		eve.wants("event 1 245={b:null c:3} 254=1")
		w.cached("event 1 245={a:1 c:3} 254=1", `event 1 245="bob" 254=2`, "event 2 254=1")
		// Replaced, it stays where it was first.
		ann.mustRaise(code(1), content(table("d", int32(4))), caching(photon.ReplaceCache))
		bob.mustRaise(code(1), content(table("x", int32(1))), caching(photon.MergeCache)) // over text
		w.cached("event 1 245={d:4} 254=1", "event 1 245={x:1} 254=2", "event 2 254=1")
		// Merged into a replaced one.
		ann.mustRaise(code(1), content(table("e", int32(5))), caching(photon.MergeCache))
		w.cached("event 1 245={d:4 e:5} 254=1", "event 1 245={x:1} 254=2", "event 2 254=1")
		eve.take()
		bob.mustRaise(code(1), content("gone"), caching(photon.RemoveCache))
		eve.wants(`event 1 245="gone" 254=2`)
		bob.mustRaise(code(9), caching(photon.RemoveCache)) // there is none
		w.cached("event 1 245={d:4 e:5} 254=1", "event 2 254=1")
		ann.mustRaise(content(table("d", int32(4))), caching(photon.RemoveFromRoomCache))
		w.cached("event 2 254=1")
		// Not stored: a list of receivers.
		ann.mustRaise(code(1), content("any"), caching(photon.MergeCache), actors(2))
		ann.mustRaise(code(1), content("any"), caching(photon.ReplaceCache), group(2))
		w.cached("event 2 254=1")
	})
}

// LB-252: the limits of the cache.
func TestCacheLimit(t *testing.T) {
	const info = `event 251 218="the room's event cache is full: the room is closed for new players"`
	for _, tt := range []struct {
		name   string
		cfg    Config
		fit    [][]par
		excess []par
	}{
		{"entries", Config{MaxCachedEvents: 2},
			[][]par{{code(1), caching(photon.AddToRoomCache)}, {code(2), caching(photon.ReplaceCache)}, {code(2), caching(photon.ReplaceCache)}},
			[]par{code(9), caching(photon.AddToRoomCacheGlobal)}},
		{"replace", Config{MaxCachedEvents: 1},
			[][]par{{code(1), caching(photon.AddToRoomCache)}}, []par{code(9), caching(photon.ReplaceCache)}},
		{"merge", Config{MaxCachedEvents: 1},
			[][]par{{code(1), content(table()), caching(photon.MergeCache)}, {code(1), content(table("a", byte(1))), caching(photon.MergeCache)}},
			[]par{code(9), content(table("a", byte(1))), caching(photon.MergeCache)}},
		{"bytes", Config{MaxCachedBytes: 50},
			[][]par{{code(1), content(strings.Repeat("x", 40)), caching(photon.AddToRoomCache)}},
			[]par{code(9), content("0123456789"), caching(photon.AddToRoomCache)}},
		{"merged bytes", Config{MaxPropertyBytes: 50},
			[][]par{{code(1), content(table("a", strings.Repeat("x", 40))), caching(photon.MergeCache)},
				{code(1), content(table("a", strings.Repeat("y", 40))), caching(photon.MergeCache)}},
			[]par{code(1), content(table("b", "0123456789")), caching(photon.MergeCache)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.cfg)
			ann := w.client(photon.GpBinaryV18, "ann").mustCreate(options(with(photon.ParamPlayerTTL, int32(-1)))...)
			bob := w.client(photon.JSON, "bob").mustJoin()
			w.client(photon.GpBinaryV16, "eve").mustJoin().disconnect()
			bob.take()
			ann.take()
			for _, p := range tt.fit {
				ann.mustRaise(p...)
			}
			count, bytes := w.room.cache.count, w.room.cache.bytes
			if got := bob.take(); len(got) != len(tt.fit) || !w.room.Record().Open {
				t.Fatalf("bob got %q, open %v", got, w.room.Record().Open)
			}
			w.room.Changed()
			for i := range 2 {
				ann.mustRaise(tt.excess...)
				got := bob.take()
				want := 2 - i // the event, and once the information
				if len(got) != want || want == 2 && got[1] != info {
					t.Errorf("bob got %q", got)
				}
			}
			ann.wants(info)
			if w.room.cache.count != count || w.room.cache.bytes != bytes {
				t.Error("the excess was cached")
			}
			if rec := w.room.Changed(); rec == nil || rec.Open {
				t.Errorf("record %+v", rec)
			}
			fay := w.client(photon.GpBinaryV18, "fay")
			fay.fails(fay.join(), photon.ReturnGameClosed)
			eve := w.client(photon.GpBinaryV16, "eve")
			eve.fails(eve.join(with(photon.ParamJoinMode, byte(3))), photon.ReturnGameClosed)
			bob.mustRaise(code(1))
			ann.wants("event 1 254=2")
		})
	}
}
