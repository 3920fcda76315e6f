package bench

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// schedule says when each player of a loop raises its next event. All have the
// same rate, so that they take turns: the n-th event of the loop is due at
// n/(rate*players), and rooms send evenly over time.
//
// With bursts it is the rooms that take turns: all their players raise all events
// of a burst at once.
type schedule struct {
	players  []*player // room by room with bursts, else one of each room in turn
	counts   *counts
	template *template
	delivery photon.Delivery
	room     int           // players in a room
	unit     int64         // events that are due at the same time
	period   float64       // ns between two units
	base     time.Duration // of the run's time: the load begins
	end      time.Duration
	n        int64
	ended    time.Duration // when the last event was sent, for the drain
	heard    int64
	heardAt  time.Duration
}

// drain is how long events may still be on their way, and quiet how long nothing
// may come until a run gives the rest up.
const (
	drain = 10 * time.Second
	quiet = 2 * time.Second
)

// newSchedule interleaves the players of the rooms, so that a room's players are
// due evenly spread.
func newSchedule(o *Options, rooms [][]*player, c *counts, t *template) *schedule {
	s := &schedule{counts: c, template: t, delivery: o.delivery(), end: o.Warmup + o.Duration, room: o.Players, unit: 1}
	if o.Burst > 1 {
		s.players = slices.Concat(rooms...)
		s.unit = int64(o.Burst * o.Players)
	} else {
		for i := range o.Players {
			for _, r := range rooms {
				s.players = append(s.players, r[i])
			}
		}
	}
	s.period = float64(time.Second) / o.Rate / float64(len(s.players)) * float64(s.unit)
	if !o.raises() {
		s.n = 1
		s.period = math.MaxInt64 / 2
	}
	return s
}

// next is the event that is due next.
func (s *schedule) next() (*player, time.Duration) {
	turn := s.n / s.unit
	due := s.base + time.Duration(float64(turn)*s.period)
	if s.unit == 1 {
		return s.players[turn%int64(len(s.players))], due
	}
	first := turn * int64(s.room) % int64(len(s.players))
	return s.players[first+s.n%s.unit%int64(s.room)], due
}

// burst is how many events are sent before a loop looks at what came in.
const burst = 64

// step sends what is due at now, with buf for memory, and returns how long
// nothing will be.
func (s *schedule) step(now time.Duration, buf []byte) (wait time.Duration, err error) {
	sent, refused := int64(0), int64(0)
	for range burst {
		p, due := s.next()
		if end := s.base + s.end; due >= end {
			switch {
			case now < end:
				wait = end - now
			case s.ended == 0:
				s.ended = now
				fallthrough
			default:
				wait = time.Millisecond
			}
			break
		}
		if due > now {
			wait = due - now
			break
		}
		s.n++
		s.template.fill(buf, p.index, p.number, due)
		switch err := p.link.send(buf, s.delivery); {
		case err == nil:
			p.number++
			sent++
		case errors.Is(err, client.ErrQueueFull):
			refused++
		default:
			return 0, err
		}
	}
	if sent+refused > 0 {
		s.counts.mu.Lock()
		s.counts.sent += sent
		s.counts.refused += refused
		s.counts.expected += sent * int64(s.room-1)
		s.counts.mu.Unlock()
	}
	return wait, nil
}

// done is true when all events have been sent, and have arrived or are lost.
func (s *schedule) done(now time.Duration) bool {
	if s.ended == 0 {
		return false
	}
	s.counts.mu.Lock()
	arrived, expected := s.counts.arrived, s.counts.expected
	s.counts.mu.Unlock()
	if arrived != s.heard || s.heardAt == 0 {
		s.heard, s.heardAt = arrived, now
	}
	return arrived >= expected || now-s.ended >= drain || now-s.heardAt >= quiet
}
