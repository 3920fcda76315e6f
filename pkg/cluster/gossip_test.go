package cluster

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/announce"
)

// server is a Gossip under test with what its owner was told.
type server struct {
	*Gossip
	wire *wire
	stop context.CancelFunc
	done chan error
	told []string // "up gs-1", in order; read when the bubble is idle
}

func start(t *testing.T, n *network, host int, c GossipConfig) *server {
	t.Helper()
	s := &server{wire: n.plug(host), done: make(chan error, 1)}
	c.Transport = s.wire
	if c.Self.Cluster == "" {
		c.Self.Cluster = "test"
	}
	g, err := NewGossip(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Gossip = g
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	go func() {
		s.done <- g.Run(ctx, func(c Change) {
			s.told = append(s.told, c.Kind.String()+" "+c.Node.ID)
		})
	}()
	return s
}

// bubble runs f in virtual time, and then as long as memberlist takes to end
// its last probes.
func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t)
		after(time.Minute)
	})
}

// after lets the servers live for d of virtual time.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *server) ids() string {
	var ids []string
	for _, n := range s.Nodes() {
		ids = append(ids, n.ID)
	}
	return strings.Join(ids, " ")
}

// heard returns and forgets what the owner was told, sorted.
func (s *server) heard() string {
	slices.Sort(s.told)
	h := strings.Join(s.told, ", ")
	s.told = nil
	return h
}

func (s *server) end(t *testing.T) {
	t.Helper()
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("%s: %v", s.Self().ID, err)
	}
}

func testNode(id string, role Role) Node {
	return Node{
		ID: id, Role: role, Region: "eu", S2S: "10.0.0.1:4520", Version: "1.2.3", Generation: 1_700_000_000_000,
		Addresses: map[string]string{announce.UDP4: "203.0.113.7:5055", announce.WSS: "wss://example.org:19090"},
	}
}

var testKey = bytes.Repeat([]byte{7}, 32)

func TestGossipFindsOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNetwork()
		seeds := []string{"10.0.0.1", "dns:10.0.0.2:7946"}
		a := start(t, n, 1, GossipConfig{Self: testNode("ms-1", Master), Seeds: seeds, Key: testKey})
		b := start(t, n, 2, GossipConfig{Self: testNode("gs-1", GameServer), Seeds: seeds, Key: testKey})
		c := start(t, n, 3, GossipConfig{Self: testNode("gs-2", GameServer), Seeds: seeds, Key: testKey})
		after(5 * time.Second)
		for _, s := range []*server{a, b, c} {
			if got := s.ids(); got != "gs-1 gs-2 ms-1" {
				t.Errorf("%s sees %s", s.Self().ID, got)
			}
		}
		want := testNode("gs-1", GameServer)
		want.Cluster = "test"
		if got := a.Nodes()[0]; !reflect.DeepEqual(got, want) {
			t.Errorf("gs-1 arrived as %+v", got)
		}
		if got := a.heard(); got != "up gs-1, up gs-2" {
			t.Errorf("ms-1 was told %q", got)
		}

		// A state is known everywhere within a second (cluster.md 11).
		if err := b.SetState(OutOfRotation); err != nil {
			t.Error(err)
		}
		after(time.Second)
		if got := c.Nodes()[0].State; got != OutOfRotation {
			t.Errorf("state of gs-1 is %v", got)
		}
		if got := a.heard(); got != "changed gs-1" {
			t.Errorf("ms-1 was told %q", got)
		}

		// A clean exit is known at once.
		b.end(t)
		after(time.Second)
		if got := a.heard(); got != "left gs-1" || a.ids() != "gs-2 ms-1" {
			t.Errorf("ms-1 was told %q and sees %s", got, a.ids())
		}

		// A lost server is known within seconds, and comes back.
		n.setCut(c.wire, true)
		after(15 * time.Second)
		if got := a.heard(); got != "down gs-2" {
			t.Errorf("ms-1 was told %q", got)
		}
		n.setCut(c.wire, false)
		after(35 * time.Second)
		if got := a.heard(); got != "up gs-2" || a.ids() != "gs-2 ms-1" || c.ids() != "gs-2 ms-1" {
			t.Errorf("ms-1 was told %q and sees %s, gs-2 sees %s", got, a.ids(), c.ids())
		}
		c.end(t)
		a.end(t)
	})
}

