package client

import (
	"sync/atomic"
	"time"
)

// clock estimates the round-trip time and the server's time from the answers to
// pings. The goroutine that receives owns it; everybody may read it.
type clock struct {
	rtt, variance atomic.Int64 // ns; zero before the first answer
	best          time.Duration
	// offset is what to add to the peer's own milliseconds, plus 1<<32 when known.
	offset atomic.Uint64
}

const offsetKnown = 1 << 32

// answer takes one ping's round-trip time and the server's clock in its answer.
func (c *clock) answer(now, measured time.Duration, server uint32) {
	c.measured(measured)
	// The faster the answer, the better the estimate of the server's clock.
	if c.offset.Load() != 0 && measured >= c.best {
		return
	}
	c.best = measured
	c.setServerTime(server+millis(measured/2), now)
}

// measured applies the rule of the official clients (wire.md 3.9).
func (c *clock) measured(m time.Duration) {
	rtt, variance := time.Duration(c.rtt.Load()), time.Duration(c.variance.Load())
	if rtt == 0 {
		rtt = max(m, time.Microsecond)
	} else {
		variance -= variance / 4
		if m >= rtt {
			rtt += (m - rtt) / 8
			variance += (m - rtt) / 4
		} else {
			rtt -= (rtt - m) / 8
			variance += (rtt - m) / 4
		}
	}
	c.rtt.Store(int64(rtt))
	c.variance.Store(int64(variance))
}

func (c *clock) setServerTime(server uint32, now time.Duration) {
	c.offset.Store(offsetKnown | uint64(server-millis(now)))
}

// serverTime is the server's clock at the moment now.
func (c *clock) serverTime(now time.Duration) (uint32, bool) {
	o := c.offset.Load()
	return uint32(o) + millis(now), o != 0
}

// millis is a moment as the wire has it: 32 bits that wrap.
func millis(t time.Duration) uint32 { return uint32(t / time.Millisecond) }
