package enet

import (
	"runtime"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// BenchmarkRelay is the way of one event to many receivers: the same message
// sent to each connection, put into a datagram, and acknowledged.
func BenchmarkRelay(b *testing.B) {
	for _, mode := range []struct {
		name string
		mode photon.DeliveryMode
	}{{"reliable", photon.Reliable}, {"unreliable", photon.Unreliable}} {
		b.Run(mode.name, func(b *testing.B) {
			now := 10 * time.Second
			cfg := ServerConfig()
			cfg.TransmitRate = 0
			c := serverWith(b, cfg, Connect{}, now)
			msg := make([]byte, 60)
			var buf [MaxMTU]byte
			// The client's ack, built once and given the right number each time.
			a := ackFor(Header{Time: millis(now)}, commandHeader{kind: typeReliable, flags: 1})
			reply := datagram(c, now, a)
			seq := reply[headerSize+commandSize:]
			ping := datagram(c, now, testCommand{commandHeader: commandHeader{kind: typePing, channel: 0xFF, flags: 1, sequence: 5}})
			out := &collector{}
			b.ReportAllocs()
			var n uint32
			for b.Loop() {
				if err := c.Send(msg, photon.Delivery{Mode: mode.mode}); err != nil {
					b.Fatal(err)
				}
				if got, _ := c.Output(now, buf[:]); got == 0 {
					b.Fatal("nothing sent")
				}
				n++
				seq[0], seq[1], seq[2], seq[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
				if err := c.Input(now, reply, out); err != nil {
					b.Fatal(err)
				}
				if err := c.Input(now, ping, out); err != nil {
					b.Fatal(err)
				}
			}
			if c.inFlight != 0 {
				b.Fatalf("%d in flight", c.inFlight)
			}
		})
	}
}

// TestRelayAllocs holds that the relay path allocates nothing.
func TestRelayAllocs(t *testing.T) {
	now := 10 * time.Second
	cfg := ServerConfig()
	cfg.TransmitRate = 0
	c := serverWith(t, cfg, Connect{}, now)
	msg := make([]byte, 60)
	out := &collector{}
	a := ackFor(Header{Time: millis(now)}, commandHeader{kind: typeReliable, flags: 1})
	reply := datagram(c, now, a)
	seq := reply[headerSize+commandSize:]
	var buf [MaxMTU]byte
	var n uint32
	if got := testing.AllocsPerRun(500, func() {
		_ = c.Send(msg, photon.Delivery{Mode: photon.Reliable})
		c.Output(now, buf[:])
		n++
		seq[2], seq[3] = byte(n>>8), byte(n)
		_ = c.Input(now, reply, out)
	}); got != 0 {
		t.Errorf("%v allocations per message", got)
	}
}

// TestIdleMemory holds that an idle connection with a used channel stays small.
func TestIdleMemory(t *testing.T) {
	const count = 2000
	now := 10 * time.Second
	cfg := ServerConfig()
	conns := make([]*Conn, count)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range conns {
		c := serverWith(t, cfg, Connect{}, now)
		for range 3 {
			_ = c.Send([]byte("x"), photon.Delivery{Mode: photon.Reliable})
			for _, b := range drain(t, c, now) {
				answer(t, c, now, b)
			}
		}
		conns[i] = c
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := float64(after.HeapAlloc-before.HeapAlloc) / count
	t.Logf("%.0f bytes per idle connection", per)
	if per > 1536 {
		t.Errorf("%.0f bytes per idle connection", per)
	}
	runtime.KeepAlive(conns)
}
