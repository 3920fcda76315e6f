package client

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
)

// server is a scripted server: it answers init requests, key exchanges and
// pings, and gives all else to the script. Its clock shows serverClock.
type server struct {
	t       *testing.T
	address string // as a master would name it
	script  script
	mute    bool // says nothing at all, not even to pings
	dead    bool // answers no pings

	mu    sync.Mutex
	conns []*serverConn
}

// script gets a client's requests, one at a time per connection.
type script func(c *serverConn, r *photon.Request)

// serverConn is one client at a scripted server.
type serverConn struct {
	s        *server
	init     photon.Init
	protocol photon.Protocol
	cipher   *secure.Cipher
	write    func(msg []byte)
	close    func()
	path     string // of a WebSocket's upgrade request
	secret   []byte // key for connections with a token
	gone     chan struct{}
	raw      [][]byte // TCP: what came, frame by frame
}

const serverClock = 100000

func start(t *testing.T, tr Transport, sc script) *server {
	return startServer(t, tr, &server{t: t, script: sc})
}

func startServer(t *testing.T, tr Transport, s *server) *server {
	t.Helper()
	var done sync.WaitGroup
	if tr == UDP {
		sock, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		s.address = sock.LocalAddr().String()
		done.Go(func() { s.serveUDP(sock) })
		t.Cleanup(func() { sock.Close(); done.Wait() })
		return s
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	if tr == WebSocket {
		s.address = "ws://" + s.address
	}
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			c.close()
		}
		s.mu.Unlock()
		done.Wait()
	})
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				defer conn.Close()
				if tr == WebSocket {
					s.serveWebSocket(conn)
				} else {
					s.serveTCP(conn)
				}
			})
		}
	})
	return s
}

func (s *server) add(c *serverConn) {
	c.s, c.gone = s, make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
}

// first returns the first connection with what it has seen so far.
func (s *server) first() serverConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conns[0]
	return serverConn{init: c.init, path: c.path, gone: c.gone, raw: c.raw}
}

func (s *server) serveTCP(conn net.Conn) {
	c := &serverConn{close: func() { conn.Close() }}
	c.write = func(msg []byte) { conn.Write(appendFrame(nil, msg, SendReliable)) }
	s.add(c)
	defer close(c.gone)
	r := bufio.NewReader(conn)
	for {
		kind, err := r.ReadByte()
		if err != nil {
			return
		}
		head := make([]byte, 4)
		if _, err := io.ReadFull(r, head); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(head)
		if kind == tcpPing {
			if !s.mute && !s.dead {
				answer := binary.BigEndian.AppendUint32([]byte{tcpPing}, serverClock)
				conn.Write(binary.BigEndian.AppendUint32(answer, n))
			}
			continue
		}
		rest := make([]byte, n-5)
		if _, err := io.ReadFull(r, rest); err != nil {
			return
		}
		s.mu.Lock()
		c.raw = append(c.raw, append(append([]byte{kind}, head...), rest...))
		s.mu.Unlock()
		c.message(rest[2:], photon.Delivery{Channel: rest[0], Mode: photon.DeliveryMode(rest[1])})
	}
}

func (s *server) serveWebSocket(conn net.Conn) {
	c := &serverConn{close: func() { conn.Close() }}
	up := ws.Upgrader{
		Protocol: func(p []byte) bool {
			for _, known := range []photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18, photon.JSON} {
				if string(p) == known.String() {
					c.protocol = known
					return true
				}
			}
			return false
		},
		OnRequest: func(uri []byte) error { c.path = string(uri); return nil },
	}
	if _, err := up.Upgrade(conn); err != nil {
		return
	}
	op := ws.OpBinary
	if c.protocol == photon.JSON {
		op = ws.OpText
	}
	c.write = func(msg []byte) { ws.WriteFrame(conn, ws.NewFrame(op, true, msg)) }
	s.add(c)
	defer close(c.gone)
	u, _ := url.Parse(c.path)
	c.init, _ = photon.ParseInitQuery(u.RawQuery)
	switch {
	case c.protocol == photon.JSON:
		c.write(gpjson.AppendSessionID(nil, "1"))
	case !c.init.HasToken:
		c.write(photon.InitResponse)
	}
	for {
		op, payload, err := readWebSocket(conn)
		switch {
		case err != nil || op == ws.OpClose:
			return
		case payload[0] == tcpFrame:
			c.message(payload[tcpFrameHead:], SendReliable)
		default:
			c.message(payload, SendReliable)
		}
	}
}

// readWebSocket reads one frame of a client.
func readWebSocket(r io.Reader) (ws.OpCode, []byte, error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return 0, nil, err
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	ws.Cipher(payload, h.Mask, 0)
	return h.OpCode, payload, nil
}

// udpReceiver takes the messages of a UDP connection.
type udpReceiver struct{ c *serverConn }

func (r udpReceiver) Receive(msg []byte, d photon.Delivery) { r.c.message(msg, d) }

