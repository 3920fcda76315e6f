package enet

import (
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// TestManyLargeMessages holds that a client which sends messages of the largest
// size on all its channels at once, or one behind the other with losses, is
// served: what the server keeps of some of them never keeps it from finishing
// one. The client follows the rules of the official ones.
//
// wire W-11, W-14
func TestManyLargeMessages(t *testing.T) {
	for _, tc := range []struct {
		name     string
		mode     photon.DeliveryMode
		channels int
		each     int // messages per channel
		mtu      int
		loss     float64
	}{
		{"ordered", photon.Reliable, 7, 1, 1200, 0},
		{"ordered with losses", photon.Reliable, 5, 1, 1200, 0.05},
		{"unsequenced", photon.ReliableUnsequenced, 4, 1, 1200, 0},
		{"unsequenced with losses", photon.ReliableUnsequenced, 2, 3, 1200, 0.05},
		{"unsequenced in small parts", photon.ReliableUnsequenced, 1, 4, 576, 0.05},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for seed := range uint64(3) {
				scfg := ServerConfig()
				scfg.MaxQueuedBytes = 4 * scfg.MaxMessageSize
				l := newLinkConfig(t, seed, Connect{Channels: tc.channels, MTU: tc.mtu}, ClientConfig(), scfg)
				l.delay, l.jitter = 20*ms, 5*ms
				l.connect()
				l.ends[1].conn.AllowUnsequenced()
				l.loss = tc.loss
				sent := [2]map[stream][][]byte{{}, {}}
				n := tc.channels * tc.each
				for i := range n {
					s := stream{byte(i % tc.channels), tc.mode}
					for from := range 2 {
						msg := testMessage(uint32(i/tc.channels), scfg.MaxMessageSize)
						if from == 0 || i < 3 { // the server's queue holds no more
							sent[from][s] = append(sent[from][s], msg)
							l.send(from, msg, photon.Delivery{Channel: s.channel, Mode: s.mode})
						}
					}
				}
				start := l.now
				for len(l.ends[1].got) < n || len(l.ends[0].got) < min(n, 3) {
					l.run(100 * ms)
					for i, e := range l.ends {
						if e.conn.State() != Connected || l.now-start > time.Minute {
							t.Fatalf("seed %d: after %v end %d is %v for cause %v; %d of %d came, %d bytes kept", seed, l.now-start, i,
								e.conn.State(), e.conn.Cause(), len(l.ends[1].got), n, l.ends[1].conn.bufferedBytes)
						}
					}
				}
				checkDelivered(t, "client to server", sent[0], l.ends[1].got)
				checkDelivered(t, "server to client", sent[1], l.ends[0].got)
			}
		})
	}
}

// TestBufferedFor holds that a server with a small largest size still keeps what an
// official client has in flight on eight channels when something is lost.
func TestBufferedFor(t *testing.T) {
	now := 10 * time.Second
	cfg := ServerConfig()
	cfg.MaxMessageSize = 1000
	cfg.MaxBufferedBytes = BufferedFor(cfg.MaxMessageSize)
	c := serverWith(t, cfg, Connect{Channels: 8}, now)
	for i := range uint32(8 * 49) {
		cmd := commandHeader{kind: typeReliable, channel: byte(i % 8), flags: 1, sequence: 2 + i/8}
		input(t, c, now, nil, testCommand{commandHeader: cmd, body: make([]byte, 1000)})
	}
	if len(c.acks) != 8*49 {
		t.Errorf("%d of %d were kept", len(c.acks), 8*49)
	}
}
