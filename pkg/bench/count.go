package bench

import (
	"bytes"
	"encoding/binary"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// mark starts the content of every event of a run; what follows is the sender's
// index in the room (4), the event's number (4) and when it was due in ns since
// the start (8).
var mark = []byte("BosonEvt")

const (
	senderAt = 8
	numberAt = 12
	dueAt    = 16
)

// pair is what one receiver knows of one sender's events.
type pair struct {
	next uint32 // above the highest number that came
	seen uint64 // bit i: next-1-i came
}

type verdict uint8

const (
	fresh     verdict = iota
	late              // fresh, but a later one came before
	duplicate         // came before, or too long ago to tell
)

func (p *pair) take(n uint32) verdict {
	if ahead := n - p.next; int32(ahead) >= 0 {
		if ahead >= 63 {
			p.seen = 0
		}
		p.seen = p.seen<<(ahead+1) | 1
		p.next = n + 1
		return fresh
	}
	back := p.next - 1 - n
	if back >= 64 || p.seen&(1<<back) != 0 {
		return duplicate
	}
	p.seen |= 1 << back
	return late
}

// newHistogram of nanoseconds, up to a minute, with two digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1000, int64(time.Minute), 2)
}

// counts are what the players of one loop have seen.
type counts struct {
	mu         sync.Mutex
	from, to   time.Duration // of due times that are measured
	sent       int64
	expected   int64 // deliveries of what was sent
	arrived    int64 // deliveries, duplicates not counted
	measured   int64 // of arrived, those that came between from and to
	duplicates int64
	disorder   int64
	foreign    int64 // not from this run
	refused    int64 // events that the client could not send
	latency    *hdrhistogram.Histogram
	interval   *hdrhistogram.Histogram
	intervalN  int64
	sentMark   int64 // sent at the last interval
}

func newCounts(from, to time.Duration) *counts {
	return &counts{from: from, to: to, latency: newHistogram(), interval: newHistogram()}
}

// receive takes an event in at now. mu is held.
func (c *counts) receive(pairs []pair, msg []byte, now time.Duration) {
	at := bytes.Index(msg, mark)
	if at < 0 || len(msg)-at < MinBytes {
		c.foreign++
		return
	}
	b := msg[at:]
	sender := binary.BigEndian.Uint32(b[senderAt:])
	if sender >= uint32(len(pairs)) {
		c.foreign++
		return
	}
	switch pairs[sender].take(binary.BigEndian.Uint32(b[numberAt:])) {
	case duplicate:
		c.duplicates++
		return
	case late:
		c.disorder++
	}
	c.arrived++
	c.intervalN++
	due := time.Duration(binary.BigEndian.Uint64(b[dueAt:]))
	if now >= c.from && now < c.to {
		c.measured++
	}
	latency := int64(max(now-due, 0))
	if due >= c.from && due < c.to {
		_ = c.latency.RecordValue(latency)
	}
	_ = c.interval.RecordValue(latency)
}

// template is an encoded request whose content is made anew for each event.
type template struct {
	msg []byte
	at  int // of the mark
}

// fill writes an event into dst, which has the template's size.
func (t *template) fill(dst []byte, sender, number uint32, due time.Duration) {
	copy(dst, t.msg)
	b := dst[t.at:]
	binary.BigEndian.PutUint32(b[senderAt:], sender)
	binary.BigEndian.PutUint32(b[numberAt:], number)
	binary.BigEndian.PutUint64(b[dueAt:], uint64(due))
}
