package bench

import (
	"net/netip"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// noteLink notes when its player's events were due.
type noteLink struct {
	t    *testing.T
	text bool
	due  []time.Duration
}

func (l *noteLink) send(msg []byte, _ photon.Delivery) error {
	s, ok := find(msg, l.text)
	if !ok || int(s.number) != len(l.due) {
		l.t.Errorf("event %d has stamp %+v", len(l.due), s)
	}
	l.due = append(l.due, s.due)
	return nil
}

// dueTimes runs a schedule of two rooms of two for a second, and returns when
// each player's events were due.
func dueTimes(t *testing.T, o Options) (due [4][]time.Duration, s *schedule) {
	o.GameServer, o.Rooms, o.Players, o.Warmup, o.Duration = "x", 2, 2, -1, time.Second
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := newTemplate(&o)
	if err != nil {
		t.Fatal(err)
	}
	var rooms [][]*player
	var links []*noteLink
	for range 2 {
		var room []*player
		for i := range 2 {
			l := &noteLink{t: t}
			links = append(links, l)
			room = append(room, &player{index: uint32(i), link: l})
		}
		rooms = append(rooms, room)
	}
	s = newSchedule(&o, rooms, newCounts(0, time.Second), tmpl)
	buf := make([]byte, len(tmpl.msg))
	for now := time.Duration(0); s.ended == 0; now += time.Millisecond {
		if _, err := s.step(now, buf); err != nil {
			t.Fatal(err)
		}
		if now > 2*time.Second {
			t.Fatal("the schedule does not end")
		}
	}
	for i, l := range links {
		due[i] = l.due
	}
	return due, s
}

func TestScheduleSteady(t *testing.T) {
	due, s := dueTimes(t, Options{Rate: 10})
	for i, d := range due {
		// One player of each room in turn, 25 ms apart.
		first := []time.Duration{0, 50, 25, 75}[i] * time.Millisecond
		if len(d) != 10 || d[0] != first || d[9] != first+900*time.Millisecond {
			t.Errorf("player %d: %v", i, d)
		}
	}
	if s.counts.sent != 40 || s.counts.expected != 40 {
		t.Errorf("sent %d, expected %d", s.counts.sent, s.counts.expected)
	}
}

// In bursts a room's players raise all events at once, and the rate holds.
func TestScheduleBursts(t *testing.T) {
	due, _ := dueTimes(t, Options{Scenario: Bursts, Rate: 10, Burst: 5})
	for i, d := range due {
		first := []time.Duration{0, 0, 250, 250}[i] * time.Millisecond
		if len(d) != 10 {
			t.Fatalf("player %d: %v", i, d)
		}
		for n, at := range d {
			if want := first + time.Duration(n/5)*500*time.Millisecond; at != want {
				t.Errorf("player %d, event %d: due %v, want %v", i, n, at, want)
			}
		}
	}
}

// Who is idle raises nothing, for as long as the others would.
func TestScheduleIdle(t *testing.T) {
	due, s := dueTimes(t, Options{Scenario: Idle})
	for i, d := range due {
		if len(d) > 0 {
			t.Errorf("player %d: %v", i, d)
		}
	}
	if s.ended != time.Second || !s.done(time.Second) {
		t.Errorf("ended at %v", s.ended)
	}
}

// A stamp survives both forms, and what is too short has none.
func TestStamp(t *testing.T) {
	want := stamp{7, 1 << 31, 123456789 * time.Microsecond}
	for _, text := range []bool{false, true} {
		b := append([]byte("before"), mark...)
		b = append(b, make([]byte, 2*stampBytes)...)
		want.put(b[len("before"):], text)
		if got, ok := find(b, text); !ok || got != want {
			t.Errorf("text %v: %+v", text, got)
		}
		if _, ok := find(b[:len("before")+len(mark)+stampBytes-1], text); ok {
			t.Errorf("text %v: found what is cut short", text)
		}
	}
	if _, ok := find([]byte("BosonEvt................................"), true); ok {
		t.Error("found what is not hexadecimal")
	}
}

// Players take a network's addresses in turn, without its first and last.
func TestFrom(t *testing.T) {
	o := Options{From: netip.MustParsePrefix("127.1.2.0/30")}
	for n, want := range []string{"127.1.2.1", "127.1.2.2", "127.1.2.1"} {
		if got := o.from(n).String(); got != want {
			t.Errorf("player %d: %s, want %s", n, got, want)
		}
	}
	if a := (&Options{}).from(3); a.IsValid() {
		t.Errorf("%s without a network", a)
	}
}
