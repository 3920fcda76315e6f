package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// streamApp is an application that tells the test everything that happens.
type streamApp struct {
	clock  atomic.Uint32
	refuse atomic.Bool
	room   int // messages that a peer keeps for the test
	opened chan *streamPeer
}

func newStreamApp() *streamApp { return &streamApp{room: 10000, opened: make(chan *streamPeer, 100)} }

func (a *streamApp) Accept(s Session) Receiver {
	if a.refuse.Load() {
		return nil
	}
	p := &streamPeer{Session: s, received: make(chan streamMessage, a.room), closed: make(chan Reason, 1)}
	a.opened <- p
	return p
}

func (a *streamApp) config(l Limits) StreamConfig {
	return StreamConfig{Name: "test", Limits: l, Clock: a.clock.Load, Acceptor: a, Counters: &Counters{}}
}

type streamMessage struct {
	bytes string
	d     photon.Delivery
}

type streamPeer struct {
	Session
	received chan streamMessage
	closed   chan Reason
	// onReceive is called in Receive, when set.
	onReceive atomic.Pointer[func([]byte)]
}

func (p *streamPeer) Receive(msg []byte, d photon.Delivery) {
	if f := p.onReceive.Load(); f != nil {
		(*f)(msg)
	}
	p.received <- streamMessage{string(msg), d}
}

func (p *streamPeer) Closed(r Reason) {
	p.closed <- r
	close(p.received)
}

// next waits for something that has to come; the test's time-out is the limit.
func next[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatal("closed early")
		}
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func (p *streamPeer) wantClosed(t *testing.T, want Reason) {
	t.Helper()
	if got := next(t, p.closed); got != want {
		t.Errorf("closed for %v, want %v", got, want)
	}
}

// shutdown ends a listener and checks that it leaves nothing behind.
func shutdown(t *testing.T, l interface {
	Shutdown(context.Context) error
}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := l.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func startTCP(t *testing.T, a *streamApp, cfg StreamConfig) *TCPListener {
	t.Helper()
	l, err := ListenTCP("127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, l) })
	return l
}

func dialStream(t *testing.T, addr netip.AddrPort) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func write(t *testing.T, c io.Writer, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

func wantBytes(t *testing.T, c io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("got %x and %v, want %x", got[:n], err, want)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("got %x, want %x", got, want)
	}
}

// wantEnd reads until the server's end of the stream.
func wantEnd(t *testing.T, c io.Reader) []byte {
	t.Helper()
	rest, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("connection ended with %v, want an orderly end", err)
	}
	return rest
}

type streamVector struct {
	HTTPRequest  string `json:"http_upgrade_request"`
	HTTPResponse string `json:"http_upgrade_response"`
	Packets      []struct{ Dir, Hex string }
}

type vectorPacket struct {
	c2s   bool
	bytes []byte
}

func readVector(t *testing.T, path string) (streamVector, []vectorPacket) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v streamVector
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	var packets []vectorPacket
	for _, p := range v.Packets {
		b, err := hex.DecodeString(p.Hex)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, vectorPacket{p.Dir == "c2s", b})
	}
	if len(packets) == 0 {
		t.Fatalf("%s: no packets", path)
	}
	return v, packets
}

func vectorFiles(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", pattern, files, err)
	}
	return files
}

// pipeListener hands out net.Pipe connections, which follow synctest's clock.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{make(chan net.Conn), make(chan struct{})}
}

func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// inVirtualTime runs a TCP listener on pipes.
func inVirtualTime(t *testing.T, limits Limits, f func(t *testing.T, a *streamApp, l *pipeListener, c *Counters)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := newStreamApp()
		cfg := a.config(limits)
		pipes := newPipeListener()
		l := serveStream(pipes, cfg, TCP, serveTCP)
		f(t, a, pipes, cfg.Counters)
		shutdown(t, l)
	})
}

func TestInitTimeout(t *testing.T) {
	limits := Limits{InitTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	inVirtualTime(t, limits, func(t *testing.T, a *streamApp, l *pipeListener, counters *Counters) {
		start := time.Now()
		c := l.dial()
		// A byte now and then does not help.
		var trickle sync.WaitGroup
		defer trickle.Wait()
		trickle.Go(func() {
			for _, b := range initFrame {
				time.Sleep(3 * time.Second)
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
			}
		})
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read: %v", err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("closed after %v", d)
		}
		synctest.Wait()
		if n := counters.Closed[ReasonInitTimeout].Load(); n != 1 {
			t.Errorf("%d init time-outs counted", n)
		}
	})
}

