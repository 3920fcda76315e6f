package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/enet"
)

// UDPConfig is what a UDP listener needs. Acceptor and Clock are required.
type UDPConfig struct {
	// Name stands in Info.Listener.
	Name string
	// Limits of the listener. It takes at most 65533 peers, the number of peer
	// ids, whatever MaxPeers says.
	Limits Limits
	// Clock must run: it drives resends and time-outs as well as the timestamps.
	Clock    Clock
	Acceptor Acceptor
	// Counters may be shared with the caller; nil is a private set.
	Counters *Counters
	// Sockets is the number of sockets and loops; 0 is one per core where the
	// system spreads clients over sockets, else one.
	Sockets int
	// TransmitRate in bytes per second and peer: above it reliable messages wait
	// and unreliable ones are dropped. 0 is 262144, negative is unlimited
	// (wire.md 14).
	TransmitRate int
}

// UDPListener serves clients over reliable UDP (wire.md 3). It has a socket and
// two goroutines per shard, whatever the number of peers.
type UDPListener struct {
	cfg        UDPConfig
	limits     Limits
	peerLimits PeerLimits
	counters   *Counters
	admission  *admission
	ids        peerIDs
	local      netip.AddrPort
	shards     []*udpShard
	pressed    atomic.Int32  // shards whose readers must wait, see outboxHigh
	done       chan struct{} // ends the goroutines
	wg         sync.WaitGroup

	shutdown sync.Mutex // one Shutdown at a time
	stopped  bool
}

// ListenUDP opens a listener on a UDP address, for example ":5055" or
// "127.0.0.1:0", and serves until Shutdown.
func ListenUDP(addr string, cfg UDPConfig) (*UDPListener, error) {
	if cfg.Acceptor == nil || cfg.Clock == nil {
		return nil, errors.New("transport: a listener needs an acceptor and a clock")
	}
	l := &UDPListener{cfg: cfg, limits: cfg.Limits.WithDefaults(), counters: cfg.Counters, done: make(chan struct{})}
	if l.counters == nil {
		l.counters = &Counters{}
	}
	l.admission = newAdmission(l.limits)
	l.peerLimits = l.limits.Peer()
	n := cfg.Sockets
	if n <= 0 {
		n = defaultUDPSockets()
	}
	n = min(n, maxUDPSockets())
	for i := range n {
		if i > 0 {
			// All sockets share the port that the first one got.
			host, _, err := net.SplitHostPort(addr)
			if err != nil {
				l.closeSockets()
				return nil, err
			}
			addr = net.JoinHostPort(host, strconv.Itoa(int(l.local.Port())))
		}
		socket, err := openUDP(addr, i > 0)
		if err == nil && n > 1 {
			if err = socket.share(); err != nil {
				_ = socket.close()
			}
		}
		if err != nil {
			l.closeSockets()
			return nil, err
		}
		if i == 0 {
			ap := socket.conn.LocalAddr().(*net.UDPAddr).AddrPort()
			l.local = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		}
		l.shards = append(l.shards, newUDPShard(l, socket, n))
	}
	for _, s := range l.shards {
		l.wg.Go(s.read)
		l.wg.Go(s.pump)
	}
	return l, nil
}

// enetConfig are the rules of a shard's connections.
func (l *UDPListener) enetConfig() *enet.Config {
	cfg := enet.ServerConfig()
	cfg.MaxMessageSize = l.limits.MaxMessageSize
	cfg.MaxQueuedBytes = l.limits.MaxQueuedBytes
	cfg.MaxBufferedBytes = enet.BufferedFor(l.limits.MaxMessageSize)
	switch {
	case l.cfg.TransmitRate > 0:
		cfg.TransmitRate = l.cfg.TransmitRate
	case l.cfg.TransmitRate < 0:
		cfg.TransmitRate = 0
	}
	return cfg
}

// Addr is the address that the listener is bound to.
func (l *UDPListener) Addr() netip.AddrPort { return l.local }

func (l *UDPListener) closeSockets() {
	for _, s := range l.shards {
		_ = s.socket.close()
	}
}

// Shutdown refuses new clients, closes the sessions there are with
// ReasonShutdown, waits until their clients know it, and ends all goroutines.
// When ctx ends first, its error is returned and the clients have to find out.
// It may be called more than once, but not from a Receiver or Acceptor.
func (l *UDPListener) Shutdown(ctx context.Context) error {
	l.shutdown.Lock()
	defer l.shutdown.Unlock()
	if l.stopped {
		return nil
	}
	l.stopped = true
	for _, s := range l.shards {
		s.stop()
	}
	var err error
	for _, s := range l.shards {
		select {
		case <-s.empty:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	close(l.done)
	// The pumps write what is left, then the sockets' end wakes the readers.
	for _, s := range l.shards {
		<-s.pumped
	}
	l.closeSockets()
	l.wg.Wait()
	return err
}

// readRetry is how long a reader waits after an error that is not the end.
const readRetry = time.Millisecond
