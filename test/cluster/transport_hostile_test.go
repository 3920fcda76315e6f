package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// neighbours are two players in a room who must not notice what others do.
type neighbours struct{ a, b *player }

func newNeighbours(t testing.TB, up *daemon.Up, room string) neighbours {
	n := neighbours{connected(t, up, Form{client.UDP, photon.GpBinaryV18}, "neighbour a"), connected(t, up, Form{client.WebSocket, photon.GpBinaryV16}, "neighbour b")}
	n.a.must(n.a.CreateRoom(n.a.ctx(), client.EnterRoomParams{RoomName: room}))
	n.b.must(n.b.JoinRoom(n.b.ctx(), client.EnterRoomParams{RoomName: room}))
	return n
}

// play sends an event each way.
func (n neighbours) play(t testing.TB) {
	t.Helper()
	for i, p := range []*player{n.a, n.b} {
		other := []*player{n.b, n.a}[i]
		p.must(p.RaiseEvent(77, "ball", nil, client.SendReliable))
		for next(t, other.events, "event of a neighbour").code != 77 {
		}
	}
}

// heapHeld is the memory in use.
func heapHeld() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// peerCount counts the sessions of all transports of a server.
func peerCount(bound []app.Bound) (n int64) {
	for _, b := range bound {
		n += b.Counters.Peers.Load()
	}
	return n
}

func closedFor(bound []app.Bound, r transport.Reason) (n int64) {
	for _, b := range bound {
		n += b.Counters.Closed[r].Load()
	}
	return n
}