// The seed may start long after the others.
func TestGossipSeedComesLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNetwork()
		b := start(t, n, 2, GossipConfig{Self: testNode("gs-1", GameServer), Seeds: []string{"10.0.0.1"}, Key: testKey})
		after(10 * time.Minute)
		a := start(t, n, 1, GossipConfig{Self: testNode("ms-1", Master), Key: testKey})
		after(32 * time.Second)
		if got := a.ids(); got != "gs-1 ms-1" {
			t.Errorf("ms-1 sees %s", got)
		}
		b.end(t)
		a.end(t)
	})
}

// A server that dies and comes back under its id with a later generation.
func TestGossipRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNetwork()
		a := start(t, n, 1, GossipConfig{Self: testNode("ms-1", Master), Key: testKey})
		b := start(t, n, 2, GossipConfig{Self: testNode("gs-1", GameServer), Seeds: []string{"10.0.0.1"}, Key: testKey})
		after(5 * time.Second)
		a.heard()
		n.setCut(b.wire, true)
		b.end(t)
		n.setCut(b.wire, false)
		again := testNode("gs-1", GameServer)
		again.Generation++
		b = start(t, n, 2, GossipConfig{Self: again, Seeds: []string{"10.0.0.1"}, Key: testKey})
		after(5 * time.Second)
		if got := a.heard(); !strings.HasPrefix(got, "down gs-1") || !strings.HasSuffix(got, "up gs-1") {
			t.Errorf("ms-1 was told %q", got)
		}
		if got := a.Nodes()[0].Generation; got != again.Generation {
			t.Errorf("generation %d", got)
		}
		b.end(t)
		a.end(t)
	})
}

// cluster CL-60, and a cluster of another name.
func TestGossipKeepsStrangersOut(t *testing.T) {
	other := testNode("gs-9", GameServer)
	other.Cluster = "other"
	for name, stranger := range map[string]GossipConfig{
		"without key":   {Self: testNode("gs-9", GameServer)},
		"wrong key":     {Self: testNode("gs-9", GameServer), Key: bytes.Repeat([]byte{8}, 32)},
		"other cluster": {Self: other, Key: testKey},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := newNetwork()
				a := start(t, n, 1, GossipConfig{Self: testNode("ms-1", Master), Key: testKey})
				stranger.Seeds = []string{"10.0.0.1"}
				b := start(t, n, 2, stranger)
				after(2 * time.Minute)
				if a.ids() != "ms-1" || b.ids() != "gs-9" {
					t.Errorf("ms-1 sees %s, the stranger %s", a.ids(), b.ids())
				}
				b.end(t)
				a.end(t)
			})
		})
	}
}

// cluster CL-60: a server with the new key and one with both keys talk.
func TestGossipKeyRotation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNetwork()
		newKey := bytes.Repeat([]byte{9}, 32)
		a := start(t, n, 1, GossipConfig{Self: testNode("ms-1", Master), Key: testKey, PreviousKeys: [][]byte{newKey}})
		b := start(t, n, 2, GossipConfig{Self: testNode("gs-1", GameServer), Seeds: []string{"10.0.0.1"}, Key: newKey, PreviousKeys: [][]byte{testKey}})
		after(time.Minute)
		if a.ids() != "gs-1 ms-1" || b.ids() != "gs-1 ms-1" {
			t.Errorf("ms-1 sees %s, gs-1 sees %s", a.ids(), b.ids())
		}
		b.end(t)
		a.end(t)
	})
}

// Two live servers of one id: the later is told to stop, the earlier stays.
func TestGossipConflict(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNetwork()
		early, late := testNode("gs-1", GameServer), testNode("gs-1", GameServer)
		late.Generation++
		earlyConflicts, lateConflicts := 0, 0
		m := start(t, n, 1, GossipConfig{Self: testNode("ms-1", Master), Key: testKey})
		a := start(t, n, 2, GossipConfig{Self: early, Seeds: []string{"10.0.0.1"}, Key: testKey, OnConflict: func(Node) { earlyConflicts++ }})
		after(5 * time.Second)
		b := start(t, n, 3, GossipConfig{Self: late, Seeds: []string{"10.0.0.1"}, Key: testKey, OnConflict: func(Node) { lateConflicts++ }})
		after(5 * time.Second)
		if earlyConflicts != 0 || lateConflicts == 0 {
			t.Errorf("conflicts: early %d, late %d", earlyConflicts, lateConflicts)
		}
		if got := m.Nodes()[0].Generation; got != early.Generation {
			t.Errorf("ms-1 knows generation %d", got)
		}
		for _, s := range []*server{b, a, m} {
			s.end(t)
		}
	})
}

