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

// roomList holds rooms oldest first, in chunks, so that a change moves little
// memory even among 100 000 rooms. Chunks are never empty.
type roomList struct {
	chunks [][]*room
	len    int
}

// cursor is a place in a roomList, valid until the list changes.
type cursor struct{ chunk, i int }

// find returns the place of the first room that is not before o.
func (l *roomList) find(o order) cursor {
	c := sort.Search(len(l.chunks), func(i int) bool {
		chunk := l.chunks[i]
		return !chunk[len(chunk)-1].order.before(o)
	})
	if c == len(l.chunks) {
		return cursor{c, 0}
	}
	chunk := l.chunks[c]
	return cursor{c, sort.Search(len(chunk), func(i int) bool { return !chunk[i].order.before(o) })}
}

func (l *roomList) insert(r *room) {
	at := l.find(r.order)
	if at.chunk == len(l.chunks) {
		// Newest of all: at the end of the last chunk.
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

func (l *roomList) remove(r *room) {
	at := l.find(r.order)
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

// next returns the room at the cursor and moves on, or nil at the end.
func (l *roomList) next(c *cursor) *room {
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
func (l *roomList) at(i int) *room {
	for _, chunk := range l.chunks {
		if i < len(chunk) {
			return chunk[i]
		}
		i -= len(chunk)
	}
	return nil
}

// peek returns the room at the cursor, or nil at the end.
func (l *roomList) peek(c cursor) *room { return l.next(&c) }
