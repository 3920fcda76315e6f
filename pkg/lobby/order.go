package lobby

import "sort"

// order is a room's place among others: by creation, in ms Unix time, then by
// the order in which this master heard of them.
type order struct {
	created int64
	seq     uint64
}

func (o order) before(p order) bool {
	if o.created != p.created {
		return o.created < p.created
	}
	return o.seq < p.seq
}

const chunkSize = 512

// sorted holds rooms in an order, in chunks, so that a change moves little memory
// even among 100 000 rooms. Chunks are never empty. Which order it is, is the
// business of those who build on it.
type sorted struct {
	chunks [][]*room
	len    int
}

// cursor is a place in a sorted, valid until that changes.
type cursor struct{ chunk, i int }

// search returns the place of the first room for which before is false.
func (l *sorted) search(before func(*room) bool) cursor {
	c := sort.Search(len(l.chunks), func(i int) bool {
		chunk := l.chunks[i]
		return !before(chunk[len(chunk)-1])
	})
	if c == len(l.chunks) {
		return cursor{c, 0}
	}
	chunk := l.chunks[c]
	return cursor{c, sort.Search(len(chunk), func(i int) bool { return !before(chunk[i]) })}
}

// insert puts a room at a place that search returned.
func (l *sorted) insert(at cursor, r *room) {
	if at.chunk == len(l.chunks) {
		// Last of all: at the end of the last chunk.
		if at.chunk == 0 {
			l.chunks = append(l.chunks, nil)
		} else {
			at.chunk--
		}
		at.i = len(l.chunks[at.chunk])
	}
	chunk := l.chunks[at.chunk]
	if len(chunk) == chunkSize {
		// A full chunk that grows at its end stays full: rooms mostly come in order.
		cut := chunkSize / 2
		if at.i == chunkSize {
			cut = chunkSize
		}
		tail := append(make([]*room, 0, chunkSize), chunk[cut:]...)
		clear(chunk[cut:])
		l.chunks[at.chunk] = chunk[:cut]
		l.chunks = append(l.chunks, nil)
		copy(l.chunks[at.chunk+2:], l.chunks[at.chunk+1:])
		l.chunks[at.chunk+1] = tail
		if at.i >= cut {
			at = cursor{at.chunk + 1, at.i - cut}
		}
		chunk = l.chunks[at.chunk]
	}
	chunk = append(chunk, nil)
	copy(chunk[at.i+1:], chunk[at.i:])
	chunk[at.i] = r
	l.chunks[at.chunk] = chunk
	l.len++
}

// remove takes a room out if it is the one at the place.
func (l *sorted) remove(at cursor, r *room) {
	if at.chunk == len(l.chunks) || l.chunks[at.chunk][at.i] != r {
		return
	}
	chunk := l.chunks[at.chunk]
	copy(chunk[at.i:], chunk[at.i+1:])
	chunk[len(chunk)-1] = nil
	l.chunks[at.chunk] = chunk[:len(chunk)-1]
	if len(chunk) == 1 {
		l.chunks = append(l.chunks[:at.chunk], l.chunks[at.chunk+1:]...)
		l.chunks[:len(l.chunks)+1][len(l.chunks)] = nil
	}
	l.len--
}

// rank returns how many rooms are before a place.
func (l *sorted) rank(c cursor) int {
	n := c.i
	for _, chunk := range l.chunks[:c.chunk] {
		n += len(chunk)
	}
	return n
}

// next returns the room at the cursor and moves on, or nil at the end.
func (l *sorted) next(c *cursor) *room {
	for c.chunk < len(l.chunks) {
		if chunk := l.chunks[c.chunk]; c.i < len(chunk) {
			c.i++
			return chunk[c.i-1]
		}
		c.chunk++
		c.i = 0
	}
	return nil
}

// at returns the i-th room, 0 <= i < len.
func (l *sorted) at(i int) *room {
	for _, chunk := range l.chunks {
		if i < len(chunk) {
			return chunk[i]
		}
		i -= len(chunk)
	}
	return nil
}

// peek returns the room at the cursor, or nil at the end.
func (l *sorted) peek(c cursor) *room { return l.next(&c) }

// roomList holds rooms oldest first.
type roomList struct{ sorted }

// find returns the place of the first room that is not before o.
func (l *roomList) find(o order) cursor {
	return l.search(func(r *room) bool { return r.order.before(o) })
}

func (l *roomList) insert(r *room) { l.sorted.insert(l.find(r.order), r) }
func (l *roomList) remove(r *room) { l.sorted.remove(l.find(r.order), r) }
