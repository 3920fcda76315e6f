package app

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// Limits are those of one application's peers.
type Limits struct {
	transport.PeerLimits
	// MaxPeersPerAddress of the application on this server, all transports together;
	// 0 and negative: no limit of its own.
	MaxPeersPerAddress int
}

// LimitHits says how often a limit struck the peers of an application.
type LimitHits struct {
	// AppID is empty for all applications without limits of their own, and for peers
	// that had not authenticated yet.
	AppID string
	// Limit is the name of the setting, as transport.Reason.Limit has it.
	Limit string
	N     int64
}

// limitNames are all limits that a peer can hit, in the order of limited.hits.
var limitNames = []string{"max_message_size", "max_queued_bytes", "max_messages_per_second", "max_bytes_per_second", maxPeersPerAddress}

const maxPeersPerAddress = "max_peers_per_address"

// limited is an application and what its limits did.
type limited struct {
	appID  string
	limits Limits
	hits   [5]atomic.Int64

	mu        sync.Mutex // guards byAddress
	byAddress map[netip.Addr]int
}

func (a *limited) hit(limit string) {
	for i, name := range limitNames {
		if name == limit {
			a.hits[i].Add(1)
		}
	}
}

// enter counts a peer from addr; it is false when there are too many.
func (a *limited) enter(addr netip.Addr) bool {
	if a.limits.MaxPeersPerAddress <= 0 {
		return true
	}
	addr = transport.Origin(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byAddress[addr] >= a.limits.MaxPeersPerAddress {
		return false
	}
	a.byAddress[addr]++
	return true
}

// leave takes back one enter that was true.
func (a *limited) leave(addr netip.Addr) {
	if a.limits.MaxPeersPerAddress <= 0 {
		return
	}
	addr = transport.Origin(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byAddress[addr]--; a.byAddress[addr] <= 0 {
		delete(a.byAddress, addr)
	}
}

// applications are those with limits of their own, and one for the others. It
// does not change after newApplications: clients can't add to it.
type applications struct {
	byID   map[string]*limited
	others limited
	log    *rate.Limiter // of the lines about limits that struck
}

func newApplications(limits map[string]Limits) *applications {
	a := &applications{byID: make(map[string]*limited, len(limits)), log: rate.NewLimiter(rate.Every(100*time.Millisecond), 20)}
	for id, l := range limits {
		a.byID[id] = &limited{appID: id, limits: l, byAddress: map[netip.Addr]int{}}
	}
	return a
}

// LimitHits returns how often each limit struck, by application.
func (s *Server) LimitHits() (all []LimitHits) {
	add := func(a *limited) {
		for i, name := range limitNames {
			all = append(all, LimitHits{a.appID, name, a.hits[i].Load()})
		}
	}
	add(&s.apps.others)
	for _, a := range s.apps.byID {
		add(a)
	}
	return all
}

// EnterApp puts the limits of the peer's application in force, once it has
// authenticated for it. The error is the answer to a client whose address has too
// many peers there already; it must not be let in.
func (p *Peer) EnterApp(appID string) error {
	a := p.server.apps.byID[appID]
	if a == nil {
		return nil
	}
	p.appMu.Lock()
	defer p.appMu.Unlock()
	if p.over || p.app != nil {
		return nil
	}
	addr := p.Info().Remote.Addr()
	if !a.enter(addr) {
		p.struck(a, maxPeersPerAddress)
		return Fail(photon.ReturnOperationLimitReached, fmt.Sprintf("too many clients from your address: the limit is %d", a.limits.MaxPeersPerAddress))
	}
	p.app = a
	if s, ok := p.Session.(transport.Limited); ok {
		s.SetLimits(&a.limits.PeerLimits)
	}
	return nil
}

// leaveApp is called when the session has ended.
func (p *Peer) leaveApp(reason transport.Reason) {
	p.appMu.Lock()
	defer p.appMu.Unlock()
	p.over = true
	a := &p.server.apps.others
	if p.app != nil {
		a = p.app
		a.leave(p.Info().Remote.Addr())
	}
	// A server that ends a peer by itself may give a limit's reason, too.
	if limit := reason.Limit(); limit != "" && !p.ending.Load() {
		p.struck(a, limit)
	}
}

// struck counts and logs that a limit struck this peer.
func (p *Peer) struck(a *limited, limit string) {
	a.hit(limit)
	if p.server.apps.log.Allow() {
		p.server.log.Warn().Str("limit", limit).Str("app", a.appID).Uint64("peer", p.ID()).Stringer("remote", p.Info().Remote).
			Stringer("transport", p.Info().Kind).Msg("a client hit a limit and was disconnected")
	}
}
