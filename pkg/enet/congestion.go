package enet

import "time"

// congestion bounds what is in flight to what the link carries, between a few
// datagrams and Config.WindowBytes. Without it a burst to a client on a slow link,
// and the copies of it that are sent because its acks take long, would fill the
// link for longer than either side waits.
type congestion struct {
	window    int32 // bytes that may be in flight
	threshold int32 // up to here the window grows by what is acknowledged, then slower
	room      int32 // bytes that may still be sent again in this round trip
	roomAt    time.Duration
	lostAt    time.Duration // the window was made smaller
}

// minWindow is the smallest window, in datagrams: links that lose by chance, not
// because they are full, must go on at some speed.
const minWindow = 8

func (g *congestion) start(cfg *Config) {
	g.window, g.threshold = int32(cfg.WindowBytes), int32(cfg.WindowBytes)
	if cfg.FirstWindowBytes > 0 {
		g.window = int32(min(cfg.FirstWindowBytes, cfg.WindowBytes))
	}
}

// acked takes note of n bytes that arrived.
func (g *congestion) acked(c *Conn, n int) {
	if int(g.window) >= c.cfg.WindowBytes {
		return
	}
	grow := n
	if g.window >= g.threshold { // a datagram per window
		grow = max(n*int(c.mtu)/int(g.window), 1)
	}
	g.window = int32(min(int(g.window)+grow, c.cfg.WindowBytes))
}

// lost takes note of n bytes that were not acknowledged in time, and says when
// they may be sent again: what is sent again in a round trip is not more than the
// window either.
func (g *congestion) lost(c *Conn, now time.Duration, n int) time.Duration {
	if c.cfg.FirstWindowBytes == 0 {
		return now
	}
	trip := time.Duration(c.rtt) * time.Millisecond
	if now-g.lostAt > trip {
		g.lostAt = now
		g.window = max(g.window*7/10, minWindow*int32(c.mtu))
		g.threshold = g.window
	}
	if now-g.roomAt >= trip {
		g.roomAt, g.room = now, g.window
	}
	if g.room <= 0 {
		return g.roomAt + trip
	}
	g.room -= int32(n)
	return now
}
