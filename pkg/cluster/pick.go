package cluster

import (
	"math/rand/v2"
	"time"
)

// weights of the levels in the choice of a game server (cluster.md 2.4). Highest
// is never chosen.
var weights = [...]float64{Lowest: 40, Low: 30, Medium: 20, High: 10, Highest: 0}

// Weight is the level's share in the choice of a server, 0 to 40.
func (l Level) Weight() float64 {
	if int(l) < len(weights) {
		return weights[l]
	}
	return 0
}

// Candidate is a server that may be chosen: in state Normal, connected, and fit
// for the client. Pick looks at its load only.
type Candidate struct {
	Level Level
	// Recent is the number of placements on it within the last second, of which
	// its level can't know yet (see Placements).
	Recent int
}

// Pick chooses one of the candidates at random, in proportion to their weights,
// and returns its index; -1 if none has a weight. Recent placements lower the
// weight, so that a burst of rooms spreads between two load reports.
func Pick(candidates []Candidate, r *rand.Rand) int {
	total := 0.0
	for i := range candidates {
		total += candidates[i].weight()
	}
	if total == 0 {
		return -1
	}
	draw := r.Float64() * total
	last := -1
	for i := range candidates {
		w := candidates[i].weight()
		if w == 0 {
			continue
		}
		last = i
		if draw -= w; draw < 0 {
			break
		}
	}
	return last
}

func (c *Candidate) weight() float64 {
	return c.Level.Weight() / (1 + float64(max(c.Recent, 0))/10)
}

const (
	placementSlot  = 100 * time.Millisecond
	placementSlots = 10
)

// Placements counts what was placed on one server within the last second, in
// steps of 100 ms. The zero value is ready. It is for one goroutine.
type Placements struct {
	slots [placementSlots]int
	slot  int64 // number of the newest slot since the zero of now
}

// Add counts one placement at now, a time since any fixed moment.
func (p *Placements) Add(now time.Duration) {
	p.advance(now)
	p.slots[p.slot%placementSlots]++
}

// Count returns the placements within the second before now.
func (p *Placements) Count(now time.Duration) int {
	p.advance(now)
	n := 0
	for _, s := range p.slots {
		n += s
	}
	return n
}

func (p *Placements) advance(now time.Duration) {
	slot := int64(now / placementSlot)
	if slot-p.slot >= placementSlots {
		p.slots = [placementSlots]int{}
		p.slot = slot
	}
	for p.slot < slot {
		p.slot++
		p.slots[p.slot%placementSlots] = 0
	}
}
