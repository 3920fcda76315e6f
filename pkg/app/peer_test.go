package app

import (
	"bytes"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
)

// session is a transport.Session that keeps what was sent.
type session struct {
	info transport.Info
	sent chan []byte

	mu     sync.Mutex
	reason transport.Reason
}

func (s *session) ID() uint64                         { return 7 }
func (s *session) Info() *transport.Info              { return &s.info }
func (s *session) Send(msg []byte, _ photon.Delivery) { s.sent <- msg }
func (s *session) RTT() time.Duration                 { return 0 }
func (s *session) Close(r transport.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reason = r
}
func (s *session) closed() transport.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// testApp answers every operation through a router.
type testApp struct{ router Router[*testPeer] }

type testPeer struct {
	*Peer
	app *testApp
}

func (a *testApp) Connect(p *Peer) Handler      { return &testPeer{p, a} }
func (p *testPeer) Operation(r *photon.Request) { p.app.router.Route(p, r) }
func (p *testPeer) Closed(transport.Reason)     {}

type echoRequest struct {
	Text  string   `photon:"1"`
	Count *int32   `photon:"2,optional"`
	Names []string `photon:"3,optional"`
}

func newTestPeer(t *testing.T, kind transport.Kind, p photon.Protocol) (*Peer, *session) {
	t.Helper()
	a := &testApp{}
	Handle(&a.router, 1, func(p *testPeer, op Op, req *echoRequest) {
		n := int32(-1)
		if req.Count != nil {
			n = *req.Count
		}
		p.Respond(op, photon.ReturnOk, "", photon.Params{photon.Param(1, req.Text), photon.Param(2, n)})
	})
	server := NewServer(Options{Logger: zerolog.Nop(), Clock: func() uint32 { return 1000 }}, a)
	t.Cleanup(server.pool.Close)
	s := &session{info: transport.Info{Kind: kind, Protocol: p, Remote: netip.MustParseAddrPort("127.0.0.1:1")}, sent: make(chan []byte, 16)}
	return server.Accept(s).(*Peer), s
}

