package transport

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// udpWait bounds every wait for the network.
const udpWait = 10 * time.Second

type udpMessage struct {
	msg []byte
	d   photon.Delivery
}

// udpClient is the client side of package enet on a real socket.
type udpClient struct {
	t    testing.TB
	sock *net.UDPConn
	got  chan udpMessage
	over chan struct{} // closed when the connection is over

	mu   sync.Mutex
	conn *enet.Conn
	dead bool // the socket is not read any more
}

var udpEpoch = time.Now()

func udpNow() time.Duration { return time.Since(udpEpoch) }

// startUDPClient opens a socket and starts to connect; the init request is queued.
func startUDPClient(t testing.TB, addr netip.AddrPort, connect enet.Connect) *udpClient {
	t.Helper()
	sock, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	c := udpClientOn(t, sock, connect)
	t.Cleanup(c.vanish)
	go c.read()
	return c
}

func udpClientOn(t testing.TB, sock *net.UDPConn, connect enet.Connect) *udpClient {
	_ = sock.SetReadBuffer(1 << 20)
	c := &udpClient{t: t, sock: sock, got: make(chan udpMessage, 10000), over: make(chan struct{})}
	cfg := enet.ClientConfig()
	c.conn = enet.NewClientConn(cfg, connect, rand.Uint32()>>1, udpNow())
	c.send(udpInit(), photon.Delivery{Mode: photon.Reliable})
	return c
}

func udpInit() []byte {
	return photon.AppendInit(nil, photon.Init{
		Protocol: photon.Protocol(gpbinary.V18), AppID: "Master", SDKID: 30, ClientVersion: [4]byte{4, 1, 8, 11},
	}, "")
}

// Receive implements enet.Receiver.
func (c *udpClient) Receive(msg []byte, d photon.Delivery) {
	c.got <- udpMessage{append([]byte(nil), msg...), d}
}

// read runs the connection until its socket is closed.
func (c *udpClient) read() {
	buf := make([]byte, 4096)
	for {
		c.mu.Lock()
		c.flush()
		wait := min(max(c.conn.Deadline()-udpNow(), time.Millisecond), time.Second)
		c.mu.Unlock()
		_ = c.sock.SetReadDeadline(time.Now().Add(wait))
		n, err := c.sock.Read(buf)
		if e, ok := err.(net.Error); err != nil && (!ok || !e.Timeout()) && c.closed() {
			return
		}
		if err != nil {
			continue
		}
		c.mu.Lock()
		_ = c.conn.Input(udpNow(), buf[:n], c)
		c.mu.Unlock()
	}
}

func (c *udpClient) closed() bool {
	_, err := c.sock.Write(nil)
	return err != nil
}

// flush writes what is due, with mu held.
func (c *udpClient) flush() {
	var buf [enet.MaxMTU]byte
	for {
		n, more := c.conn.Output(udpNow(), buf[:])
		if n > 0 {
			_, _ = c.sock.Write(buf[:n])
		}
		if !more {
			break
		}
	}
	if c.conn.Done() && !c.dead {
		c.dead = true
		close(c.over)
	}
}

func (c *udpClient) send(msg []byte, d photon.Delivery) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	// A server that has had enough may have ended the connection meanwhile.
	if err := c.conn.Send(msg, d); err != nil && !errors.Is(err, enet.ErrClosed) {
		c.t.Errorf("client send: %v", err)
	}
	c.flush()
}

func (c *udpClient) leave() {
	c.mu.Lock()
	c.conn.Disconnect(udpNow(), enet.ReasonNormal)
	c.flush()
	c.mu.Unlock()
}

// vanish says goodbye, so that the server need not wait, and closes the socket.
func (c *udpClient) vanish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn.Abort(enet.ReasonNormal)
	c.flush()
	_ = c.sock.Close()
}

func (c *udpClient) next() udpMessage {
	c.t.Helper()
	select {
	case m := <-c.got:
		return m
	case <-time.After(udpWait):
		c.t.Fatal("client: no message")
		return udpMessage{}
	}
}

// wantOver waits for the end and checks how the server explained it.
func (c *udpClient) wantOver(cause enet.Cause, reason byte) {
	c.t.Helper()
	select {
	case <-c.over:
	case <-time.After(udpWait):
		c.t.Fatal("client: not over")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn.Cause() != cause || cause == enet.CauseRemote && c.conn.RemoteReason() != reason {
		c.t.Errorf("client: cause %d reason %d, want %d and %d", c.conn.Cause(), c.conn.RemoteReason(), cause, reason)
	}
}

// udpApp accepts every session and records what happens.
type udpApp struct {
	opened    chan *udpAppPeer
	onReceive func(p *udpAppPeer, msg []byte, d photon.Delivery)
	onAccept  func(s Session) bool
}

type udpAppPeer struct {
	Session
	app    *udpApp
	got    chan udpMessage
	closed chan Reason
}

func newUDPApp() *udpApp { return &udpApp{opened: make(chan *udpAppPeer, 10000)} }

func (a *udpApp) Accept(s Session) Receiver {
	if a.onAccept != nil && !a.onAccept(s) {
		return nil
	}
	p := &udpAppPeer{Session: s, app: a, got: make(chan udpMessage, 1000), closed: make(chan Reason, 1)}
	a.opened <- p
	return p
}

func (p *udpAppPeer) Receive(msg []byte, d photon.Delivery) {
	if p.app.onReceive != nil {
		p.app.onReceive(p, msg, d)
		return
	}
	p.got <- udpMessage{append([]byte(nil), msg...), d}
}

func (p *udpAppPeer) Closed(r Reason) { p.closed <- r }

func udpNext[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(udpWait):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// startUDP opens a listener on loopback which ends with the test.
func startUDP(t testing.TB, a *udpApp, cfg UDPConfig) *UDPListener {
	t.Helper()
	return startUDPOn(t, "127.0.0.1:0", a, cfg)
}

func startUDPOn(t testing.TB, addr string, a *udpApp, cfg UDPConfig) *UDPListener {
	t.Helper()
	cfg.Acceptor, cfg.Name = a, "client"
	cfg.Clock = func() uint32 { return uint32(udpNow() / time.Millisecond) }
	if cfg.Counters == nil {
		cfg.Counters = &Counters{}
	}
	l, err := ListenUDP(addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), udpWait)
		defer cancel()
		if err := l.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return l
}

// connectUDP connects a client and returns both sides of it.
func connectUDP(t testing.TB, a *udpApp, l *UDPListener, connect enet.Connect) (*udpClient, *udpAppPeer) {
	t.Helper()
	c := startUDPClient(t, l.Addr(), connect)
	p := udpNext(t, "session", a.opened)
	if m := c.next(); string(m.msg) != string(photon.InitResponse) {
		t.Fatalf("first message %x", m.msg)
	}
	return c, p
}
