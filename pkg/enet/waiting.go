package enet

import "encoding/binary"

// waiting is an unreliable message that was not yet sent, type 7 or 11. Unlike a
// command it is not kept after that, and there are many of them: a turn of a large
// room leaves dozens for each client. So they lie side by side.
type waiting struct {
	msg      []byte // shared, and not copied until it is written into a datagram
	sequence uint32
	number   uint32
	order    uint32 // of the call within the channel
	kind     commandType
}

// size is the length of the whole command in bytes.
func (w *waiting) size() int { return unreliableSize + len(w.msg) }

// put writes the command to b and returns its length.
func (w *waiting) put(b []byte, channel byte) int {
	h := commandHeader{kind: w.kind, channel: channel, reserved: reservedByte, length: uint32(w.size()), sequence: w.sequence}
	if w.kind == typeUnsequenced {
		h.flags = flagUnsequenced
	}
	putCommand(b, h)
	binary.BigEndian.PutUint32(b[commandSize:], w.number)
	return unreliableSize + copy(b[unreliableSize:], w.msg)
}

// chunkLen waiting messages are allocated together.
const chunkLen = 16

// chunk is a part of a waitingQueue: those from first to end are waiting.
type chunk struct {
	next       *chunk
	first, end int
	entries    [chunkLen]waiting
}

// waitingQueue has messages in order. An empty one has no chunks.
type waitingQueue struct {
	head, tail *chunk
}

// first is the message that waits longest, or nil.
func (q *waitingQueue) first() *waiting {
	if q.head == nil {
		return nil
	}
	return &q.head.entries[q.head.first]
}

// push appends a message, which the caller fills in.
func (q *waitingQueue) push(cfg *Config) *waiting {
	c := q.tail
	if c == nil || c.end == chunkLen {
		c = cfg.newChunk()
		if q.tail == nil {
			q.head = c
		} else {
			q.tail.next = c
		}
		q.tail = c
	}
	c.end++
	return &c.entries[c.end-1]
}

// pop removes the first message.
func (q *waitingQueue) pop(cfg *Config) {
	c := q.head
	c.entries[c.first].msg = nil
	c.first++
	if c.first < c.end {
		return
	}
	if q.head = c.next; q.head == nil {
		q.tail = nil
	}
	cfg.releaseChunk(c)
}

// clear removes all.
func (q *waitingQueue) clear(cfg *Config) {
	for q.head != nil {
		q.pop(cfg)
	}
}

// maxFreeChunks bounds the spare chunks that a Config keeps, of 656 bytes each.
const maxFreeChunks = 4096

func (cfg *Config) newChunk() *chunk {
	c := cfg.freeChunks
	if c == nil {
		return new(chunk)
	}
	cfg.freeChunks, c.next = c.next, nil
	cfg.freeChunkN--
	return c
}

// releaseChunk takes a chunk back of which all messages are gone.
func (cfg *Config) releaseChunk(c *chunk) {
	if cfg.freeChunkN >= maxFreeChunks {
		return
	}
	c.first, c.end, c.next = 0, 0, cfg.freeChunks
	cfg.freeChunks = c
	cfg.freeChunkN++
}