func request(t *testing.T, p photon.Protocol, op photon.OpCode, params ...gpbinary.Param) []byte {
	t.Helper()
	msg, err := photon.AppendRequest(nil, p, op, params)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func response(t *testing.T, s *session) *gpbinary.OperationResponse {
	t.Helper()
	msg := <-s.sent
	if msg[1] != byte(photon.TypeResponse) && msg[1] != byte(photon.TypeInternalResponse) {
		t.Fatalf("sent %x, want a response", msg)
	}
	r, _, err := gpbinary.DecodeResponse(gpbinary.V18, msg[2:])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTypedOperations(t *testing.T) {
	p, s := newTestPeer(t, transport.TCP, photon.GpBinaryV18)
	reliable := photon.Delivery{Mode: photon.Reliable}

	p.Receive(request(t, photon.GpBinaryV18, 1, photon.Param(1, "hi"), photon.Param(2, int32(0)), photon.Param(77, "unknown")), reliable) // LB-010
	if r := response(t, s); r.ReturnCode != 0 || r.Params[0].Value != "hi" || r.Params[1].Value != int32(0) {
		t.Errorf("got %+v", r)
	}
	p.Receive(request(t, photon.GpBinaryV18, 1, photon.Param(1, "hi")), reliable)
	if r := response(t, s); r.Params[1].Value != int32(-1) {
		t.Errorf("absent optional parameter is %v", r.Params[1].Value)
	}
	// LB-004, LB-005
	p.Receive(request(t, photon.GpBinaryV18, 1), reliable)
	if r := response(t, s); r.ReturnCode != -2 || !strings.Contains(r.Debug, "parameter 1") || !strings.Contains(r.Debug, "missing") {
		t.Errorf("missing parameter: %+v", r)
	}
	p.Receive(request(t, photon.GpBinaryV18, 1, photon.Param(1, int32(5))), reliable)
	if r := response(t, s); r.ReturnCode != -2 || !strings.Contains(r.Debug, "parameter 1") {
		t.Errorf("wrong type: %+v", r)
	}
	// LB-001
	p.Receive(request(t, photon.GpBinaryV18, 100), reliable)
	if r := response(t, s); r.Code != 100 || r.ReturnCode != -2 {
		t.Errorf("unknown operation: %+v", r)
	}
	if s.closed() != 0 {
		t.Errorf("connection was closed: %s", s.closed())
	}
}

// LB-008, LB-009, wire W-27, W-34: key exchange, then encrypted and plain
// requests, each answered in kind; a second exchange replaces the key.
func TestEncryption(t *testing.T) {
	p, s := newTestPeer(t, transport.UDP, photon.GpBinaryV18)
	reliable := photon.Delivery{Mode: photon.Reliable}
	for range 2 {
		kx, err := secure.NewKeyExchange(bytes.NewReader(bytes.Repeat([]byte{3}, 1000)))
		if err != nil {
			t.Fatal(err)
		}
		msg, err := photon.AppendInternalRequest(nil, photon.GpBinaryV18, photon.InternalInitEncryption, photon.Params{{Key: 1, Value: kx.PublicKey()}})
		if err != nil {
			t.Fatal(err)
		}
		p.Receive(msg, reliable)
		r := response(t, s)
		if r.ReturnCode != 0 {
			t.Fatalf("key exchange: %+v", r)
		}
		key, err := kx.SharedKey(r.Params[0].Value.([]byte))
		if err != nil {
			t.Fatal(err)
		}
		c, err := secure.NewCipher(key[:])
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := secure.AppendEncryptedMessage(nil, request(t, photon.GpBinaryV18, 1, photon.Param(1, "secret")), c)
		if err != nil {
			t.Fatal(err)
		}
		p.Receive(sealed, reliable)
		answer := <-s.sent
		if answer[1] != byte(photon.TypeResponse)|photon.EncryptedBit {
			t.Fatalf("encrypted request was answered with type %02x", answer[1])
		}
		if _, err := secure.AppendDecryptedMessage(nil, answer, c); err != nil {
			t.Error(err)
		}
		p.Receive(request(t, photon.GpBinaryV18, 1, photon.Param(1, "plain")), reliable)
		if r := response(t, s); r.Params[0].Value != "plain" {
			t.Errorf("plain request: %+v", r)
		}
	}
}

func TestEncryptedWithoutKeyDisconnects(t *testing.T) {
	p, s := newTestPeer(t, transport.TCP, photon.GpBinaryV18)
	p.Receive(append([]byte{photon.Magic, 0x82}, make([]byte, 16)...), photon.Delivery{})
	if s.closed() != transport.ReasonProtocolError {
		t.Errorf("closed for %s", s.closed())
	}
}

// wire W-32: over TLS the encrypted bit stands on plain content.
func TestEncryptedBitOverTLSIsIgnored(t *testing.T) {
	p, s := newTestPeer(t, transport.SecureWebSocket, photon.GpBinaryV18)
	msg := request(t, photon.GpBinaryV18, 1, photon.Param(1, "hi"))
	msg[1] |= photon.EncryptedBit
	p.Receive(msg, photon.Delivery{})
	if r := response(t, s); r.ReturnCode != 0 || r.Params[0].Value != "hi" {
		t.Errorf("got %+v", r)
	}
}

// wire W-31: the answer to a ping carries both parameters, the first as it came.
func TestPing(t *testing.T) {
	p, s := newTestPeer(t, transport.WebSocket, photon.GpBinaryV18)
	p.Receive([]byte{0xF3, 6, 1, 1, 1, 0x0D, 0xB7, 0x04}, photon.Delivery{})
	want := []byte{0xF3, 7, 1, 0, 0, 8, 2, 1, 0x0D, 0xB7, 0x04, 2, 0x0D, 0xE8, 0x03}
	if got := <-s.sent; !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestMalformedMessagesCostTheConnection(t *testing.T) {
	p, s := newTestPeer(t, transport.TCP, photon.GpBinaryV18)
	for range maxMalformed {
		if s.closed() != 0 {
			t.Fatal("closed too early")
		}
		p.Receive([]byte{0xF3, 2, 1, 1, 1, 7, 200}, photon.Delivery{}) // a string longer than the message
	}
	if s.closed() != transport.ReasonProtocolError {
		t.Errorf("closed for %s", s.closed())
	}
}

// LB-015: the word comes first, the end when the client had time to read it; what
// the client sends in between does not count.
func TestDisconnectTellsWhyFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newTestPeer(t, transport.UDP, photon.GpBinaryV18)
		p.Disconnect(7, "bye", transport.ReasonManaged)
		if msg := <-s.sent; msg[1] != byte(photon.TypeDisconnect) {
			t.Errorf("sent %x", msg)
		}
		p.Receive(request(t, photon.GpBinaryV18, 1, photon.Param(1, "hi")), photon.Delivery{})
		if len(s.sent) != 0 || s.closed() != 0 {
			t.Errorf("%d messages sent, closed for %s", len(s.sent), s.closed())
		}
		time.Sleep(6 * time.Second)
		if s.closed() != transport.ReasonManaged {
			t.Errorf("closed for %s", s.closed())
		}
	})
	p, s := newTestPeer(t, transport.WebSocket, photon.JSON)
	p.Disconnect(7, "bye", transport.ReasonManaged)
	if s.closed() != transport.ReasonManaged {
		t.Error("a JSON client, which has no such message, was not closed at once")
	}
}

func TestBadTagsPanicAtRegistration(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a field of a type that no parameter has was accepted")
		}
	}()
	var rt Router[*testPeer]
	Handle(&rt, 1, func(*testPeer, Op, *struct {
		C chan int `photon:"1"`
	}) {
	})
}

func BenchmarkReceive(b *testing.B) {
	a := &testApp{}
	HandleRaw(&a.router, photon.OpRaiseEvent, func(*testPeer, *photon.Request) {})
	server := NewServer(Options{Logger: zerolog.Nop()}, a)
	defer server.pool.Close()
	s := &session{info: transport.Info{Protocol: photon.GpBinaryV18}, sent: make(chan []byte, 1)}
	p := server.Accept(s).(*Peer)
	msg, err := photon.AppendRequest(nil, photon.GpBinaryV18, photon.OpRaiseEvent, photon.Params{photon.Param(244, byte(7)), photon.Param(245, make([]byte, 64))})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Receive(msg, photon.Delivery{Mode: photon.Reliable})
	}
}

// A handler that panics costs its own peer the connection and nothing else.
func TestPanicStaysWithItsPeer(t *testing.T) {
	p, s := newTestPeer(t, transport.TCP, photon.GpBinaryV18)
	HandleRaw(&p.handler.(*testPeer).app.router, 9, func(*testPeer, *photon.Request) { panic("a bug") })
	p.Receive(request(t, photon.GpBinaryV18, 9), photon.Delivery{})
	if s.closed() != transport.ReasonServerDisconnect {
		t.Errorf("closed for %s", s.closed())
	}
}
