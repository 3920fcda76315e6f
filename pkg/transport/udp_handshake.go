package transport

import (
	"time"

	"github.com/boson-project/boson/pkg/enet"
)

// halfOpen is a client that was told its peer id and has not shown it yet. Until
// it does its address may be forged, so it is no more than this, gets one
// answer for each CONNECT, not longer than that, and nothing unasked.
type halfOpen struct {
	key     halfOpenKey
	connect enet.Connect
	id      uint16
	since   time.Duration // its last CONNECT

	older, younger *halfOpen
}

// halfOpenKey is the name of a client before it has a connection. One address may
// have several: a CONNECT that somebody forges does not displace the client's own.
type halfOpenKey struct {
	from      endpoint
	challenge uint32
}

// handshakes are the clients of a shard that are half open, in order of their last
// CONNECT.
type handshakes struct {
	max            int
	byKey          map[halfOpenKey]*halfOpen
	oldest, newest *halfOpen
}

// maxHalfOpen bounds the clients of a listener that are half open, over all
// shards: a quarter of the peer ids. A further one takes the place of the oldest.
const maxHalfOpen = 16384

func newHandshakes(shards int) handshakes {
	return handshakes{max: max(maxHalfOpen/shards, 1), byKey: map[halfOpenKey]*halfOpen{}}
}

func (h *handshakes) add(w *halfOpen) {
	h.byKey[w.key] = w
	w.older = h.newest
	if h.newest == nil {
		h.oldest = w
	} else {
		h.newest.younger = w
	}
	h.newest = w
}

func (h *handshakes) remove(w *halfOpen) {
	delete(h.byKey, w.key)
	if w.older == nil {
		h.oldest = w.younger
	} else {
		w.older.younger = w.younger
	}
	if w.younger == nil {
		h.newest = w.older
	} else {
		w.younger.older = w.older
	}
	w.older, w.younger = nil, nil
}

// stranger handles a datagram that belongs to no connection: it asks for one, or
// proves that its sender got the answer, or is nothing. It returns the new
// connection that the datagram is the first of.
func (s *udpShard) stranger(from endpoint, h enet.Header, b []byte) *udpPeer {
	w := s.handshakes.byKey[halfOpenKey{from, h.Challenge}]
	if w != nil && h.PeerID <= enet.MaxPeerID {
		if h.PeerID == w.id {
			return s.admit(w)
		}
		// A client has no other id than its own. Who guesses gets no second try at the
		// same one, for a connection in somebody else's name could send him any amount.
		s.count.malformed++
		s.forget(w)
		return nil
	}
	c, ok := enet.ParseConnect(b)
	if !ok {
		s.count.malformed++
		return nil
	}
	if r := s.l.admission.full(from.addr()); s.stopping || r != admitted {
		s.refuse(from, c, r)
		return nil
	}
	if w == nil {
		s.expireHandshakes()
		if s.sources.halfOpen[s.sources.slot(from)] >= maxHalfOpenPerAddress {
			return nil
		}
		id, ok := s.l.ids.take()
		if !ok {
			s.refuse(from, c, tooManyPeers)
			return nil
		}
		if len(s.handshakes.byKey) >= s.handshakes.max {
			s.forget(s.handshakes.oldest)
		}
		w = &halfOpen{key: halfOpenKey{from, h.Challenge}, connect: c, id: id, since: s.now}
		s.handshakes.add(w)
		s.sources.halfOpen[s.sources.slot(from)]++
	} else {
		// The client may need all its CONNECTs until an answer arrives, and then its
		// time to show itself.
		s.handshakes.remove(w)
		w.since = s.now
		s.handshakes.add(w)
	}
	var answer [64]byte
	s.reply(from, enet.AppendAccept(answer[:0], c, w.id, s.now))
	return nil
}

// admit makes a client's connection. It is nil when there is no room for it.
func (s *udpShard) admit(w *halfOpen) *udpPeer {
	s.drop(w)
	from := w.key.from
	if old := s.peers[from]; old != nil {
		// The client has a new connection on its old address: the old one is dead.
		old.end(ReasonReplaced)
		s.remove(old)
	}
	if r := s.l.admission.enter(from.addr()); r != admitted {
		s.l.ids.give(w.id)
		s.refuse(from, w.connect, r)
		return nil
	}
	p := &udpPeer{shard: s, addr: from, conn: enet.NewServerConn(s.cfg, w.connect, w.id, s.now), initBy: s.now + s.l.limits.InitTimeout}
	p.limits.Store(&s.l.peerLimits)
	p.applied = &s.l.peerLimits
	s.peers[from] = p
	return p
}

// drop takes w off the list; its peer id stays in use.
func (s *udpShard) drop(w *halfOpen) {
	s.handshakes.remove(w)
	s.sources.halfOpen[s.sources.slot(w.key.from)]--
}

// forget gives up on w.
func (s *udpShard) forget(w *halfOpen) {
	s.drop(w)
	s.l.ids.give(w.id)
}

// expireHandshakes forgets those who have had their time. It runs when a new one
// comes: until then they harm nobody.
func (s *udpShard) expireHandshakes() {
	for w := s.handshakes.oldest; w != nil && s.now-w.since >= s.l.limits.InitTimeout; w = s.handshakes.oldest {
		s.forget(w)
	}
}

// refuse answers a client that can't be let in, because of a limit or because the
// server stops.
func (s *udpShard) refuse(to endpoint, c enet.Connect, r refusal) {
	s.l.counters.refused(r)
	reason := byte(enet.ReasonUserLimit)
	if s.stopping {
		reason = enet.ReasonServerLogic
	}
	var b [64]byte
	s.reply(to, enet.AppendRefusal(b[:0], c, s.now, reason))
}

// reply queues an answer without a connection; when too many wait it is lost.
func (s *udpShard) reply(to endpoint, b []byte) {
	if len(s.replies) >= maxReplies {
		return
	}
	r := udpReply{to: to, size: uint8(len(b))}
	copy(r.data[:], b)
	s.replies = append(s.replies, r)
}