// 500 sockets that never authenticate, or never even say what they want: they
// cost little, nobody notices, and they are closed at the time limit. WJ-171
func TestIdleSockets(t *testing.T) {
	const limit = time.Second
	up := Start(t, func(c *config.Config) { c.Limits.AuthTimeout, c.Limits.InitTimeout = limit, limit })
	n := newNeighbours(t, up, "quiet")
	n.play(t)
	before := heapHeld()
	ms := up.Master()
	sockets := make([]net.Conn, 0, 500)
	defer func() {
		for _, c := range sockets {
			_ = c.Close()
		}
	}()
	in := tcpFrame(photon.AppendInit(nil, photon.Init{Protocol: photon.GpBinaryV18, AppID: "idle", ClientVersion: [4]byte{4, 1, 8, 11}}, ""))
	upgrade := "GET /idle?libversion=4.4.0.0 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: Json\r\n\r\n"
	for i := range 500 {
		addr, text := address(ms, client.TCP), string(in)
		switch i % 5 {
		case 1:
			text = "" // half open: connected, and nothing more
		case 2:
			text = text[:9] // a part of the init request
		case 3:
			addr, text = strings.TrimPrefix(address(ms, client.WebSocket), "ws://"), upgrade
		case 4:
			addr, text = strings.TrimPrefix(address(ms, client.WebSocket), "ws://"), upgrade[:60] // a slow handshake
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		sockets = append(sockets, c)
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	n.play(t)
	if per := (heapHeld() - before) / 500; per > 64<<10 {
		t.Errorf("%d bytes per idle socket", per)
	}
	n.a.must(n.a.LeaveRoom(n.a.ctx(), false)) // the master still takes players
	n.a.must(n.a.JoinRoom(n.a.ctx(), client.EnterRoomParams{RoomName: "quiet"}))
	for i, c := range sockets {
		_ = c.SetReadDeadline(time.Now().Add(Timeout))
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("socket %d is still open: %v", i, err)
		}
	}
	eventually(t, func() bool { return closedFor(ms, transport.ReasonInitTimeout) >= 500 }, "all are counted as too slow")
	n.play(t)
}

// A WebSocket handshake that comes byte by byte does not stretch its time limit.
func TestSlowHandshake(t *testing.T) {
	t.Parallel()
	up := Start(t, func(c *config.Config) { c.Limits.InitTimeout = time.Second })
	c, err := net.Dial("tcp", strings.TrimPrefix(address(up.Master(), client.WebSocket), "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			<-tick.C
			if _, err := c.Write([]byte{"GET /x HTTP/1.1\r\nX: "[min(i, 19)]}); err != nil {
				return
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(Timeout):
		t.Fatal("still open")
	}
	if n := closedFor(up.Master(), transport.ReasonInitTimeout); n != 1 {
		t.Errorf("%d closed as too slow", n)
	}
}

// A client that stops reading is dropped when its queue is full; its room, and
// who is in it, goes on. WJ-172
func TestSlowReader(t *testing.T) {
	up := Start(t, func(c *config.Config) { c.Limits.MaxQueuedBytes = 100_000 })
	n := newNeighbours(t, up, "slow")
	for _, f := range []Form{{client.TCP, photon.GpBinaryV18}, {client.WebSocket, photon.JSON}, {client.UDP, photon.GpBinaryV18}} {
		t.Run(f.String(), func(t *testing.T) {
			// The callback that does not return keeps the client from reading.
			stuck := make(chan struct{})
			slow := client.New(Settings(up, f, "slow"), client.Handler{OnEvent: func(e *client.Event) {
				if e.Code == 1 {
					<-stuck
				}
			}})
			defer slow.Close()
			defer close(stuck)
			n.a.must(slow.Connect(n.a.ctx()))
			n.a.must(slow.JoinRoom(n.a.ctx(), client.EnterRoomParams{RoomName: "slow"}))
			nr := slow.MyActorNr()
			before := peerCount(up.GameServer())
			content := strings.Repeat("x", 20_000)
			deadline := time.Now().Add(2 * Timeout)
			for peerCount(up.GameServer()) == before {
				if time.Now().After(deadline) {
					t.Fatal("the slow reader is still there")
				}
				err := n.b.RaiseEvent(1, content, &client.RaiseEventOptions{TargetActors: []int32{nr}}, client.SendReliable)
				if errors.Is(err, client.ErrQueueFull) {
					time.Sleep(time.Millisecond)
				} else if err != nil {
					t.Fatal(err)
				}
			}
			for next(t, n.a.leaves, "leave of the slow reader") != nr {
			}
			n.play(t)
		})
	}
}

// hostileUDP is a client that speaks the protocol as long as a test wants it to.
type hostileUDP struct {
	t    testing.TB
	sock net.Conn
	conn *enet.Conn
	now  time.Duration
}

func dialHostile(t testing.TB, addr string, challenge uint32) *hostileUDP {
	t.Helper()
	sock, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	r := &hostileUDP{t: t, sock: sock, conn: enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, challenge, time.Second), now: time.Second}
	_ = r.conn.Send(photon.AppendInit(nil, photon.Init{Protocol: photon.GpBinaryV18, AppID: "raw", ClientVersion: [4]byte{4, 1, 8, 11}}, ""), photon.Delivery{Mode: photon.Reliable})
	buf := make([]byte, 2000)
	for deadline := time.Now().Add(Timeout); ; {
		r.flush()
		if r.conn.State() == enet.Connected {
			return r
		}
		_ = sock.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := sock.Read(buf)
		if err == nil {
			_ = r.conn.Input(r.now, buf[:n], r)
		}
		r.now += time.Millisecond
		if time.Now().After(deadline) {
			t.Fatal("raw client does not connect")
		}
	}
}

func (r *hostileUDP) Receive([]byte, photon.Delivery) {}

func (r *hostileUDP) flush() {
	var buf [enet.MaxMTU]byte
	for {
		n, more := r.conn.Output(r.now, buf[:])
		if n > 0 {
			_, _ = r.sock.Write(buf[:n])
		}
		if !more {
			return
		}
	}
}

// datagram writes one datagram with one command in the client's name.
func (r *hostileUDP) datagram(kind, channel, flags byte, sequence uint32, body []byte) {
	b := binary.BigEndian.AppendUint16(nil, r.conn.PeerID())
	b = append(b, 0, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(r.now/time.Millisecond))
	b = binary.BigEndian.AppendUint32(b, r.conn.Challenge())
	b = append(b, kind, channel, flags, 4)
	b = binary.BigEndian.AppendUint32(b, uint32(12+len(body)))
	b = binary.BigEndian.AppendUint32(b, sequence)
	_, _ = r.sock.Write(append(b, body...))
}

// Fragment bombs: messages of the largest size that never become whole, parts
// that overlap, totals that lie. Memory stays bounded and nobody notices.
// wire W-11, W-23
func TestFragmentBombs(t *testing.T) {
	up := Start(t, nil)
	n := newNeighbours(t, up, "bombs")
	n.play(t)
	before := heapHeld()
	part := make([]byte, 1100)
	for i := range uint32(40) {
		r := dialHostile(t, address(up.Master(), client.UDP), 1000+i)
		defer r.sock.Close()
		for k := range uint32(300) {
			head := func(start, count, number, total, offset uint32) []byte {
				b := make([]byte, 0, 20+len(part))
				for _, v := range []uint32{start, count, number, total, offset} {
					b = binary.BigEndian.AppendUint32(b, v)
				}
				return append(b, part...)
			}
			switch i % 4 {
			case 0: // the first part never comes
				r.datagram(8, 0, 1, 3+k, head(2, 460, k+1, 506_000, (k+1)*1100))
			case 1: // many messages, one part each
				r.datagram(15, 0, 3, 1+460*k, head(1+460*k, 460, 0, 506_000, 0))
			case 2: // parts that overlap
				r.datagram(8, 1, 1, 1+k, head(1, 460, k, 506_000, k))
			case 3: // absurd sizes
				r.datagram(8, 0, 1, 2+k, head(2, 1<<31, k, 1<<32-1, k*1100))
			}
		}
	}
	n.play(t)
	if more := heapHeld() - before; more > 40<<20 {
		t.Errorf("%d bytes held", more)
	}
	n.a.must(n.a.LeaveRoom(n.a.ctx(), false))
	n.a.must(n.a.JoinRoom(n.a.ctx(), client.EnterRoomParams{RoomName: "bombs"}))
}

// Disconnects and acks in another's name, and a flood of connects, reach nobody.
// wire W-4, W-23
func TestForgedDatagrams(t *testing.T) {
	up := Start(t, nil)
	n := newNeighbours(t, up, "forged")
	addr := address(up.GameServer(), client.UDP)
	sock, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	r := &hostileUDP{t: t, sock: sock, conn: enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, 1, time.Second), now: time.Second}
	for range 5000 {
		r.conn = enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, rng.Uint32(), time.Second)
		r.datagram([]byte{1, 4, 4, 2, 6}[rng.IntN(5)], 0xFF, byte(rng.IntN(4)), rng.Uint32N(100), make([]byte, 32))
	}
	n.play(t)
	if p := peerCount(up.GameServer()); p != 2 {
		t.Errorf("%d peers", p)
	}
}