func (s *server) serveUDP(sock *net.UDPConn) {
	cfg := enet.ServerConfig()
	began := time.Now()
	now := func() time.Duration { return serverClock*time.Millisecond + time.Since(began) }
	type link struct {
		conn *enet.Conn
		addr *net.UDPAddr
		c    *serverConn
	}
	links := make(map[string]*link)
	asked := map[string]enet.Connect{} // that were answered
	in, out := make([]byte, 2048), make([]byte, 2048)
	for {
		for _, l := range links {
			for more := true; more; {
				var n int
				if n, more = l.conn.Output(now(), out); n > 0 {
					sock.WriteToUDP(out[:n], l.addr)
				}
			}
		}
		sock.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		n, addr, err := sock.ReadFromUDP(in)
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			continue
		}
		if err != nil {
			return
		}
		if s.mute {
			continue
		}
		if n == pingSize && in[0] == pingByte {
			sock.WriteToUDP(in[:n], addr)
			continue
		}
		l := links[addr.String()]
		if l == nil {
			if connect, ok := enet.ParseConnect(in[:n]); ok {
				asked[addr.String()] = connect
				sock.WriteToUDP(enet.AppendAccept(nil, connect, 7, now()), addr)
				continue
			}
			connect, ok := asked[addr.String()]
			if h, known := enet.ParseHeader(in[:n]); !ok || !known || h.PeerID != 7 {
				continue
			}
			delete(asked, addr.String())
			l = &link{conn: enet.NewServerConn(cfg, connect, 7, now()), addr: addr, c: &serverConn{}}
			l.c.write = func(msg []byte) { l.conn.Send(msg, SendReliable) }
			l.c.close = func() { l.conn.Disconnect(now(), enet.ReasonServerLogic) }
			s.add(l.c)
			links[addr.String()] = l
		}
		l.conn.Input(now(), in[:n], udpReceiver{l.c})
		if l.conn.State() == enet.Closed {
			delete(links, addr.String())
			close(l.c.gone)
		}
	}
}

// message takes a message as the transports of a real server would.
func (c *serverConn) message(msg []byte, d photon.Delivery) {
	if c.s.mute {
		return
	}
	if c.protocol == photon.JSON {
		payload, _, _, err := gpjson.NextFrame(msg)
		if err != nil {
			c.s.t.Errorf("frame %q: %v", msg, err)
			return
		}
		c.request(payload, d)
		return
	}
	if in, err := photon.ParseInit(msg); err == nil {
		c.s.mu.Lock()
		c.init, c.protocol = in, in.Protocol
		c.s.mu.Unlock()
		if in.Token != nil && c.secret == nil {
			c.secret = testSecret
			c.cipher, _ = secure.NewCipher(testSecret)
		}
		c.write(photon.InitResponse)
		if in.Token != nil {
			c.respond(photon.OpAuthenticateOnce, 0, "", nil)
		}
		return
	}
	if msg[1]&photon.EncryptedBit != 0 {
		plain, err := secure.AppendDecryptedMessage(nil, msg, c.cipher)
		if err != nil {
			c.s.t.Errorf("encrypted message: %v", err)
			return
		}
		msg, d.Encrypt = plain, true
	}
	c.request(msg, d)
}

func (c *serverConn) request(msg []byte, d photon.Delivery) {
	r := photon.Request{Delivery: d}
	if err := photon.ParseRequest(c.protocol, msg, &r); err != nil {
		c.s.t.Errorf("request % x: %v", msg, err)
		return
	}
	if !r.Internal {
		c.s.script(c, &r)
		return
	}
	switch r.Code {
	case photon.InternalInitEncryption:
		keys, _ := secure.NewKeyExchange(rand.Reader)
		public, _, _ := r.Bytes(1)
		key, err := keys.SharedKey(public)
		if err != nil {
			c.s.t.Error(err)
		}
		c.cipher, _ = secure.NewCipher(key[:])
		answer, _ := photon.AppendInternalResponse(nil, c.protocol, r.Code, 0, "", photon.Params{{Key: 1, Value: keys.PublicKey()}})
		c.write(answer)
	case photon.InternalPing:
		if c.s.dead {
			return
		}
		echo, _ := r.Content(1)
		answer, _ := photon.AppendInternalResponse(nil, c.protocol, r.Code, 0, "",
			photon.Params{{Key: 1, Value: echo}, {Key: 2, Value: int32(serverClock)}})
		c.write(answer)
	}
}

var testSecret = []byte("0123456789abcdef0123456789abcdef")

// respond answers a request, and events are sent by event.
func (c *serverConn) respond(op photon.OpCode, rc photon.ReturnCode, debug string, params photon.Params) {
	msg, err := photon.AppendResponse(nil, c.protocol, op, rc, debug, params)
	if err != nil {
		c.s.t.Error(err)
	}
	c.write(msg)
}

func (c *serverConn) event(code photon.EventCode, params ...any) {
	var table photon.Params
	for i := 0; i < len(params); i += 2 {
		table = append(table, photon.Param(params[i].(photon.ParamCode), params[i+1]))
	}
	msg, err := photon.AppendEvent(nil, c.protocol, code, table)
	if err != nil {
		c.s.t.Error(err)
	}
	c.write(msg)
}

// testContext ends a test that hangs.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// receive returns the next value of a channel, or ends the test.
func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}
