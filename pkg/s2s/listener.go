package s2s

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// ListenerConfig says whom a listener lets in.
type ListenerConfig struct {
	// Self describes this server: ID, Role, Generation and Cluster.
	Self Hello
	// Key is shared by all servers. Empty: everybody may link; the caller then
	// listens on loopback only (cluster.md 22).
	Key []byte
	Handlers
}

// Listener accepts links.
type Listener struct {
	config ListenerConfig

	mu       sync.Mutex // guards the fields below
	links    map[string]*Link
	opening  map[net.Conn]struct{} // handshakes under way
	failures map[netip.Addr]*failures
	stopping bool
}

// failures of authentication from one address.
type failures struct {
	count   int
	since   time.Time // of the first
	blocked time.Time // until then
}

// Limits of a listener against strangers (cluster.md 12.2).
const (
	maxOpening      = 256
	maxFailures     = 3
	failureWindow   = time.Minute
	blockTime       = time.Minute
	maxFailureAddrs = 10_000
	acceptPause     = 100 * time.Millisecond
)

// NewListener returns a listener; Serve makes it accept.
func NewListener(c ListenerConfig) *Listener {
	return &Listener{
		config: c, links: make(map[string]*Link),
		opening: make(map[net.Conn]struct{}), failures: make(map[netip.Addr]*failures),
	}
}

// Serve accepts links on ln until ctx ends, or somebody closes ln, which is an
// error. It closes ln and, in order, all links; all handlers have returned when
// Serve returns. It may run on several listeners at once.
func (s *Listener) Serve(ctx context.Context, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	var conns sync.WaitGroup
	var failed error
	for {
		conn, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			if errors.Is(err, net.ErrClosed) {
				failed = err
				break
			}
			// Out of files, for example: that passes.
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		addr := remote(conn)
		if !s.open(conn, addr) {
			_ = conn.Close()
			continue
		}
		conns.Go(func() { s.serve(ctx, conn, addr) })
	}
	_ = ln.Close()
	s.stop()
	conns.Wait()
	return failed
}

// open counts a handshake under way; false if there are too many, or the address
// is blocked.
func (s *Listener) open(conn net.Conn, addr netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.failures[addr]; f != nil && time.Now().Before(f.blocked) {
		return false
	}
	if s.stopping || len(s.opening) >= maxOpening {
		return false
	}
	s.opening[conn] = struct{}{}
	return true
}

// stop ends handshakes at once and links in order.
func (s *Listener) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for c := range s.opening {
		_ = c.Close()
	}
	for _, l := range s.links {
		l.Close()
	}
}

func (s *Listener) serve(ctx context.Context, conn net.Conn, addr netip.Addr) {
	var old *Link
	h, err := newHandshake(conn, false)
	var l *Link
	if err == nil {
		l, err = h.accept(s.config.Self, s.config.Key, &s.config.Handlers, func(l *Link) (refused *RefusedError) {
			old, refused = s.admit(l)
			return refused
		})
	}
	s.mu.Lock()
	delete(s.opening, conn)
	s.mu.Unlock()
	if old != nil {
		// The owner hears of one link of a server at a time.
		old.fail(ErrReplaced)
		<-old.gone
	}
	if err == nil {
		l.run()
		s.remove(l)
		return
	}
	if l != nil {
		l.fail(err)
		s.remove(l)
		close(l.gone)
	}
	s.refused(addr, err)
	_ = conn.Close()
	if s.config.Failed != nil && ctx.Err() == nil {
		s.config.Failed(conn.RemoteAddr().String(), err)
	}
}

// admit registers a link and returns the one of the same server that it
// replaces. A server that is older than the linked one is refused: it is another
// process with the same id (cluster.md 12.1).
func (s *Listener) admit(l *Link) (old *Link, refused *RefusedError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, &RefusedError{ReturnShuttingDown, "shutting down"}
	}
	old = s.links[l.peer.ID]
	if old != nil && old.peer.Generation > l.peer.Generation {
		return nil, &RefusedError{ReturnDuplicate, "a later server has this node id"}
	}
	s.links[l.peer.ID] = l
	return old, nil
}

func (s *Listener) remove(l *Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links[l.peer.ID] == l {
		delete(s.links, l.peer.ID)
	}
}

// refused counts failed authentications.
func (s *Listener) refused(addr netip.Addr, err error) {
	var r *RefusedError
	if !errors.As(err, &r) || r.ReturnCode != ReturnAuthFailed {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.failures[addr]
	if f == nil {
		s.forget(now)
		f = &failures{since: now}
		s.failures[addr] = f
	}
	if now.Sub(f.since) > failureWindow {
		f.count, f.since = 0, now
	}
	if f.count++; f.count >= maxFailures {
		f.count, f.blocked = 0, now.Add(blockTime)
	}
}

// forget makes room among the failures: first of what is over, then, if an
// attacker has very many addresses, of any.
func (s *Listener) forget(now time.Time) {
	if len(s.failures) < maxFailureAddrs {
		return
	}
	for a, f := range s.failures {
		if now.Sub(f.since) > failureWindow && now.After(f.blocked) {
			delete(s.failures, a)
		}
	}
	for a := range s.failures {
		if len(s.failures) < maxFailureAddrs {
			return
		}
		delete(s.failures, a)
	}
}

func remote(conn net.Conn) netip.Addr {
	if a, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		return a.Addr().Unmap()
	}
	return netip.Addr{}
}

// Link is the present link of the server with that id, or nil.
func (s *Listener) Link(id string) *Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[id]
}

// Links are all present links, in no particular order.
func (s *Listener) Links() []*Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Link, 0, len(s.links))
	for _, l := range s.links {
		all = append(all, l)
	}
	return all
}
