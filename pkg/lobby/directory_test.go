package lobby

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/boson-project/boson/pkg/photon"
)

// cluster.md 14.3
func TestDuplicateRooms(t *testing.T) {
	f := newFixture(t, Config{})
	older := with(visible("a"), func(r *Record) { r.Created, r.Players = 1, 2 })
	newer := with(visible("a"), func(r *Record) { r.Created, r.Players = 2, 3 })
	f.Upsert(f.now, "gs1", &newer)
	f.Upsert(f.now, "gs2", &older)
	server, rec, _ := f.Lookup("a")
	want(t, "the older counts", server, "gs2")
	want(t, "its record", rec, &older)
	want(t, "duplicates", f.Duplicates(), 1)
	want(t, "stats", f.Stats(), Stats{Players: 2, Rooms: 1})
	same := with(visible("a"), func(r *Record) { r.Created = 1 })
	f.Upsert(f.now, "gs0", &same)
	server, _, _ = f.Lookup("a")
	want(t, "equally old: by name", server, "gs0")
	f.Remove(f.now, "gs0", "a")
	f.Remove(f.now, "gs2", "a")
	server, _, _ = f.Lookup("a")
	want(t, "the other", server, "gs1")
	want(t, "duplicates afterwards", f.Duplicates(), 0)
	f.Remove(f.now, "gs2", "a") // not there any more
	f.Remove(f.now, "gs1", "b") // never was
	want(t, "rooms", len(f.rooms), 1)
	for server, rec := range f.Rooms() {
		want(t, "room", server+rec.Name, "gs1a")
	}
}

func TestRemoveServer(t *testing.T) {
	f := newFixture(t, Config{})
	f.put(visible("a"))
	f.App.Upsert(f.now, "gs2", &Record{Name: "c"})
	m, _ := f.create(CreateRequest{User: "u", Name: "d"})
	f.Place(f.now, "d", m.Reservation, "gs1")
	f.RemoveServer(f.now, "gs1")
	f.RemoveServer(f.now, "gs9")
	want(t, "without the server", len(f.rooms), 1)
}

// A room that is gone and there again is younger than it was.
func TestIncarnation(t *testing.T) {
	f := newFixture(t, Config{})
	f.put(with(visible("a"), func(r *Record) { r.Created, r.Incarnation = 1, 1 }))
	f.put(with(visible("b"), func(r *Record) { r.Created, r.Incarnation = 2, 1 }))
	want(t, "oldest", f.chosen(RandomRequest{}), "a")
	f.put(with(visible("a"), func(r *Record) { r.Created, r.Incarnation = 3, 2 }))
	want(t, "oldest now", f.chosen(RandomRequest{}), "b")
	want(t, "rooms", f.Stats().Rooms, 2)
}

// A suspended server keeps its rooms' names.
func TestSuspend(t *testing.T) {
	f := newFixture(t, Config{})
	f.put(visible("a"))
	f.Suspend(f.now, "gs1")
	_, rc := f.create(CreateRequest{User: "u", Name: "a"})
	wantCode(t, "create", rc, photon.ReturnGameIDAlreadyExists)
	m, rc := f.join(JoinRequest{User: "u", Name: "a"})
	wantCode(t, "join", rc, photon.ReturnOk)
	want(t, "join", m.Server, "gs1")
	f.put(with(visible("a"), func(r *Record) { r.Players = 2 }))
	want(t, "random", f.chosen(RandomRequest{}), none)
	f.Suspend(f.now, "gs9")
}

func TestRoomList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var list roomList
	var model []*room
	byOrder := func(a, b *room) int {
		if a.order.before(b.order) {
			return -1
		}
		return 1
	}
	for i := range 20000 {
		if r.IntN(5) < 3 || len(model) == 0 {
			x := &room{order: order{int64(r.IntN(300)), uint64(i)}}
			list.insert(x)
			model = append(model, x)
		} else {
			at := r.IntN(len(model))
			list.remove(model[at])
			list.remove(model[at]) // not in it any more: nothing
			model = slices.Delete(model, at, at+1)
		}
		if i%2000 != 0 {
			continue
		}
		slices.SortFunc(model, byOrder)
		c, n := cursor{}, 0
		for x := list.next(&c); x != nil; x = list.next(&c) {
			if x != model[n] || list.at(n) != x || list.peek(list.find(x.order)) != x {
				t.Fatalf("step %d: wrong room at %d", i, n)
			}
			n++
		}
		if n != len(model) || list.len != n {
			t.Fatalf("step %d: %d rooms, len %d, want %d", i, n, list.len, len(model))
		}
	}
	for _, x := range model {
		list.remove(x)
	}
	if list.len != 0 || len(list.chunks) != 0 {
		t.Errorf("%d rooms are left in %d chunks", list.len, len(list.chunks))
	}
}
