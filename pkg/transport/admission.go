package transport

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// lastSessionID counts the sessions of the process, so that an ID names one
// session whatever its transport.
var lastSessionID atomic.Uint64

// nextSessionID returns a number that no other session of the process has.
func nextSessionID() uint64 { return lastSessionID.Add(1) }

// admission counts the peers of one listener, all and per client address, and
// refuses those above the limits. It may be used from any goroutine.
type admission struct {
	maxPeers, maxPerAddress int // negative: unlimited

	mu        sync.Mutex
	peers     int
	byAddress map[netip.Addr]int
}

// newAdmission takes its limits from l, which has its defaults filled in.
func newAdmission(l Limits) *admission {
	return &admission{maxPeers: l.MaxPeers, maxPerAddress: l.MaxPeersPerAddress, byAddress: make(map[netip.Addr]int)}
}

// refusal says which limit, if any, keeps a peer out.
type refusal uint8

const (
	admitted refusal = iota
	tooManyPeers
	tooManyOfAddress
)

// enter counts a peer from addr, or refuses it.
func (a *admission) enter(addr netip.Addr) refusal {
	key := Origin(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.check(key)
	if r == admitted {
		a.peers++
		a.byAddress[key]++
	}
	return r
}

// full tells whether enter would refuse a peer from addr now.
func (a *admission) full(addr netip.Addr) refusal {
	key := Origin(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.check(key)
}

func (a *admission) check(key netip.Addr) refusal {
	switch {
	case a.maxPeers >= 0 && a.peers >= a.maxPeers:
		return tooManyPeers
	case a.maxPerAddress >= 0 && a.byAddress[key] >= a.maxPerAddress:
		return tooManyOfAddress
	}
	return admitted
}

// leave takes back one enter of addr.
func (a *admission) leave(addr netip.Addr) {
	key := Origin(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.peers--
	if n := a.byAddress[key] - 1; n > 0 {
		a.byAddress[key] = n
	} else {
		delete(a.byAddress, key)
	}
}

// Origin is what counts as one address where clients are counted: an IPv4
// address, or the /64 that an IPv6 host can choose its addresses from.
func Origin(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	if !addr.Is6() {
		return addr
	}
	p, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return addr
	}
	return p.Addr()
}
