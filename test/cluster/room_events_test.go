package cluster

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// LB-242, LB-243: players who join while another raises cached events get each
// one once and in order: first those from the cache, then the live ones.
func TestCacheMeetsLiveEvents(t *testing.T) {
	up := Start(t, nil)
	sender := enters(t, up, Form{client.UDP, photon.GpBinaryV18}, "sender")
	sender.creates("busy", nil)
	const before, after = 300, 1500
	raise := func(i int) {
		option := photon.AddToRoomCache
		if i%3 == 0 {
			option = photon.AddToRoomCacheGlobal
		}
		err := sender.RaiseEvent(1, int32(i), &client.RaiseEventOptions{CachingOption: option}, client.SendReliable)
		if err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
	for i := range before {
		raise(i)
	}
	var receivers []*member
	for i, f := range Forms {
		receivers = append(receivers, enters(t, up, f, fmt.Sprint("late ", i)))
	}
	var joining sync.WaitGroup
	for i, m := range receivers {
		joining.Go(func() {
			if err := m.JoinRoom(m.ctx(), client.EnterRoomParams{RoomName: "busy"}); err != nil {
				t.Errorf("receiver %d: %v", i, err)
			}
		})
	}
	// The traffic goes on until the last one is in, and then to the end.
	in := make(chan struct{})
	go func() { joining.Wait(); close(in) }()
	n := before
	for done := false; !done || n < before+after; n++ {
		raise(n)
		select {
		case <-in:
			done = true
		default:
		}
		if n%50 == 0 {
			// Not faster than the room: wait for an answer now and then.
			sender.must(sender.SetRoomProperties(sender.ctx(), map[string]any{"n": int32(n)}, nil))
		}
	}
	for i, m := range receivers {
		want := 0
		live := false
		for want < n {
			text := m.next(fmt.Sprintf("event %d of %d at %s", want, n, Forms[i]))
			if !strings.HasPrefix(text, "event ") {
				continue
			}
			if text == fmt.Sprintf("event 1 from 0: %d", want) && live {
				t.Errorf("%s: event %d of the cache behind live ones", Forms[i], want)
			}
			// A global event names its sender only live.
			if want%3 == 0 && text == fmt.Sprintf("event 1 from 1: %d", want) {
				live = true
			} else if text != fmt.Sprintf("event 1 from %d: %d", min(want%3, 1), want) {
				t.Fatalf("%s: got %q as event %d", Forms[i], text, want)
			}
			want++
		}
	}
}

// LB-240, LB-241, LB-245, LB-251 from client to client: what joiners of every
// form get when it was cached, merged, replaced and removed.
func TestCacheOperations(t *testing.T) {
	each(t, nil, func(t *testing.T, up *daemon.Up, f Form) {
		ann, _, room := pair(t, up, f, nil)
		table := func(key string, v any) any { return gpbinary.NewHashtable(gpbinary.Pair{Key: key, Value: v}) }
		ann.cache(1, "gone", photon.AddToRoomCache)
		ann.cache(2, "kept", photon.AddToRoomCache)
		ann.cache(3, table("a", int32(1)), photon.MergeCache)
		ann.cache(3, table("b", int32(2)), photon.MergeCache)
		ann.cache(3, table("a", nil), photon.MergeCache)
		ann.cache(4, "first", photon.ReplaceCache)
		ann.cache(4, "second", photon.ReplaceCache)
		ann.cache(5, "x", photon.ReplaceCache)
		ann.cache(5, nil, photon.RemoveCache)
		ann.cache(6, table("view", int32(7)), photon.AddToRoomCacheGlobal)
		ann.cache(6, table("view", int32(8)), photon.AddToRoomCacheGlobal)
		ann.cache(1, nil, photon.RemoveFromRoomCache)
		ann.cache(0, table("view", int32(8)), photon.RemoveFromRoomCache)
		// Answered behind all of these.
		ann.must(ann.SetRoomProperties(ann.ctx(), map[string]any{"done": true}, nil))
		for i, g := range Forms {
			joe := enters(t, up, g, fmt.Sprint("joe ", i, " for ", f))
			joe.must(joe.JoinRoom(joe.ctx(), client.EnterRoomParams{RoomName: room}))
			joe.hears(fmt.Sprintf("join %d %q", i+3, joe.user), "event 3 from 1: {b:2}", "event 4 from 1: second",
				"event 2 from 1: kept", "event 6 from 0: {view:7}")
		}
	})
}

// LB-250: cache slices.
func TestCacheSlices(t *testing.T) {
	each(t, nil, func(t *testing.T, up *daemon.Up, f Form) {
		ann, bob, room := pair(t, up, f, nil)
		slice := func(option photon.EventCaching, n int32) {
			ann.must(ann.RaiseEvent(0, nil, &client.RaiseEventOptions{CachingOption: option, CacheSliceIndex: &n}, client.SendReliable))
		}
		ann.cache(1, nil, photon.AddToRoomCache)
		ann.cache(0, nil, photon.SliceIncreaseIndex)
		ann.cache(2, nil, photon.AddToRoomCache)
		slice(photon.SliceSetIndex, 7)
		ann.cache(3, nil, photon.AddToRoomCache)
		bob.hears("event 1 from 1", "slice 1", "event 2 from 1", "slice 7", "event 3 from 1")
		ann.hears("slice 1", "slice 7")
		joe := enters(t, up, f, "joe")
		joe.must(joe.JoinRoom(joe.ctx(), client.EnterRoomParams{RoomName: room}))
		joe.hears(fmt.Sprintf("join 3 %q", joe.user), "event 1 from 1", "slice 1", "event 2 from 1", "slice 7", "event 3 from 1")
		ann.hears(fmt.Sprintf("join 3 %q", joe.user))
		slice(photon.SlicePurgeUpToIndex, 1)
		ann.cache(0, nil, photon.SlicePurgeIndex) // without an index
		ann.hears("response 253 rc -2")
		eve := enters(t, up, f, "eve")
		eve.must(eve.JoinRoom(eve.ctx(), client.EnterRoomParams{RoomName: room}))
		eve.hears(fmt.Sprintf("join 4 %q", eve.user), "slice 7", "event 3 from 1")
	})
}

// LB-224, LB-260, LB-261, LB-262: interest groups.
func TestInterestGroups(t *testing.T) {
	each(t, nil, func(t *testing.T, up *daemon.Up, f Form) {
		ann, bob, room := pair(t, up, f, lasting(60000, 0))
		to := func(group byte) {
			ann.must(ann.RaiseEvent(photon.EventCode(group), nil, &client.RaiseEventOptions{InterestGroup: group}, client.SendReliable))
		}
		// An answered operation stands between one's change and the other's events.
		change := func(remove, add []byte) {
			bob.must(bob.ChangeGroups(remove, add))
			bob.must(bob.SetRoomProperties(bob.ctx(), map[string]any{"x": true}, nil))
			bob.until("properties of 0 by 2: {x:true}")
			ann.until("properties of 0 by 2: {x:true}")
		}
		all := func() {
			for _, g := range []byte{1, 2, 3} {
				to(g)
			}
			ann.raise(100, nil)
		}
		all()
		bob.hears("event 100 from 1")
		change([]byte{}, []byte{1, 2})
		all()
		bob.hears("event 1 from 1", "event 2 from 1", "event 100 from 1")
		change(nil, []byte{3})
		change([]byte{1}, nil)
		all()
		bob.hears("event 2 from 1", "event 3 from 1", "event 100 from 1")
		change([]byte{2, 3}, []byte{3}) // removed and added: in
		all()
		bob.hears("event 3 from 1", "event 100 from 1")
		change([]byte{}, nil)
		all()
		bob.hears("event 100 from 1")
		change(nil, []byte{}) // all that there are
		all()
		bob.hears("event 1 from 1", "event 2 from 1", "event 3 from 1", "event 100 from 1")
		// One who comes back is in group 0 only.
		bob.must(bob.LeaveRoom(bob.ctx(), true))
		bob.must(bob.RejoinRoom(bob.ctx(), room))
		bob.until(fmt.Sprintf("join 2 %q", bob.user))
		all()
		bob.hears("event 100 from 1")
	})
}

// LB-222, LB-223: receivers.
func TestReceivers(t *testing.T) {
	each(t, nil, func(t *testing.T, up *daemon.Up, f Form) {
		ann, bob, _ := pair(t, up, f, nil)
		raise := func(m *member, code photon.EventCode, opt client.RaiseEventOptions) {
			m.must(m.RaiseEvent(code, nil, &opt, client.SendReliable))
		}
		raise(bob, 1, client.RaiseEventOptions{Receivers: photon.ReceiverMasterClient})
		raise(bob, 2, client.RaiseEventOptions{Receivers: photon.ReceiverAll})
		raise(bob, 3, client.RaiseEventOptions{TargetActors: []int32{2, 99, 2}})
		raise(bob, 4, client.RaiseEventOptions{TargetActors: []int32{1}})
		ann.hears("event 1 from 2", "event 2 from 2", "event 4 from 2")
		bob.hears("event 2 from 2", "event 3 from 2")
		ann.must(ann.SetMasterClient(ann.ctx(), 2)) // LB-190
		ann.hears("properties of 0 by 1: {248:2}", "master client 2")
		bob.hears("properties of 0 by 1: {248:2}", "master client 2")
		raise(bob, 5, client.RaiseEventOptions{Receivers: photon.ReceiverMasterClient})
		bob.hears("event 5 from 2")
		// A code that is the server's own. LB-229
		bob.raise(photon.EventLeave, nil)
		bob.hears("response 253 rc -2")
		// LB-191: the new master client leaves.
		bob.must(bob.LeaveRoom(bob.ctx(), false))
		ann.hears("leave 2", "master client 1")
	})
}

// LB-227: the way of an event stays its way, on UDP.
func TestDeliveryModes(t *testing.T) {
	up := Start(t, nil)
	f := Form{client.UDP, photon.GpBinaryV18}
	got := make(chan heard, 256)
	ann := enters(t, up, f, "ann")
	ann.creates("modes", nil)
	bob := newMember(t, Settings(up, f, "bob"))
	bob.raised = func(e *client.Event) { got <- heard{code: e.Code, d: e.Delivery} }
	bob.must(bob.Connect(bob.ctx()))
	bob.must(bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: "modes"}))
	for i, d := range []photon.Delivery{
		{Mode: photon.Unreliable}, {Mode: photon.Reliable}, {Mode: photon.UnreliableUnsequenced}, {Mode: photon.ReliableUnsequenced},
		{Mode: photon.Unreliable, Channel: 1}, {Mode: photon.Reliable, Channel: 1},
	} {
		// What is unreliable may be lost: one of several arrives.
		for n := range 20 {
			ann.must(ann.RaiseEvent(photon.EventCode(i+1), strconv.Itoa(n), nil, d))
		}
		for {
			e := next(t, got, fmt.Sprintf("event with %+v", d))
			if e.code < photon.EventCode(i+1) {
				continue // of the delivery before
			}
			if e.d != d {
				t.Errorf("%+v arrived as %+v", d, e.d)
			}
			break
		}
	}
}
