package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// badLink is a way from clients to a UDP server that loses, delays and limits
// datagrams in both directions. Its numbers may be changed before it is used.
type badLink struct {
	loss  float64
	delay time.Duration
	// rate in bytes per second and direction; what waits longer than a second is lost.
	rate float64

	sock *net.UDPConn // the clients' side
	done chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex
	rng    *rand.Rand
	server *net.UDPAddr
	ways   map[string]*way
	busy   [2]time.Time // until when the link sends, per direction
	lost   int
}

// way is the server's side of one client.
type way struct{ sock *net.UDPConn }

func newBadLink(t testing.TB, seed uint64) *badLink {
	t.Helper()
	sock, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	l := &badLink{sock: sock, done: make(chan struct{}), rng: rand.New(rand.NewPCG(seed, 1)), ways: map[string]*way{}}
	t.Cleanup(func() {
		close(l.done)
		_ = sock.Close()
		l.mu.Lock()
		for _, w := range l.ways {
			_ = w.sock.Close()
		}
		l.mu.Unlock()
		l.wg.Wait()
	})
	return l
}

func (l *badLink) addr() string { return l.sock.LocalAddr().String() }

// start leads the link to a server.
func (l *badLink) start(t testing.TB, server string) {
	t.Helper()
	addr, err := net.ResolveUDPAddr("udp4", server)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.server = addr
	l.mu.Unlock()
	l.wg.Go(func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := l.sock.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if w := l.way(from); w != nil {
				l.carry(0, append([]byte(nil), buf[:n]...), func(b []byte) { _, _ = w.sock.Write(b) })
			}
		}
	})
}

// way returns the server's side of a client, and makes it.
func (l *badLink) way(from *net.UDPAddr) *way {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.ways[from.String()]; w != nil {
		return w
	}
	select {
	case <-l.done: // nobody would close it
		return nil
	default:
	}
	sock, err := net.DialUDP("udp4", nil, l.server)
	if err != nil {
		return nil
	}
	w := &way{sock}
	l.ways[from.String()] = w
	l.wg.Go(func() {
		buf := make([]byte, 2000)
		for {
			n, err := sock.Read(buf)
			if err != nil {
				return
			}
			l.carry(1, append([]byte(nil), buf[:n]...), func(b []byte) { _, _ = l.sock.WriteToUDP(b, from) })
		}
	})
	return w
}

// carry brings a datagram to its end, or loses it.
func (l *badLink) carry(direction int, b []byte, deliver func([]byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	at := now
	if l.rate > 0 {
		if l.busy[direction].Before(now) {
			l.busy[direction] = now
		}
		at = l.busy[direction].Add(time.Duration(float64(len(b)+28) / l.rate * float64(time.Second)))
		if at.Sub(now) > time.Second {
			l.lost++
			return
		}
		l.busy[direction] = at
	}
	if l.rng.Float64() < l.loss {
		l.lost++
		return
	}
	time.AfterFunc(at.Sub(now)+l.delay, func() {
		select {
		case <-l.done:
		default:
			deliver(b)
		}
	})
}

// rebind gives every client a new address on the server's side, as a NAT does
// that has forgotten them.
func (l *badLink) rebind() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.ways {
		_ = w.sock.Close()
	}
	clear(l.ways)
}

// While a level loads clients send and get bursts. Over a link that is slow and
// loses every tenth datagram nobody is thrown out and nothing is lost, doubled
// or out of order. wire W-18
func TestBurstsOverBadLink(t *testing.T) {
	t.Parallel()
	const n = 2000
	link := newBadLink(t, 7)
	link.loss, link.delay, link.rate = 0.1, 15*time.Millisecond, 250_000
	up := Start(t, func(c *config.Config) { c.GameServer.Announce.UDP = link.addr() })
	link.start(t, address(up.GameServer(), client.UDP))

	far := connected(t, up, Form{client.UDP, photon.GpBinaryV18}, "far")
	far.must(far.CreateRoom(far.ctx(), client.EnterRoomParams{RoomName: "level"}))
	near := connected(t, up, Form{client.TCP, photon.GpBinaryV16}, "near")
	near.must(near.JoinRoom(near.ctx(), client.EnterRoomParams{RoomName: "level"}))
	content := func(i int) string { return fmt.Sprintf("object %d of the level, and where it stands", i) }
	for i := range n {
		far.must(far.RaiseEvent(1, content(i), nil, client.SendReliable))
		near.must(near.RaiseEvent(2, content(i), nil, client.SendReliable))
	}
	for _, way := range []struct {
		to   *player
		code photon.EventCode
	}{{near, 1}, {far, 2}} {
		deadline := time.After(6 * Timeout)
		for i := range n {
			select {
			case e := <-way.to.events:
				if e.code != way.code || e.content != content(i) {
					t.Fatalf("event %d is %+v", i, e)
				}
			case err := <-way.to.lost:
				t.Fatalf("thrown out after %d events: %v", i, err)
			case <-deadline:
				t.Fatalf("%d events of %d came", i, n)
			}
		}
	}
	link.mu.Lock()
	lost := link.lost
	link.mu.Unlock()
	if lost < 20 {
		t.Errorf("the link lost %d datagrams only", lost)
	}
	for _, b := range up.GameServer() {
		if b.Kind == transport.UDP && b.Counters.Resent.Load() == 0 {
			t.Error("nothing was resent")
		}
	}
}

// A client whose address changes on its way is another one for the server: the
// protocol finds connections by address and challenge (wire.md 3.10). It has to
// connect anew, and gets its place in the room back.
func TestAddressChange(t *testing.T) {
	t.Parallel()
	link := newBadLink(t, 8)
	up := Start(t, func(c *config.Config) { c.GameServer.Announce.UDP = link.addr() })
	link.start(t, address(up.GameServer(), client.UDP))
	s := Settings(up, Form{client.UDP, photon.GpBinaryV18}, "roaming")
	s.Peer.Timeout = 3 * time.Second
	p := newPlayer(t, s)
	p.must(p.Connect(p.ctx()))
	opt := client.NewRoomOptions()
	opt.PlayerTTL = 60_000
	p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{RoomName: "moving", RoomOptions: opt}))
	friend := connected(t, up, Form{client.TCP, photon.GpBinaryV18}, "friend")
	friend.must(friend.JoinRoom(friend.ctx(), client.EnterRoomParams{RoomName: "moving"}))
	before := peerCount(up.GameServer())
	link.rebind()
	p.must(p.RaiseEvent(1, "from elsewhere", nil, client.SendReliable))
	select {
	case <-p.lost:
	case <-time.After(3 * Timeout):
		t.Fatal("the client does not notice")
	}
	if len(friend.events) != 0 {
		t.Error("an event came from an address that never connected")
	}
	eventually(t, func() bool { return peerCount(up.GameServer()) < before }, "the server gives up the old address")
	p.must(p.ReconnectAndRejoin(p.ctx()))
	if p.MyActorNr() != 1 {
		t.Errorf("actor %d after the change", p.MyActorNr())
	}
	p.must(p.RaiseEvent(2, "back", nil, client.SendReliable))
	for next(t, friend.events, "event").code != 2 {
	}
}
