package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// StreamConfig is what a TCP or WebSocket listener needs. Acceptor and Clock
// are required.
type StreamConfig struct {
	// Name stands in Info.Listener.
	Name     string
	Limits   Limits
	Clock    Clock
	Acceptor Acceptor
	// Counters may be shared with the caller; nil is a private set.
	Counters *Counters
	// TLS makes the listener a secure one.
	TLS *tls.Config
	// AllowedOrigins are the values of the Origin header that a WebSocket
	// listener lets in, for example "https://game.example"; "*" or an empty list
	// is all. Clients that are no browsers send no Origin and are not asked for one.
	AllowedOrigins []string
}

// streamCloseTimeout bounds each step of a close: sending what is queued, and
// waiting for the client to close its side.
const streamCloseTimeout = time.Second

// streamListener is what TCP and WebSocket listeners have in common: they
// accept, count, and end connections. Every goroutine that it starts is in wg.
type streamListener struct {
	cfg        StreamConfig
	limits     Limits
	peerLimits PeerLimits
	kind       Kind
	counters   *Counters
	admission  *admission
	socket     net.Listener
	local      netip.AddrPort
	// serve runs one connection, from its first byte until it is over.
	serve func(*streamSession)

	stop chan struct{} // closed by Shutdown
	wg   sync.WaitGroup

	mu       sync.Mutex // guards the fields below; never held while a session's mu is taken
	stopped  bool
	sessions map[*streamSession]struct{}
}

func listenStream(addr string, cfg StreamConfig, kind Kind, serve func(*streamSession)) (*streamListener, error) {
	if cfg.Acceptor == nil || cfg.Clock == nil {
		return nil, errors.New("transport: a listener needs an acceptor and a clock")
	}
	socket, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return serveStream(socket, cfg, kind, serve), nil
}

func serveStream(socket net.Listener, cfg StreamConfig, kind Kind, serve func(*streamSession)) *streamListener {
	l := &streamListener{
		cfg: cfg, limits: cfg.Limits.WithDefaults(), kind: kind, counters: cfg.Counters, socket: socket, serve: serve,
		stop: make(chan struct{}), sessions: make(map[*streamSession]struct{}),
	}
	if l.counters == nil {
		l.counters = &Counters{}
	}
	l.admission = newAdmission(l.limits)
	l.peerLimits = l.limits.Peer()
	l.local = unmapped(socket.Addr())
	l.wg.Go(l.accept)
	return l
}

// unmapped returns a TCP address with IPv4 in its short form.
func unmapped(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// accept takes connections until the socket is closed. Lack of descriptors or
// memory does not end it.
func (l *streamListener) accept() {
	const maxWait = time.Second
	wait := 5 * time.Millisecond
	for {
		conn, err := l.socket.Accept()
		if err == nil {
			wait = 5 * time.Millisecond
			l.open(conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case <-l.stop:
			return
		case <-time.After(wait):
			wait = min(2*wait, maxWait)
		}
	}
}

func (l *streamListener) open(conn net.Conn) {
	remote := unmapped(conn.RemoteAddr())
	if r := l.admission.enter(remote.Addr()); r != admitted {
		l.counters.refused(r)
		_ = conn.Close()
		return
	}
	s := newStreamSession(l, conn, remote)
	l.mu.Lock()
	if l.stopped {
		l.mu.Unlock()
		l.admission.leave(remote.Addr())
		_ = conn.Close()
		return
	}
	l.sessions[s] = struct{}{}
	l.mu.Unlock()
	l.wg.Go(func() {
		defer l.remove(s)
		l.serve(s)
		s.finish()
	})
}

func (l *streamListener) remove(s *streamSession) {
	l.mu.Lock()
	delete(l.sessions, s)
	l.mu.Unlock()
	l.admission.leave(s.info.Remote.Addr())
}

// Addr is the address that the listener is bound to.
func (l *streamListener) Addr() netip.AddrPort { return l.local }

// Shutdown refuses new connections, closes those there are with ReasonShutdown
// and waits for all goroutines of the listener. When ctx ends first, what is
// left is cut off and ctx's error returned. It may be called more than once, but
// not from a Receiver or Acceptor.
func (l *streamListener) Shutdown(ctx context.Context) error {
	l.mu.Lock()
	first := !l.stopped
	l.stopped = true
	open := make([]*streamSession, 0, len(l.sessions))
	for s := range l.sessions {
		open = append(open, s)
	}
	l.mu.Unlock()
	if first {
		close(l.stop)
		_ = l.socket.Close()
	}
	for _, s := range open {
		s.Close(ReasonShutdown)
	}
	done := make(chan struct{})
	go func() {
		l.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	for _, s := range open {
		_ = s.raw.Close()
	}
	<-done
	return ctx.Err()
}

// newBudget returns a limiter of n per second with a burst of at least one
// second's worth, or nil where n says that there is no limit.
func newBudget(n, burst int) *rate.Limiter {
	if n <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(n), max(n, burst))
}
