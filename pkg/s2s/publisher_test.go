package s2s

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
)

// directory is a master's view of one game server.
type directory struct {
	mu     sync.Mutex
	mirror Mirror
	rooms  map[string]lobby.Record
	ups    int
	msgs   []Message
	synced chan struct{} // told at each SnapshotEnd
	stall  chan struct{} // handlers wait while it is not nil
}

func newDirectory() *directory {
	d := &directory{rooms: make(map[string]lobby.Record), synced: make(chan struct{}, 100)}
	d.mirror.Upsert = func(r lobby.Record) { d.rooms[RoomKey(r.App, r.Name)] = r }
	d.mirror.Remove = func(app, name string, _ RemoveReason) { delete(d.rooms, RoomKey(app, name)) }
	return d
}

func (d *directory) handlers(t *testing.T) Handlers {
	return Handlers{
		Up: func(*Link) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.ups++
			d.mirror.Reset()
		},
		Message: func(l *Link, m Message) {
			d.mu.Lock()
			stall := d.stall
			d.mu.Unlock()
			if stall != nil {
				<-stall
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			d.msgs = append(d.msgs, m)
			if err := d.mirror.Receive(l, m); err != nil && !errors.Is(err, ErrDown) {
				t.Error(err)
			}
			if _, ok := m.(*SnapshotEnd); ok {
				d.synced <- struct{}{}
			}
		},
	}
}

// take returns and forgets the messages.
func (d *directory) take() []Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.msgs
	d.msgs = nil
	return m
}

// check holds that the master knows exactly the rooms of the publisher.
func (d *directory) check(t *testing.T, p *Publisher) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(d.rooms) != len(p.rooms) || d.mirror.Len() != len(p.rooms) {
		t.Errorf("the master knows %d rooms, the mirror %d, there are %d", len(d.rooms), d.mirror.Len(), len(p.rooms))
	}
	for key, want := range p.rooms {
		if got := d.rooms[key]; !reflect.DeepEqual(got, *want) {
			t.Errorf("the master has %+v\nfor %+v", got, *want)
			return
		}
	}
}

// source is a game server with rooms.
type source struct {
	publisher *Publisher
	outbound  *Outbound
	run       *running
}

func newSource(t *testing.T, addr string, dial func(context.Context, string) (net.Conn, error)) *source {
	s := &source{publisher: NewPublisher(func(r *lobby.Record, err error) { t.Errorf("%s: %v", r.Name, err) })}
	s.outbound = NewOutbound(OutboundConfig{
		Addr: addr, Self: func() Hello { return gameServer("gs-1") }, Key: sharedKey, Dial: dial,
		Handlers: Handlers{
			Up: s.publisher.Attach,
			Event: func(l *Link, e Event) {
				if _, ok := e.(*Resync); ok {
					s.publisher.Resync(l)
				}
			},
		},
	})
	s.run = keep(t, s.outbound)
	return s
}

func (s *source) end() {
	s.run.end()
	s.publisher.Close()
}

func room(i, version int) lobby.Record {
	return lobby.Record{
		App: "app\x001.0", Name: fmt.Sprint("room ", i), Open: true, Visible: true, Players: int32(version),
		Properties: gpbinary.NewHashtable(gpbinary.Pair{Key: "v", Value: int32(version)}),
	}
}

func startSync(t *testing.T) (*pipes, *directory, *running, *source) {
	n := &pipes{}
	d := newDirectory()
	l := NewListener(ListenerConfig{Self: master(1), Key: sharedKey, Handlers: d.handlers(t)})
	return n, d, serve(t, l, n.listen()), newSource(t, "x", n.dial)
}

// spend makes as many changes as a publisher sends at once.
func spend(p *Publisher) {
	for range batchBurst {
		p.Upsert(room(1, 9))
		after(time.Microsecond)
	}
}

func TestSnapshotThenChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &pipes{}
		d := newDirectory()
		s := newSource(t, "x", n.dial)
		for i := range 450 {
			s.publisher.Upsert(room(i, 0))
		}
		run := serve(t, NewListener(ListenerConfig{Self: master(1), Key: sharedKey, Handlers: d.handlers(t)}), n.listen())
		after(time.Second)
		msgs := d.take()
		if len(msgs) != 5 { // begin, 200, 200, 50, end
			t.Errorf("%d messages", len(msgs))
		}
		if b, ok := msgs[0].(*SnapshotBegin); !ok || b.Rev != 1 || b.Rooms != 450 {
			t.Errorf("%+v", msgs[0])
		}
		d.check(t, s.publisher)

		// Changes go out at once, as long as there are not too many.
		for range batchBurst - 1 {
			s.publisher.Upsert(room(1, 9))
			after(time.Microsecond)
			if msgs = d.take(); len(msgs) != 1 || len(msgs[0].(*RoomBatch).Rooms) != 1 {
				t.Fatalf("%d messages at once", len(msgs))
			}
		}
		spend(s.publisher)
		d.take()

		// Then they are collected: one message, a room's changes one record.
		s.publisher.Upsert(room(1, 1))
		s.publisher.Upsert(room(1, 2))
		s.publisher.Upsert(room(2, 1))
		s.publisher.Remove("app\x001.0", "room 3")
		s.publisher.Remove("app\x001.0", "unknown")
		after(batchDelay - 2*time.Millisecond)
		if got := d.take(); len(got) != 0 {
			t.Errorf("%d messages too early", len(got))
		}
		after(3 * time.Millisecond)
		msgs = d.take()
		if len(msgs) != 2 || len(msgs[0].(*RoomBatch).Rooms) != 2 || len(msgs[1].(*RoomRemove).Keys) != 1 {
			t.Errorf("%+v", msgs)
		}
		d.check(t, s.publisher)

		// 200 changed rooms do not wait.
		for i := 100; i < 300; i++ {
			s.publisher.Upsert(room(i, 3))
		}
		after(time.Millisecond)
		if msgs = d.take(); len(msgs) != 1 || len(msgs[0].(*RoomBatch).Rooms) != batchRecords {
			t.Errorf("%d messages", len(msgs))
		}
		d.check(t, s.publisher)
		s.end()
		run.end()
	})
}

// LB-207: a master holds the name of a room until it hears of it, so it hears
// also of one that was over within a batch.
func TestRoomOverWithinABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, d, run, s := startSync(t)
		after(time.Second)
		d.take()
		s.publisher.Upsert(room(1, 1))
		spend(s.publisher) // what follows waits
		d.take()
		brief, again := room(2, 1), room(3, 1)
		for _, r := range []lobby.Record{brief, again} {
			s.publisher.Upsert(r)
			s.publisher.Upsert(r)
			s.publisher.Remove(r.App, r.Name)
		}
		again.Incarnation++
		s.publisher.Upsert(again)
		s.publisher.Remove("app\x001.0", "room 1")
		after(time.Second)
		msgs := d.take()
		if len(msgs) != 2 {
			t.Fatalf("%d messages", len(msgs))
		}
		var got []string
		for _, r := range msgs[0].(*RoomBatch).Rooms {
			got = append(got, fmt.Sprint(r.Name, r.Closing))
		}
		if want := []string{"room 2true", "room 3true", "room 3false"}; !reflect.DeepEqual(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if keys := msgs[1].(*RoomRemove).Keys; len(keys) != 2 {
			t.Errorf("removed: %v", keys)
		}
		d.check(t, s.publisher)
		s.end()
		run.end()
	})
}

// cluster CL-09
func TestGapTriggersResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, d, run, s := startSync(t)
		for i := range 10 {
			s.publisher.Upsert(room(i, 0))
		}
		after(time.Second)
		d.check(t, s.publisher)
		d.take()
		// A message of another revision: as if one between had been lost.
		if err := s.outbound.Send(&RoomRemove{Rev: 50, Keys: []string{RoomKey("app\x001.0", "room 1")}}); err != nil {
			t.Fatal(err)
		}
		s.publisher.Upsert(room(77, 1))
		after(time.Second)
		d.check(t, s.publisher)
		snapshots := 0
		for _, m := range d.take() {
			if _, ok := m.(*SnapshotBegin); ok {
				snapshots++
			}
		}
		if snapshots != 1 {
			t.Errorf("%d snapshots", snapshots)
		}
		s.end()
		run.end()
	})
}

