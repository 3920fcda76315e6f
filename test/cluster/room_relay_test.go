package cluster

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
)

// relay stands between clients and the game server. It can cut connections as a
// dead network does: nothing passes any more, and neither end is told.
type relay struct {
	t        testing.TB
	tcp, ws  net.Listener
	udp      net.PacketConn
	targets  map[client.Transport]string
	mu       sync.Mutex
	lines    []*line
	closers  []io.Closer
	shutdown bool
}

// line is one connection through the relay.
type line struct {
	mu  sync.Mutex
	cut bool
	// over is closed when the server has closed a stream.
	over chan struct{}
}

func (l *line) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// newRelay returns a relay whose addresses the game server is to announce.
func newRelay(t testing.TB) *relay {
	r := &relay{t: t, targets: map[client.Transport]string{}}
	var err error
	if r.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if r.ws, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if r.udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	r.closers = []io.Closer{r.tcp, r.ws, r.udp}
	return r
}

func (r *relay) announce(c *config.Config) {
	c.GameServer.Announce = config.Announce{UDP: r.udp.LocalAddr().String(), TCP: r.tcp.Addr().String(), WS: r.ws.Addr().String()}
}

// run relays to a game server until the test ends.
func (r *relay) run(bound []app.Bound) {
	for _, b := range bound {
		r.targets[client.Transport(b.Kind)] = b.Addr.String()
	}
	var running sync.WaitGroup
	running.Go(func() { r.streams(&running, r.tcp, r.targets[client.TCP]) })
	running.Go(func() { r.streams(&running, r.ws, r.targets[client.WebSocket]) })
	running.Go(func() { r.datagrams(&running) })
	r.t.Cleanup(func() {
		r.mu.Lock()
		r.shutdown = true
		for _, c := range r.closers {
			_ = c.Close()
		}
		r.mu.Unlock()
		running.Wait()
	})
}

// keep closes something at the end, or now if this is the end.
func (r *relay) keep(c io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shutdown {
		_ = c.Close()
	}
	r.closers = append(r.closers, c)
}

func (r *relay) line() *line {
	l := &line{over: make(chan struct{})}
	r.mu.Lock()
	r.lines = append(r.lines, l)
	r.mu.Unlock()
	return l
}

// newest is the connection that was made last.
func (r *relay) newest() *line {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines[len(r.lines)-1]
}

func (l *line) sever() {
	l.mu.Lock()
	l.cut = true
	l.mu.Unlock()
}

func (r *relay) streams(running *sync.WaitGroup, from net.Listener, to string) {
	for {
		down, err := from.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", to)
		if err != nil {
			r.t.Errorf("relay: %v", err)
			_ = down.Close()
			return
		}
		r.keep(down)
		r.keep(up)
		l := r.line()
		running.Go(func() {
			pass(l, up, down)
			if !l.isCut() {
				_ = up.Close()
			}
		})
		running.Go(func() {
			pass(l, down, up)
			close(l.over)
			if !l.isCut() {
				_ = down.Close()
			}
		})
	}
}

// pass copies until the source ends; what comes after a cut is lost.
func pass(l *line, to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !l.isCut() {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (r *relay) datagrams(running *sync.WaitGroup) {
	type path struct {
		line *line
		up   net.Conn
	}
	paths := map[string]path{}
	b := make([]byte, 2048)
	for {
		n, from, err := r.udp.ReadFrom(b)
		if err != nil {
			return
		}
		p, ok := paths[from.String()]
		if !ok {
			up, err := net.Dial("udp", r.targets[client.UDP])
			if err != nil {
				r.t.Errorf("relay: %v", err)
				return
			}
			r.keep(up)
			p = path{r.line(), up}
			paths[from.String()] = p
			running.Go(func() {
				b := make([]byte, 2048)
				for {
					n, err := p.up.Read(b)
					if err != nil {
						return
					}
					if !p.line.isCut() {
						_, _ = r.udp.WriteTo(b[:n], from) // what gets lost is sent again
					}
				}
			})
		}
		if !p.line.isCut() {
			_, _ = p.up.Write(b[:n])
		}
	}
}
