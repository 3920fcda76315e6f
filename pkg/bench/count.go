package bench

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// mark starts the content of every event of a run; what follows is the sender's
// index in the room (4), the event's number (4) and when it was due in ns since
// the start (8). In JSON, where content is text, they are hexadecimal.
var mark = []byte("BosonEvt")

// stamp is what follows the mark.
type stamp struct {
	sender, number uint32
	due            time.Duration
}

// stampBytes is a stamp's size; in JSON it is twice that.
const stampBytes = 16

// put writes the stamp after the mark at b.
func (s stamp) put(b []byte, text bool) {
	var raw [stampBytes]byte
	binary.BigEndian.PutUint32(raw[0:], s.sender)
	binary.BigEndian.PutUint32(raw[4:], s.number)
	binary.BigEndian.PutUint64(raw[8:], uint64(s.due))
	if text {
		hex.Encode(b[len(mark):], raw[:])
	} else {
		copy(b[len(mark):], raw[:])
	}
}

// find reads the stamp of a message.
func find(msg []byte, text bool) (s stamp, ok bool) {
	at := bytes.Index(msg, mark)
	if at < 0 {
		return s, false
	}
	b := msg[at+len(mark):]
	var raw [stampBytes]byte
	switch {
	case text && len(b) >= 2*stampBytes:
		if _, err := hex.Decode(raw[:], b[:2*stampBytes]); err != nil {
			return s, false
		}
	case !text && len(b) >= stampBytes:
		copy(raw[:], b)
	default:
		return s, false
	}
	return stamp{
		binary.BigEndian.Uint32(raw[0:]), binary.BigEndian.Uint32(raw[4:]), time.Duration(binary.BigEndian.Uint64(raw[8:])),
	}, true
}

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
	text bool // stamps are text

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
	s, ok := find(msg, c.text)
	if !ok || s.sender >= uint32(len(pairs)) {
		c.foreign++
		return
	}
	switch pairs[s.sender].take(s.number) {
	case duplicate:
		c.duplicates++
		return
	case late:
		c.disorder++
	}
	c.answer(s.due, now)
}

// answer counts an event that came, or an answer to a question. mu is held.
func (c *counts) answer(due, now time.Duration) {
	c.arrived++
	c.intervalN++
	if now >= c.from && now < c.to {
		c.measured++
	}
	c.record(due, now)
}

// record counts the latency of what was due and came at now. mu is held.
func (c *counts) record(due, now time.Duration) {
	// What is above the histogram's range is its highest value.
	latency := min(int64(max(now-due, 0)), c.latency.HighestTrackableValue())
	if due >= c.from && due < c.to {
		_ = c.latency.RecordValue(latency)
	}
	_ = c.interval.RecordValue(latency)
}

// template is an encoded request whose content is made anew for each event.
type template struct {
	msg  []byte
	at   int // of the mark
	text bool
}

// fill writes an event into dst, which has the template's size.
func (t *template) fill(dst []byte, sender, number uint32, due time.Duration) {
	copy(dst, t.msg)
	stamp{sender, number, due}.put(dst[t.at:], t.text)
}