func TestIdleTimeout(t *testing.T) {
	limits := Limits{IdleTimeout: 16 * time.Second}
	inVirtualTime(t, limits, func(t *testing.T, a *streamApp, l *pipeListener, _ *Counters) {
		c := l.dial()
		write(t, c, initFrame)
		wantBytes(t, c, initAnswer)
		p := <-a.opened
		// WJ-009: a client that pings lives.
		for range 1200 {
			time.Sleep(3 * time.Second)
			write(t, c, []byte{0xF0, 0, 0, 0, 1})
			wantBytes(t, c, []byte{0xF0, 0, 0, 0, 0, 0, 0, 0, 1})
		}
		start := time.Now()
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read: %v", err)
		}
		// The deadline moves in steps of an eighth.
		if d := time.Since(start); d < 16*time.Second || d > 18*time.Second {
			t.Errorf("closed after %v", d)
		}
		p.wantClosed(t, ReasonTimeout)
	})
}

// A client that reads nothing is given up after the idle time, also when its
// queue is never full.
func TestWriteTimeout(t *testing.T) {
	inVirtualTime(t, Limits{IdleTimeout: 5 * time.Second}, func(t *testing.T, a *streamApp, l *pipeListener, _ *Counters) {
		c := l.dial()
		write(t, c, initFrame)
		wantBytes(t, c, initAnswer)
		p := <-a.opened
		p.Send([]byte{0xF3, 4, 1}, photon.Delivery{Mode: photon.Reliable})
		var pings sync.WaitGroup
		defer pings.Wait()
		pings.Go(func() {
			for {
				time.Sleep(time.Second)
				if _, err := c.Write([]byte{0xF0, 0, 0, 0, 1}); err != nil {
					return
				}
			}
		})
		p.wantClosed(t, ReasonTimeout)
		_ = c.Close()
	})
}

// Close does not wait longer than its limit for a client that reads nothing,
// and tells the Receiver at once.
func TestCloseOfStuckClient(t *testing.T) {
	inVirtualTime(t, Limits{}, func(t *testing.T, a *streamApp, l *pipeListener, _ *Counters) {
		c := l.dial()
		write(t, c, initFrame)
		wantBytes(t, c, initAnswer)
		p := <-a.opened
		start := time.Now()
		p.Send([]byte{0xF3, 4, 1}, photon.Delivery{Mode: photon.Reliable})
		p.Close(ReasonManaged)
		p.wantClosed(t, ReasonManaged)
		if d := time.Since(start); d != 0 {
			t.Errorf("the receiver heard of it after %v", d)
		}
		if _, err := c.Write([]byte{0}); err == nil {
			t.Error("the server still reads")
		}
		if d := time.Since(start); d > 2*streamCloseTimeout {
			t.Errorf("closed after %v", d)
		}
	})
}

func TestRateLimit(t *testing.T) {
	ping := []byte{0xF0, 0, 0, 0, 1}
	for name, limits := range map[string]Limits{
		"messages": {MaxMessagesPerSecond: 100},
		"bytes":    {MaxBytesPerSecond: 500, MaxMessageSize: 100},
		// Those of its application, which is known later.
		"messages of an application": {},
		"bytes of an application":    {MaxBytesPerSecond: 100, MaxMessageSize: 200},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, limits, func(t *testing.T, a *streamApp, l *pipeListener, _ *Counters) {
				c := l.dial()
				write(t, c, initFrame)
				go func() { _, _ = io.Copy(io.Discard, c) }()
				p := <-a.opened
				want := ReasonRateLimit
				if limits.MaxBytesPerSecond > 0 {
					want = ReasonByteRateLimit
				}
				switch name {
				case "messages of an application":
					p.Session.(Limited).SetLimits(&PeerLimits{MaxMessageSize: 1000, MaxQueuedBytes: 1_000_000, MaxMessagesPerSecond: 100})
				case "bytes of an application":
					p.Session.(Limited).SetLimits(&PeerLimits{MaxMessageSize: 100, MaxQueuedBytes: 1_000_000, MaxBytesPerSecond: 500})
				}
				for range 5 { // as much as is allowed
					time.Sleep(time.Second)
					for range 80 {
						write(t, c, ping)
					}
				}
				select {
				case r := <-p.closed:
					t.Fatalf("closed below the limit: %v", r)
				default:
				}
				go func() {
					for range 1000 { // more than a burst may have
						if _, err := c.Write(ping); err != nil {
							return
						}
					}
				}()
				p.wantClosed(t, want)
				_ = c.Close()
			})
		})
	}
}

