package room

import (
	"fmt"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// drain is a connection that counts.
type drain struct {
	p    photon.Protocol
	msgs int
}

func (d *drain) Protocol() photon.Protocol            { return d.p }
func (d *drain) Send([]byte, photon.Delivery)         { d.msgs++ }
func (d *drain) Disconnect(photon.ReturnCode, string) {}
func (d *drain) joiner(user string) Joiner            { return Joiner{Sink: d, UserID: user} }
func parsed(tb testing.TB, p photon.Protocol, op photon.OpCode, params ...par) *photon.Request {
	tb.Helper()
	msg, err := photon.AppendRequest(nil, p, op, params)
	if err != nil {
		tb.Fatal(err)
	}
	req := &photon.Request{Delivery: reliable}
	if err := photon.ParseRequest(p, msg, req); err != nil {
		tb.Fatal(err)
	}
	return req
}

// crowd is a room of n+1 actors, the first of which speaks V18, with the others'
// protocols taken in turn.
func crowd(tb testing.TB, n int, others ...photon.Protocol) (*Room, *Seat) {
	tb.Helper()
	r := New(Config{}, ID{Name: "crowd"})
	first, err := createRoom(r, 0, parsed(tb, photon.GpBinaryV18, photon.OpCreateGame), (&drain{p: photon.GpBinaryV18}).joiner("0"))
	if err != nil {
		tb.Fatal(err)
	}
	join := parsed(tb, photon.GpBinaryV18, photon.OpJoinGame)
	for i := range n {
		if _, err := joinRoom(r, 0, join, (&drain{p: others[i%len(others)]}).joiner(fmt.Sprint(i+1))); err != nil {
			tb.Fatal(err)
		}
	}
	return r, first
}

// position is what an action game sends many times a second.
func position(tb testing.TB) *photon.Request {
	return parsed(tb, photon.GpBinaryV18, photon.OpRaiseEvent, code(201),
		content(gpbinary.ObjectArray{int32(1001), false, nil, float32(1.5), float32(2.5), float32(3.5)}))
}

// BenchmarkRaiseEvent measures the way of an event through the room: ns/op and
// allocations are those of one event to all its receivers.
func BenchmarkRaiseEvent(b *testing.B) {
	for _, kinds := range []struct {
		name      string
		protocols []photon.Protocol
	}{
		{"same", []photon.Protocol{photon.GpBinaryV18}},
		{"binary", []photon.Protocol{photon.GpBinaryV18, photon.GpBinaryV16}},
		{"mixed", []photon.Protocol{photon.GpBinaryV18, photon.GpBinaryV16, photon.JSON}},
	} {
		for _, n := range []int{2, 8, 16, 64, 256} {
			b.Run(fmt.Sprintf("%s/%d", kinds.name, n), func(b *testing.B) {
				r, seat := crowd(b, n, kinds.protocols...)
				req := position(b)
				b.ReportAllocs()
				for b.Loop() {
					if err := r.Operation(0, seat, req); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/receiver")
			})
		}
	}
}

// The allocations per relayed event are the slab's share.
func TestRaiseEventAllocations(t *testing.T) {
	for _, tt := range []struct {
		name  string
		extra []par
	}{
		{"others", nil},
		{"all", []par{receivers(photon.ReceiverAll)}},
		{"group", []par{group(1)}},
	} {
		r, seat := crowd(t, 16, photon.GpBinaryV18)
		for _, a := range r.active {
			a.groups.add(1)
		}
		req := parsed(t, photon.GpBinaryV18, photon.OpRaiseEvent, append(tt.extra, code(1), content([]byte("0123456789abcdef0123456789abcdef")))...)
		before := r.Stats().Deliveries
		allocs := testing.AllocsPerRun(2000, func() {
			if err := r.Operation(0, seat, req); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > 0.1 {
			t.Errorf("%s: %v allocations per event", tt.name, allocs)
		}
		if r.Stats().Deliveries < before+2000*16 {
			t.Errorf("%s: only %d deliveries", tt.name, r.Stats().Deliveries-before)
		}
	}
}

// BenchmarkJoinWithCache measures a join of a room with 1000 cached events.
func BenchmarkJoinWithCache(b *testing.B) {
	r, seat := crowd(b, 2, photon.GpBinaryV18)
	for i := range int32(1000) {
		req := parsed(b, photon.GpBinaryV18, photon.OpRaiseEvent, code(200), caching(photon.AddToRoomCache), content(table(byte(0), i)))
		if err := r.Operation(0, seat, req); err != nil {
			b.Fatal(err)
		}
	}
	join := parsed(b, photon.GpBinaryV18, photon.OpJoinGame)
	b.ReportAllocs()
	for b.Loop() {
		s, err := joinRoom(r, 0, join, (&drain{p: photon.GpBinaryV18}).joiner("late"))
		if err != nil {
			b.Fatal(err)
		}
		r.Disconnected(0, s, photon.TimeoutDisconnect, "")
	}
}

// BenchmarkRemoveFromCache measures PUN's clean-up of one object among 1000.
func BenchmarkRemoveFromCache(b *testing.B) {
	r, seat := crowd(b, 2, photon.GpBinaryV18)
	add := func(i int32) *photon.Request {
		return parsed(b, photon.GpBinaryV18, photon.OpRaiseEvent, code(202), caching(photon.AddToRoomCache), content(table(byte(7), i, byte(0), "prefab")))
	}
	for i := range int32(1000) {
		if err := r.Operation(0, seat, add(i)); err != nil {
			b.Fatal(err)
		}
	}
	again := add(500)
	remove := parsed(b, photon.GpBinaryV18, photon.OpRaiseEvent, code(202), caching(photon.RemoveFromRoomCache), content(table(byte(7), int32(500))))
	b.ReportAllocs()
	for b.Loop() {
		for _, req := range []*photon.Request{remove, again} {
			if err := r.Operation(0, seat, req); err != nil {
				b.Fatal(err)
			}
		}
	}
	if r.cache.count != 1000 {
		b.Fatalf("%d entries", r.cache.count)
	}
}