// cluster CL-59
func TestGossipWithoutKeyStaysHome(t *testing.T) {
	self := testNode("gs-1", GameServer)
	self.Cluster = "test"
	if g, err := NewGossip(GossipConfig{Self: self, BindAddr: "0.0.0.0", BindPort: 1}); err == nil {
		t.Error("listens everywhere without a key at ", g.Addr())
	}
	if isLoopback("0.0.0.0") || isLoopback("") || !isLoopback("127.0.0.2") || !isLoopback("::1") {
		t.Error("what is loopback?")
	}
}

func TestMetaFits(t *testing.T) {
	n := testNode("gs-1", GameServer)
	n.Admin, n.State, n.Cluster = "10.0.0.1:8089", Offline, "test"
	n.Addresses = map[string]string{}
	for _, k := range []string{announce.UDP4, announce.UDP6, announce.TCP4, announce.TCP6, announce.WS, announce.WSS} {
		n.Addresses[k] = "wss://gameserver-1.europe.example.org:19091"
	}
	b, err := n.appendMeta(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseMeta(n.ID, append(b, "later version"...)); err != nil || !got.Equal(&n) {
		t.Errorf("%+v, %v", got, err)
	}
	// Full applications take what is left, and at most MaxFull.
	for i := range uint64(100) {
		n.Full = append(n.Full, HashApp(fmt.Sprint("app", i)))
	}
	for _, version := range []string{"1", "", strings.Repeat("x", 100)} {
		n.Version = version
		b, err := n.appendMeta(nil)
		if err != nil || len(b) > MaxMetaSize {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		got, err := parseMeta(n.ID, b)
		if err != nil || len(got.Full) > MaxFull || !slices.Equal(got.Full, n.Full[:len(got.Full)]) || version != n.Version {
			t.Errorf("%d of the full applications, %v", len(got.Full), err)
		}
		if left := MaxMetaSize - len(b); len(got.Full) < MaxFull && left >= 8 {
			t.Errorf("%d of the full applications although %d bytes are left", len(got.Full), left)
		}
	}
	n.Version = strings.Repeat("x", MaxMetaSize)
	if _, err := n.appendMeta(nil); err == nil {
		t.Error("too large, but accepted")
	}
	n.Cluster = "test"
	if _, err := NewGossip(GossipConfig{Self: n}); err == nil {
		t.Error("too large, but gossips")
	}
}

func FuzzMeta(f *testing.F) {
	n := testNode("gs-1", GameServer)
	b, err := n.appendMeta(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := parseMeta("x", b)
		if err != nil {
			return
		}
		again, err := n.appendMeta(nil)
		if err != nil {
			return // larger than gossip allows
		}
		if m, err := parseMeta("x", again); err != nil || !m.Equal(&n) {
			t.Errorf("%+v became %+v, %v", n, m, err)
		}
	})
}

// A master that listens on all of its addresses is reached where gossip reaches it.
func TestReachable(t *testing.T) {
	at := net.IPv4(10, 0, 0, 7)
	for address, want := range map[string]string{
		"[::]:4520": "10.0.0.7:4520", "0.0.0.0:4520": "10.0.0.7:4520", ":4520": "10.0.0.7:4520",
		"10.1.1.1:4520": "10.1.1.1:4520", "master.example:4520": "master.example:4520", "": "",
	} {
		if got := reachable(address, at); got != want {
			t.Errorf("%q is reached at %q, want %q", address, got, want)
		}
	}
	if got := reachable("[::]:4520", net.ParseIP("fd00::7")); got != "[fd00::7]:4520" {
		t.Errorf("%q", got)
	}
}