// Clients that connected in order, and then acknowledge what was never sent, ask
// for the time without end and repeat old commands, cost little, and nobody
// notices. wire W-7, W-23
func TestNoiseOfConnectedClients(t *testing.T) {
	up := Start(t, nil)
	n := newNeighbours(t, up, "acks")
	n.play(t)
	before := heapHeld()
	for i := range uint32(10) {
		r := dialHostile(t, address(up.GameServer(), client.UDP), 2000+i)
		defer r.sock.Close()
		for k := range uint32(1000) {
			ack := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, k*7), k)
			r.datagram(1, byte(k%3)-1, 0, 0, ack)      // of channels FF, 0 and 1
			r.datagram(16, byte(k%200), 0, 0, ack)     // of channels that do not exist, too
			r.datagram(12, 0xFF, 1, 5+k, nil)          // FETCH_SERVER_TIME
			r.datagram(6, 0, 1, 1, []byte("\xf3\x00")) // the init request again
		}
	}
	n.play(t)
	if more := heapHeld() - before; more > 10<<20 {
		t.Errorf("%d bytes held", more)
	}
}

// 100000 random frames and datagrams: nothing falls over, nothing is left. WJ-173, wire W-23
func TestRandomFrames(t *testing.T) {
	up := Start(t, nil)
	n := newNeighbours(t, up, "noise")
	rng := rand.New(rand.NewPCG(3, 4))
	rest := 100_000
	start := runtime.NumGoroutine()
	udp, err := net.Dial("udp", address(up.Master(), client.UDP))
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	noise := func(size int) []byte {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	const hello = "GET /noise HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: %s\r\n\r\n"
	for rest > 0 {
		protocol := []string{"Json", "GpBinaryV16", "GpBinaryV18"}[rng.IntN(3)]
		c, err := net.Dial("tcp", strings.TrimPrefix(address(up.Master(), client.WebSocket), "ws://"))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		fmt.Fprintf(&b, hello, protocol)
		for range 500 {
			payload := noise(rng.IntN(40))
			code := byte(0x82)
			if protocol == "Json" {
				code = 0x81
				payload = fmt.Appendf(nil, `~m~%d~m~~j~{"req":%d,"vals":[%d,%q]}`, 0, rng.IntN(256), rng.IntN(256), payload)
				text := payload[9:]
				payload = append(fmt.Appendf(nil, "~m~%d~m~", len(text)), text...)
			} else if len(payload) > 4 && rng.IntN(4) > 0 {
				copy(payload, "\xf3\x02")
			}
			if rng.IntN(200) == 0 {
				code = byte(rng.Uint32())
			}
			b.WriteByte(code)
			if len(payload) < 126 {
				b.WriteByte(0x80 | byte(len(payload)))
			} else {
				b.Write([]byte{0x80 | 126, byte(len(payload) >> 8), byte(len(payload))})
			}
			b.Write([]byte{0, 0, 0, 0}) // mask
			b.Write(payload)
			_, _ = udp.Write(noise(rng.IntN(60)))
			rest -= 2
		}
		_, _ = c.Write(b.Bytes())
		_ = c.Close()
	}
	n.play(t)
	eventually(t, func() bool { return peerCount(up.Master()) == 0 && runtime.NumGoroutine() < start+20 }, "the noise is forgotten")
}

// Clients that vanish at every step leave nothing behind. WJ-170
func TestVanishAtEveryStep(t *testing.T) {
	up := Start(t, nil)
	for _, f := range []Form{{client.WebSocket, photon.JSON}, {client.TCP, photon.GpBinaryV18}, {client.UDP, photon.GpBinaryV18}} {
		t.Run(f.String(), func(t *testing.T) {
			var wg sync.WaitGroup
			for i := range 30 {
				wg.Go(func() {
					// The whole way takes some milliseconds: it ends somewhere within.
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*time.Millisecond/2)
					defer cancel()
					s := Settings(up, f, fmt.Sprint("vanishing ", i))
					c := client.New(s, client.Handler{})
					defer c.Close()
					if c.Connect(ctx) == nil && c.CreateRoom(ctx, client.EnterRoomParams{RoomName: fmt.Sprint(f, i)}) == nil {
						_ = c.LeaveRoom(ctx, false)
					}
				})
			}
			wg.Wait()
			eventually(t, func() bool {
				return peerCount(up.NameServer())+peerCount(up.Master())+peerCount(up.GameServer()) == 0 && up.Rooms() == 0
			}, "no peers and no rooms are left")
		})
	}
}