// Whatever happens to rooms and links, in the end the master knows the truth
// (cluster CL-09).
func TestMirrorFollowsThroughBreaks(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			_, d, run, s := startSync(t)
			for step := range 2000 {
				switch n := r.IntN(100); {
				case n < 60:
					s.publisher.Upsert(room(r.IntN(300), step))
				case n < 95:
					s.publisher.Remove("app\x001.0", fmt.Sprint("room ", r.IntN(300)))
				case n == 95:
					if l := s.outbound.Link(); l != nil {
						l.fail(errors.New("cut"))
					}
				case n == 96:
					// A stray message, whose revision is as it happens.
					_ = s.outbound.Send(&SnapshotEnd{Rev: int64(r.IntN(100))})
				default:
					after(time.Duration(r.IntN(300)) * time.Millisecond)
				}
			}
			after(20 * time.Second)
			d.check(t, s.publisher)
			s.end()
			run.end()
		})
	}
}

// cluster CL-40: a master that does not read costs the publisher a bounded queue,
// never blocks rooms, and knows everything when it is back.
func TestSlowMasterIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, d, run, s := startSync(t)
		after(time.Second)
		d.mu.Lock()
		d.stall = make(chan struct{})
		d.mu.Unlock()
		big := make([]byte, 4000)
		peak := 0
		for round := range 20 {
			for i := range 1000 {
				rec := room(i, round)
				rec.Properties.Set("big", big)
				s.publisher.Upsert(rec)
			}
			after(200 * time.Millisecond)
			if l := s.outbound.Link(); l != nil {
				peak = max(peak, l.Queued())
			}
		}
		if peak == 0 || peak > publishQueue+2*batchBytes {
			t.Errorf("up to %d bytes waited", peak)
		}
		after(10 * time.Second)
		d.mu.Lock()
		close(d.stall)
		d.stall = nil
		d.mu.Unlock()
		after(time.Minute)
		d.check(t, s.publisher)
		if d.ups < 2 {
			t.Error("the stalled link was never dropped")
		}
		s.end()
		run.end()
	})
}

// Over real sockets: the master is killed, comes back empty at the same address,
// and knows every room again (cluster CL-33, this package's part).
func TestMasterRestart(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	d := newDirectory()
	run := serve(t, NewListener(ListenerConfig{Self: master(1), Key: sharedKey, Handlers: d.handlers(t)}), ln)
	s := newSource(t, addr, nil)
	for i := range 1000 {
		s.publisher.Upsert(room(i, 0))
	}
	<-d.synced
	run.end()

	for i := range 100 {
		s.publisher.Remove("app\x001.0", fmt.Sprint("room ", i))
	}
	if ln, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	d = newDirectory()
	run = serve(t, NewListener(ListenerConfig{Self: master(2), Key: sharedKey, Handlers: d.handlers(t)}), ln)
	<-d.synced
	d.check(t, s.publisher)
	s.end()
	run.end()
}

// The publisher reports what it can't publish and goes on with the rest.
func TestUnpublishableRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &pipes{}
		d := newDirectory()
		run := serve(t, NewListener(ListenerConfig{Self: master(1), Key: sharedKey, Handlers: d.handlers(t)}), n.listen())
		s := newSource(t, "x", n.dial)
		failed := 0
		s.publisher.failed = func(*lobby.Record, error) { failed++ }
		after(time.Second)
		bad := room(1, 1)
		bad.Name = strings.Repeat("x", maxKey)
		s.publisher.Upsert(bad)
		s.publisher.Upsert(room(2, 1))
		after(time.Second)
		if failed != 1 || len(d.rooms) != 1 {
			t.Errorf("%d failed, the master knows %d rooms", failed, len(d.rooms))
		}
		s.publisher.Remove(bad.App, bad.Name)
		s.publisher.Upsert(room(3, 1))
		after(time.Second)
		d.check(t, s.publisher)
		if d.ups != 1 {
			t.Errorf("%d links", d.ups)
		}
		s.end()
		run.end()
	})
}

func TestCloseTakesNoMoreLinks(t *testing.T) {
	p := NewPublisher(nil)
	p.Close()
	p.Attach(&Link{})
	p.Resync(&Link{})
	if len(p.links) != 0 {
		t.Error("a link was attached")
	}
}
