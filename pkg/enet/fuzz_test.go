package enet

import (
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// FuzzInput holds that no datagram makes a connection panic, keep more than its
// bounds, or write a datagram that is too long. The input is a series of
// datagrams, each behind a length byte pair; challenge and peer id are put right
// so that the fuzzer gets behind them.
//
// wire W-23
func FuzzInput(f *testing.F) {
	for _, path := range vectorFiles(f) {
		var series []byte
		for _, p := range readVector(f, path).Packets {
			series = append(series, byte(len(p.b)>>8), byte(len(p.b)))
			series = append(series, p.b...)
		}
		f.Add(series, true)
		f.Add(series, false)
	}
	f.Fuzz(func(t *testing.T, series []byte, server bool) {
		now := 10 * time.Second
		cfg := ServerConfig()
		cfg.MaxMessageSize, cfg.MaxBufferedBytes, cfg.MaxBuffered = 5000, 10000, 20
		var c *Conn
		if server {
			c = NewServerConn(cfg, Connect{Challenge: testChallenge, MTU: 576, Channels: 3}, 7, now)
		} else {
			c = NewClientConn(cfg, Connect{MTU: 576, Channels: 3}, testChallenge, now)
		}
		receiver := receiverFunc(func() {
			if c.QueuedBytes() < 2000 {
				_ = c.Send([]byte("answer"), photon.Delivery{Channel: 1, Mode: photon.Reliable})
			}
		})
		var buf [MaxMTU]byte
		for len(series) > 2 {
			n := min(int(series[0])<<8|int(series[1]), len(series)-2)
			d := append([]byte(nil), series[2:2+n]...)
			series = series[2+n:]
			if len(d) >= headerSize && d[3] != 0 {
				putHeader(d, Header{PeerID: uint16(d[0])<<8 | uint16(d[1]), CRC: d[2] == flagsCRC && len(d) >= 16, Commands: d[3], Time: millis(now), Challenge: testChallenge})
				if d[0] == 0 {
					d[0], d[1] = 0, 7
				}
				if d[2] == flagsCRC {
					putChecksum(d)
				}
			}
			ParseConnect(d)
			_ = c.Input(now, d, receiver)
			if c.buffered < 0 || c.buffered > 20 || c.bufferedBytes < 0 || c.bufferedBytes > 10000+5000 || c.inFlight < 0 || c.inFlightBytes < 0 || c.queuedBytes < 0 {
				t.Fatalf("kept %d commands, %d bytes; %d in flight", c.buffered, c.bufferedBytes, c.inFlight)
			}
			for range 1000 {
				n, more := c.Output(now, buf[:])
				if n > 576 || buf[3] > maxCommands {
					t.Fatalf("%d bytes", n)
				}
				if !more {
					break
				}
			}
			if d := c.Deadline(); d <= now {
				t.Fatalf("deadline %v at %v although nothing is due, state %v", d, now, c.State())
			}
			now += 7 * time.Millisecond
		}
	})
}
