package transport

// wheelSlots is the reach of the wheel in ms; later deadlines are looked at
// again when they come into reach. A power of two.
const wheelSlots = 2048

// wheel holds the peers of a shard by their next deadline, in ticks of 1 ms. It
// needs no memory per peer but the links in the peer itself.
type wheel struct {
	now   int64 // all ticks up to now are over
	slots [wheelSlots]*udpPeer
	used  [wheelSlots / 64]uint64 // bit: the slot is not empty
}

// set moves p to a tick, which counts as the next one when it is over.
func (w *wheel) set(p *udpPeer, tick int64) {
	tick = min(max(tick, w.now+1), w.now+wheelSlots-1)
	if p.tick == tick {
		return
	}
	w.remove(p)
	p.tick = tick
	i := tick % wheelSlots
	p.wheelNext = w.slots[i]
	if p.wheelNext != nil {
		p.wheelNext.wheelPrev = p
	}
	w.slots[i] = p
	w.used[i/64] |= 1 << (i % 64)
}

// remove takes p out, if it is in.
func (w *wheel) remove(p *udpPeer) {
	if p.tick == 0 {
		return
	}
	i := p.tick % wheelSlots
	if p.wheelPrev == nil {
		w.slots[i] = p.wheelNext
	} else {
		p.wheelPrev.wheelNext = p.wheelNext
	}
	if p.wheelNext != nil {
		p.wheelNext.wheelPrev = p.wheelPrev
	}
	if w.slots[i] == nil {
		w.used[i/64] &^= 1 << (i % 64)
	}
	p.wheelNext, p.wheelPrev, p.tick = nil, nil, 0
}

// advance lets time pass to tick and calls due for each peer whose tick came,
// which is out of the wheel then. due must not change the wheel.
func (w *wheel) advance(tick int64, due func(*udpPeer)) {
	if tick <= w.now {
		return
	}
	from := max(w.now+1, tick-wheelSlots+1)
	w.now = tick
	for t := from; t <= tick; t++ {
		i := t % wheelSlots
		if w.used[i/64] == 0 {
			t += 63 - i%64 // a whole word of empty slots
			continue
		}
		for p := w.slots[i]; p != nil; p = w.slots[i] {
			w.remove(p)
			due(p)
		}
	}
}

// next is the first tick that has a peer, or one beyond the wheel's reach.
func (w *wheel) next() int64 {
	for t := w.now + 1; t < w.now+wheelSlots; t++ {
		i := t % wheelSlots
		if w.used[i/64] == 0 {
			t += 63 - i%64
			continue
		}
		if w.used[i/64]&(1<<(i%64)) != 0 {
			return t
		}
	}
	return w.now + wheelSlots
}
