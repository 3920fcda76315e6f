package s2s

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/lobby"
)

// script applies messages to a mirror and returns what it did, in order.
type script struct {
	mirror Mirror
	done   []string
}

func newScript() *script {
	s := &script{}
	s.mirror = Mirror{
		Upsert: func(r lobby.Record) { s.done = append(s.done, fmt.Sprintf("+%s/%s", r.App, r.Name)) },
		Remove: func(app, name string, why RemoveReason) {
			s.done = append(s.done, fmt.Sprintf("-%s/%s %d", app, name, why))
		},
		Users: func(d *UserDelta) { s.done = append(s.done, fmt.Sprintf("users %d", len(d.Joined))) },
	}
	return s
}

func (s *script) apply(t *testing.T, m Message) string {
	t.Helper()
	s.done = nil
	resync, err := s.mirror.Apply(m)
	if err != nil {
		t.Fatal(err)
	}
	if resync {
		s.done = append(s.done, "resync")
	}
	slices.Sort(s.done)
	return strings.Join(s.done, ", ")
}

func batch(rev int64, names ...string) *RoomBatch {
	b := &RoomBatch{Rev: rev}
	for _, n := range names {
		b.Rooms = append(b.Rooms, lobby.Record{App: "a", Name: n})
	}
	return b
}

func remove(rev int64, names ...string) *RoomRemove {
	m := &RoomRemove{Rev: rev}
	for _, n := range names {
		m.Keys = append(m.Keys, RoomKey("a", n))
	}
	return m
}

// cluster CL-09, CL-61 (removals of rooms that are not the server's own)
func TestMirror(t *testing.T) {
	s := newScript()
	for i, step := range []struct {
		m    Message
		want string
	}{
		{batch(1, "x"), ""},   // before the first snapshot: nothing counts
		{&SnapshotEnd{2}, ""}, // and nothing is asked for, a snapshot is on its way
		{&SnapshotBegin{7, 3}, ""},
		{batch(8, "x", "y"), "+a/x, +a/y"},
		{batch(9, "z"), "+a/z"},
		{&SnapshotEnd{10}, ""},
		{&LoadReport{Rev: 3}, ""},
		{batch(11, "x"), "+a/x"},
		{remove(12, "y", "not mine"), "-a/y 0"},
		{&UserDelta{Rev: 13, Joined: make([]UserAt, 2)}, "users 2"},
		{&UserDelta{Master: true}, "users 0"}, // counts no revision
		{batch(14, "w"), "+a/w"},
		{batch(14, "again"), "resync"}, // a lower revision
		{batch(15, "v"), ""},           // until the snapshot comes
		{remove(16, "x"), ""},
		{&SnapshotBegin{17, 2}, ""},
		{batch(18, "x", "v"), "+a/v, +a/x"},
		{&SnapshotEnd{19}, "-a/w 1, -a/z 1"},
		{&SnapshotBegin{20, 2}, ""},
		{batch(22, "x"), "resync"}, // a gap inside a snapshot
		{&SnapshotEnd{23}, ""},     // its end removes nothing
		{&SnapshotBegin{24, 0}, ""},
		{&SnapshotEnd{25}, "-a/v 1, -a/x 1"},
		{&SnapshotEnd{26}, ""}, // without begin: no effect
	} {
		if got := s.apply(t, step.m); got != step.want {
			t.Errorf("step %d, %T: %q, want %q", i, step.m, got, step.want)
		}
	}
}

func TestMirrorOutlivesLinks(t *testing.T) {
	s := newScript()
	s.apply(t, &SnapshotBegin{1, 2})
	s.apply(t, batch(2, "x", "y"))
	if s.mirror.Complete() {
		t.Error("complete before the end")
	}
	s.apply(t, &SnapshotEnd{3})
	if !s.mirror.Complete() || s.mirror.Len() != 2 {
		t.Error("not complete")
	}
	s.mirror.Reset()
	if s.mirror.Complete() || s.mirror.Len() != 2 {
		t.Error("a new link forgets rooms")
	}
	if got := s.apply(t, batch(4, "z")); got != "" {
		t.Errorf("before the snapshot: %s", got)
	}
	s.apply(t, &SnapshotBegin{1, 1})
	s.apply(t, batch(2, "y"))
	if got := s.apply(t, &SnapshotEnd{3}); got != "-a/x 1" {
		t.Error(got)
	}
	s.done = nil
	s.mirror.Clear(RemoveClosed)
	if got := strings.Join(s.done, ", "); got != "-a/y 0" || s.mirror.Len() != 0 || s.mirror.Complete() {
		t.Error(got)
	}
}

func TestMirrorIsBounded(t *testing.T) {
	s := newScript()
	s.mirror.MaxRooms = 2
	s.apply(t, &SnapshotBegin{1, 3})
	s.apply(t, batch(2, "x", "y"))
	s.apply(t, batch(3, "x", "y"))
	if _, err := s.mirror.Apply(batch(4, "z")); !errors.Is(err, ErrTooManyRooms) {
		t.Error(err)
	}
}
