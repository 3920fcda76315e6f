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
	ordered     *piece // types 6 and 8 by sequence
	orderedTail *piece
	waiting     *piece // type 7 by number
	waitingN    int
	partial     []*partial // type 15

	// The message in parts that is being put together in order. It grows with
	// the parts that come, whatever size the first one announced.
	message []byte
	current fragment
}

// partial is an unsequenced message in parts.
type partial struct {
	first *piece // by fragment number
	have  uint32
	head  fragment
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
	if e != nil && e.ordered == nil && e.waiting == nil && len(e.partial) == 0 && e.current.count == 0 {
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
	var prev *piece
	if ch.early != nil {
		var found bool
		if prev, found = ch.early.place(sequence); found {
			return true
		}
	}
	if sequence-ch.inRel > maxAhead || !c.hasRoom(len(data)) {
		return false
	}
	e, p := ch.keep(), c.newPiece(sequence, f, data)
	if prev == nil {
		p.next = e.ordered
		e.ordered = p
	} else {
		p.next = prev.next
		prev.next = p
	}
	if p.next == nil {
		e.orderedTail = p
	}
	return true
}

// place finds where a sequence belongs: behind prev, nil for the front.
func (e *earlyCommands) place(sequence uint32) (prev *piece, found bool) {
	if e.orderedTail == nil {
		return nil, false
	}
	if before(e.orderedTail.sequence, sequence) {
		return e.orderedTail, false
	}
	for p := e.ordered; p != nil && !before(sequence, p.sequence); p = p.next {
		if p.sequence == sequence {
			return p, true
		}
		prev = p
	}
	return prev, false
}

// takeOrdered removes the first ordered command if it has that sequence.
func (e *earlyCommands) takeOrdered(sequence uint32) *piece {
	p := e.ordered
	if p == nil || p.sequence != sequence {
		return nil
	}
	e.ordered = p.next
	if p.next == nil {
		e.orderedTail = nil
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

// partialFor returns the unsequenced message that f is a part of.
func (e *earlyCommands) partialFor(f fragment) *partial {
	for _, m := range e.partial {
		if m.head.start == f.start {
			return m
		}
	}
	m := &partial{head: f}
	e.partial = append(e.partial, m)
	return m
}

func (e *earlyCommands) removePartial(m *partial) {
	for i, other := range e.partial {
		if other == m {
			e.partial[i] = e.partial[len(e.partial)-1]
			e.partial[len(e.partial)-1] = nil
			e.partial = e.partial[:len(e.partial)-1]
			return
		}
	}
}

// insert adds a part, which must be a new one.
func (m *partial) insert(p *piece) {
	at := &m.first
	for *at != nil && (*at).fragment.number < p.fragment.number {
		at = &(*at).next
	}
	p.next = *at
	*at = p
	m.have++
}
