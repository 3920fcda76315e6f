package enet

// Bounds of what a channel keeps of commands that came too early, beside those
// of Config.
const (
	// maxAhead is how far a reliable command may be ahead of the oldest missing one.
	maxAhead = 8192
	// maxWaiting unreliable messages may wait for a reliable one.
	maxWaiting = 64
	// pieceOverhead is what a piece costs beside its data, in bytes.
	pieceOverhead = 96
	// leastPart in bytes: a message in parts that is let in beyond the bounds has
	// no more parts than if they were this long.
	leastPart = 256
	// bufferedReserve is what a connection may keep whatever the others do, in bytes.
	bufferedReserve = 16 << 10
)

// piece is a command that came too early, or a part of a message.
type piece struct {
	next     *piece
	data     []byte
	fragment fragment
	sequence uint32
	number   uint32 // type 7
}

// earlyCommands is what a channel keeps until its turn comes.
type earlyCommands struct {
	ordered  map[uint32]*piece // types 6 and 8 by sequence
	waiting  *piece            // type 7 by number
	waitingN int
	parts    map[uint32]*piece  // type 15 by sequence
	partial  map[uint32]partial // their messages by start sequence

	// The message in parts that is being put together in order. It grows with
	// the parts that come, whatever size the first one announced.
	message []byte
	current fragment
}

// partial is an unsequenced message in parts.
type partial struct {
	head fragment // of its first part to come
	have uint32
}

// keep returns what the channel keeps, to add to it.
func (ch *channel) keep() *earlyCommands {
	if ch.early == nil {
		ch.early = &earlyCommands{}
	}
	return ch.early
}

// settle frees what is not needed any more.
func (ch *channel) settle() {
	e := ch.early
	if e != nil && len(e.ordered) == 0 && e.waiting == nil && len(e.partial) == 0 && e.current.count == 0 {
		ch.early = nil
	}
}

// hasRoom tells whether a piece of n bytes may be kept.
func (c *Conn) hasRoom(n int) bool {
	return c.buffered < c.cfg.MaxBuffered && c.bufferedBytes+n+pieceOverhead <= c.maxBuffered && c.hasShare(n+pieceOverhead)
}

// hasShare tells whether all connections together may keep n bytes more, or this
// one keeps little.
func (c *Conn) hasShare(n int) bool {
	return c.cfg.MaxSharedBytes == 0 || c.bufferedBytes+n <= bufferedReserve || c.cfg.shared+n <= c.cfg.MaxSharedBytes
}

// finishing names a message in parts that is let in although the connection keeps
// as much as it may. Without it several that have all come half would wait for each
// other's memory for ever, and their client would give up. A connection has one of
// type 8 and one of type 15: on one channel they stand in each other's way, for a
// client sends no more of the one while too much of the other is in flight.
type finishing struct {
	start   uint32
	channel byte
	set     bool
}

// part is the message that f is a part of.
func (ch *channel) part(f fragment) finishing {
	return finishing{start: f.start, channel: ch.number, set: f.count > 1}
}

// claim makes m the message to finish if there is none.
func (at *finishing) claim(m finishing) {
	if !at.set {
		*at = m
	}
}

// finished lets another one be claimed when m was it.
func (at *finishing) finished(m finishing) {
	if *at == m {
		*at = finishing{}
	}
}

// mayFinish tells whether n bytes for which there is no room may be kept because
// they are of m, the message to finish.
func (c *Conn) mayFinish(at, m finishing, n int) bool {
	return m.set && at == m && c.buffered < c.cfg.MaxBuffered+2*c.maxMessage/leastPart &&
		c.bufferedBytes+n+pieceOverhead <= c.maxBuffered+4*c.maxMessage && c.hasShare(n+pieceOverhead)
}

// hold counts n more bytes that are kept, or fewer.
func (c *Conn) hold(n int) {
	c.bufferedBytes += n
	c.cfg.shared += n
}

func (c *Conn) newPiece(sequence uint32, f fragment, data []byte) *piece {
	c.buffered++
	c.hold(len(data) + pieceOverhead)
	return &piece{sequence: sequence, fragment: f, data: append([]byte(nil), data...)}
}

// freePiece takes back what newPiece counted.
func (c *Conn) freePiece(p *piece) {
	c.buffered--
	c.hold(-len(p.data) - pieceOverhead)
}

// keepOrdered keeps a reliable command that is ahead. It is false when the
// command is not kept and must come again.
func (c *Conn) keepOrdered(ch *channel, sequence uint32, f fragment, data []byte) bool {
	if ch.early != nil && ch.early.ordered[sequence] != nil {
		return true
	}
	if sequence-ch.inRel > maxAhead || !c.hasRoom(len(data)) && !c.mayFinish(c.finishing, ch.part(f), len(data)) {
		return false
	}
	e := ch.keep()
	if e.ordered == nil {
		e.ordered = make(map[uint32]*piece)
	}
	e.ordered[sequence] = c.newPiece(sequence, f, data)
	return true
}

// takeOrdered removes the ordered command with that sequence, if it is there.
func (e *earlyCommands) takeOrdered(sequence uint32) *piece {
	p := e.ordered[sequence]
	if p != nil {
		delete(e.ordered, sequence)
	}
	return p
}

// keepWaiting keeps an unreliable message until the reliable command that it
// names is dispatched. The oldest ones make room.
func (c *Conn) keepWaiting(ch *channel, sequence, number uint32, msg []byte) {
	e := ch.keep()
	defer ch.settle()
	if e.waitingN >= maxWaiting {
		if !before(e.waiting.number, number) {
			return
		}
		oldest := e.waiting
		e.waiting = oldest.next
		e.waitingN--
		c.freePiece(oldest)
	}
	if !c.hasRoom(len(msg)) {
		return
	}
	at := &e.waiting
	for *at != nil && before((*at).number, number) {
		at = &(*at).next
	}
	if *at != nil && (*at).number == number {
		return
	}
	p := c.newPiece(sequence, fragment{}, msg)
	p.number, p.next = number, *at
	*at = p
	e.waitingN++
}

// takeWaiting removes the first message that names a reliable command up to done.
func (e *earlyCommands) takeWaiting(done uint32) *piece {
	for at := &e.waiting; *at != nil; at = &(*at).next {
		if p := *at; !before(done, p.sequence) {
			*at = p.next
			e.waitingN--
			return p
		}
	}
	return nil
}

// keepPart keeps a part of an unsequenced message, and returns the message. It is
// false when the part is not of the same message as those before.
func (c *Conn) keepPart(ch *channel, sequence uint32, f fragment, data []byte) (partial, bool) {
	e := ch.keep()
	if e.partial == nil {
		e.partial, e.parts = make(map[uint32]partial), make(map[uint32]*piece)
	}
	m := e.partial[f.start]
	if m.have == 0 {
		m.head = f
	}
	if m.head.count != f.count || m.head.total != f.total {
		return m, false
	}
	m.have++
	e.partial[f.start] = m
	e.parts[sequence] = c.newPiece(sequence, f, data)
	return m, true
}

// takePart removes a part of an unsequenced message.
func (c *Conn) takePart(e *earlyCommands, sequence uint32) *piece {
	p := e.parts[sequence]
	delete(e.parts, sequence)
	c.freePiece(p)
	return p
}