func TestAdmission(t *testing.T) {
	addr := netip.MustParseAddr
	a := newAdmission(Limits{MaxPeers: 5, MaxPeersPerAddress: 2})
	for _, c := range []struct {
		addr  string
		enter refusal
	}{
		{"10.0.0.1", admitted}, {"::ffff:10.0.0.1", admitted}, {"10.0.0.1", tooManyOfAddress}, // mapped is the same
		{"2001:db8::1", admitted}, {"2001:db8::2", admitted}, {"2001:db8::3", tooManyOfAddress}, // one /64
		{"2001:db8:0:1::1", admitted}, {"10.0.0.2", tooManyPeers},
	} {
		if got := a.full(addr(c.addr)); got != c.enter {
			t.Errorf("%s would be: %v", c.addr, got)
		}
		if got := a.enter(addr(c.addr)); got != c.enter {
			t.Errorf("%s: %v", c.addr, got)
		}
	}
	a.leave(addr("10.0.0.1"))
	if a.enter(addr("10.0.0.1")) != admitted {
		t.Error("the place of one that left is not free")
	}
	for _, s := range []string{"10.0.0.1", "10.0.0.1", "2001:db8::9", "2001:db8::9", "2001:db8:0:1::1"} {
		a.leave(addr(s))
	}
	if a.peers != 0 || len(a.byAddress) != 0 {
		t.Errorf("left behind: %d peers, %v", a.peers, a.byAddress)
	}
	unlimited := newAdmission(Limits{MaxPeers: -1, MaxPeersPerAddress: -1})
	for range 10 {
		if unlimited.enter(addr("10.0.0.1")) != admitted {
			t.Error("refused without a limit")
		}
	}
}

func TestReadBuffer(t *testing.T) {
	var q readBuffer
	read := func(n int) {
		t.Helper()
		for n > 0 {
			m, err := q.read(io.LimitReader(neverEnding('x'), int64(n)))
			if err != nil {
				t.Fatal(err)
			}
			n -= m
		}
	}
	read(5)
	if len(q.b) != streamBufferBase {
		t.Errorf("%d bytes at first", len(q.b))
	}
	read(300000)
	if n := len(q.data()); n != 300005 {
		t.Errorf("%d bytes of data", n)
	}
	if len(q.b) > 1<<19 {
		t.Errorf("%d bytes for 300005", len(q.b))
	}
	q.consume(300000)
	if string(q.data()) != "xxxxx" {
		t.Errorf("left %q", q.data())
	}
	for range 2 * streamBufferCalm {
		read(5)
		q.consume(5)
	}
	if len(q.b) != streamBufferBase || string(q.data()) != "xxxxx" {
		t.Errorf("%d bytes after small reads, left %q", len(q.b), q.data())
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// memoryPerPeer returns what a connection to addr costs the server in bytes,
// once open has brought it up. What the client's end costs is measured with
// connections that nobody serves, and taken off.
func memoryPerPeer(t *testing.T, addr netip.AddrPort, open func(net.Conn)) int {
	t.Helper()
	const peers = 200
	bare, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	held := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc + m.StackInuse)
	}
	conns := make([]net.Conn, 0, 2*peers)
	before := held()
	for range peers {
		conns = append(conns, dialStream(t, bare.Addr().(*net.TCPAddr).AddrPort()))
	}
	middle := held()
	for range peers {
		c := dialStream(t, addr)
		conns = append(conns, c)
		open(c)
	}
	after := held()
	for _, c := range conns {
		_ = c.Close()
	}
	per := (after - middle - (middle - before)) / peers
	t.Logf("%d bytes per idle client", per)
	return per
}

func tcpFrameOf(msg string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0xFB}, uint32(len(msg)+7))
	return append(append(b, 0, 1), msg...)
}

var (
	initFrame  = tcpFrameOf("\xf3\x00\x01\x08\x1e\x41\x08\x0b\x00Master" + strings.Repeat("\x00", 26))
	initAnswer = tcpFrameOf("\xf3\x01\x00")
)
