package transport

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// BenchmarkUDPPlainEcho is what the system allows: datagrams of the size that one
// message of BenchmarkUDPEcho has, to a socket that only sends them back, as many
// under way. Compare its datagrams/s with those of BenchmarkUDPEcho in one run.
func BenchmarkUDPPlainEcho(b *testing.B) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2000)
		for {
			n, from, err := server.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = server.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	client, err := net.DialUDP("udp4", nil, server.LocalAddr().(*net.UDPAddr))
	if err != nil {
		b.Fatal(err)
	}
	const window = 64
	msg, buf := make([]byte, 24+len(echoed)), make([]byte, 2000)
	b.ReportAllocs()
	b.ResetTimer()
	sent, got := 0, 0
	for got < b.N {
		for sent < b.N && sent-got < window {
			if _, err := client.Write(msg); err != nil {
				b.Fatal(err)
			}
			sent++
		}
		if _, err := client.Read(buf); err != nil {
			b.Fatal(err)
		}
		got++
	}
	b.StopTimer()
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "datagrams/s")
	_ = client.Close()
	_ = server.Close()
	<-done
}

// BenchmarkUDPPeers is the bookkeeping of acks and resends on a shard with 10000
// peers, without the system: an iteration is a message to one of them and its
// ack. Of every tenth the ack is lost, and the message sent again.
func BenchmarkUDPPeers(b *testing.B) {
	const count = 10_000
	_, s := stillShard(b)
	s.l.limits.MaxPeersPerAddress = -1
	s.cfg.TransmitRate = 0
	out := &outBatch{}
	peers := make([]*udpPeer, 0, count)
	for i := range uint32(count) {
		from := endpointFrom(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1000))
		c := enet.NewClientConn(enet.ClientConfig(), enet.Connect{}, i, s.now)
		_ = c.Send(udpInit(), photon.Delivery{Mode: photon.Reliable})
		exchange(s, from, c, out)
		peers = append(peers, s.peers[from])
	}
	base := s.cfg.Stats.Resent
	ack := make([]byte, 32)
	ack[3], ack[12], ack[19] = 1, 1, 20
	acknowledge := func(p *udpPeer, sequence uint32) {
		binary.BigEndian.PutUint16(ack, p.conn.PeerID())
		binary.BigEndian.PutUint32(ack[8:], p.conn.Challenge())
		binary.BigEndian.PutUint32(ack[24:], sequence)
		binary.BigEndian.PutUint32(ack[28:], uint32(s.now/time.Millisecond))
		s.input(p.addr, ack)
	}
	b.ReportAllocs()
	i, sequence := 0, uint32(2) // the init response was 1
	for b.Loop() {
		p := peers[i]
		if err := p.conn.Send(echoed, photon.Delivery{Mode: photon.Reliable}); err != nil {
			b.Fatal(err)
		}
		out.n = 0
		s.output(p, out)
		if i%10 != 0 {
			acknowledge(p, sequence)
		}
		if i++; i == count {
			// A round takes 200 ms; what was lost is due within.
			for range 20 {
				s.now += 10 * time.Millisecond
				s.wheel.advance(s.tick(), s.markReady)
				for _, p := range s.ready {
					out.n = 0
					s.output(p, out)
				}
				s.ready = s.ready[:0]
			}
			for j := 0; j < count; j += 10 {
				acknowledge(peers[j], sequence)
			}
			i = 0
			sequence++
		}
	}
	b.ReportMetric(float64(s.cfg.Stats.Resent-base)/float64(b.N), "resent/op")
	for _, p := range peers {
		s.remove(p)
	}
}
