package transport

import (
	"hash/maphash"
	"math/rand/v2"
	"sync"

	"github.com/boson-project/boson/pkg/enet"
)

// peerIDs hands out the peer ids of a listener. They are unique among its live
// peers and random, so that only the client who got one knows it.
type peerIDs struct {
	mu   sync.Mutex
	used [(enet.MaxPeerID + 64) / 64]uint64
	n    int
}

// take returns a free id; ok is false when all are in use.
func (p *peerIDs) take() (id uint16, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n >= enet.MaxPeerID {
		return 0, false
	}
	for i := rand.Uint32N(enet.MaxPeerID); ; i = (i + 1) % enet.MaxPeerID {
		id := i + 1
		if bit := uint64(1) << (id % 64); p.used[id/64]&bit == 0 {
			p.used[id/64] |= bit
			p.n++
			return uint16(id), true
		}
	}
}

// give takes an id back.
func (p *peerIDs) give(id uint16) {
	p.mu.Lock()
	p.used[id/64] &^= 1 << (id % 64)
	p.n--
	p.mu.Unlock()
}

// sourceSlots is the number of counters that all addresses share by hash.
const sourceSlots = 1024

// sources counts by client address in fixed memory. Addresses may share a
// counter. It belongs to a shard.
type sources struct {
	seed     maphash.Seed
	pings    [sourceSlots]pingBudget
	halfOpen [sourceSlots]uint16
}

type pingBudget struct {
	second int64 // the second that the count belongs to
	n      uint16
}

func (s *sources) slot(e endpoint) uint64 { return maphash.Comparable(s.seed, e.ip) % sourceSlots }

// Limits against floods from addresses that may be forged. They hold per shard.
const (
	// maxPingsPerSecond are echoed to one address (wire.md 11).
	maxPingsPerSecond = 1000
	// maxHalfOpenPerAddress clients of one address may be half open; further CONNECTs
	// are ignored.
	maxHalfOpenPerAddress = 1024
	// maxReplies bounds the answers without a connection that wait to be sent.
	maxReplies = 1024
)

// allowPing tells whether a region ping of e may be answered.
func (s *sources) allowPing(e endpoint, nowMs int64) bool {
	b := &s.pings[s.slot(e)]
	if second := nowMs / 1000; b.second != second {
		b.second, b.n = second, 0
	}
	if b.n >= maxPingsPerSecond {
		return false
	}
	b.n++
	return true
}

const (
	regionPingSize = 13
	regionPingByte = 0x7D
)

// isRegionPing recognises a region ping: twelve times 7D and an id (wire.md 11).
func isRegionPing(b []byte) bool {
	if len(b) != regionPingSize {
		return false
	}
	for _, c := range b[:regionPingSize-1] {
		if c != regionPingByte {
			return false
		}
	}
	return true
}
