package cluster

import (
	"math"
	"time"
)

// Level is how busy a server is (cluster.md 2.3).
type Level byte

// Levels.
const (
	Lowest  Level = 0
	Low     Level = 1
	Medium  Level = 2 // Photon's "Normal"
	High    Level = 3
	Highest Level = 4
)

var levelNames = [...]string{"lowest", "low", "normal", "high", "highest"}

// String returns the level's word.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "unknown"
}

// Sample is what one second cost a server.
type Sample struct {
	CPU      float64       // percent of what the process may use
	BytesOut float64       // bytes sent in the second
	Peers    int           // connected clients
	Inbox    time.Duration // 99th percentile of the time that messages waited for their room
}

// LoadConfig scales the thresholds to the machine.
type LoadConfig struct {
	// NICMbit is the network's speed in Mbit/s. Default 100.
	NICMbit int
	// PeerLimit is the most clients the server takes. Zero: peers do not count
	// as load.
	PeerLimit int
}

// How inputs become levels (cluster.md 13).
const (
	loadWindow  = 10  // samples in the mean
	loadSettle  = 3   // samples below the lower threshold before the level falls
	loadRelease = 0.9 // how far below
)

// thresholds are the largest inputs of the levels Lowest to High; above the last
// it is Highest. Photon's tables also give a value for Highest, which changes
// nothing. NaN: the level is skipped.
type thresholds [4]float64

var (
	cpuThresholds       = thresholds{20, 35, 50, 70}                              // percent
	bandwidthThresholds = thresholds{1_048_576, math.NaN(), 4_194_304, 8_388_608} // bytes/s at 100 Mbit/s
	peerThresholds      = thresholds{40, 60, 75, 90}                              // percent of the limit
	inboxThresholds     = thresholds{1000, 2000, 5000, 20_000}                    // microseconds
)

// level is the first level whose threshold is at least x. NaN compares false
// and so is passed over.
func (t *thresholds) level(x float64) Level {
	for l, limit := range t {
		if x <= limit {
			return Level(l)
		}
	}
	return Highest
}

// LoadMeter turns samples into a level, with one controller per input. Levels
// rise at once and fall late, so that a server on the edge between two does not
// flap. It is for one goroutine.
type LoadMeter struct {
	peerLimit   int
	controllers [4]controller
	level       Level
}

type controller struct {
	thresholds thresholds
	window     [loadWindow]float64
	samples    int // seen in all
	level      Level
	calm       int   // samples in a row that would let the level fall
	calmLevel  Level // the highest level among those
}

// NewLoadMeter returns a meter at the lowest level.
func NewLoadMeter(c LoadConfig) *LoadMeter {
	if c.NICMbit <= 0 {
		c.NICMbit = 100
	}
	m := &LoadMeter{peerLimit: c.PeerLimit}
	bandwidth := bandwidthThresholds
	for i := range bandwidth {
		bandwidth[i] *= float64(c.NICMbit) / 100
	}
	for i, t := range [...]thresholds{cpuThresholds, bandwidth, peerThresholds, inboxThresholds} {
		m.controllers[i].thresholds = t
	}
	return m
}

// Add takes one sample, once per second, and returns the level: the highest of
// the controllers.
func (m *LoadMeter) Add(s Sample) Level {
	peers := 0.0
	if m.peerLimit > 0 {
		peers = 100 * float64(s.Peers) / float64(m.peerLimit)
	}
	m.level = Lowest
	for i, x := range [...]float64{s.CPU, s.BytesOut, peers, float64(s.Inbox) / float64(time.Microsecond)} {
		m.level = max(m.level, m.controllers[i].add(x))
	}
	return m.level
}

// Level returns what the last Add returned.
func (m *LoadMeter) Level() Level { return m.level }

func (c *controller) add(x float64) Level {
	c.window[c.samples%loadWindow] = x
	c.samples++
	n := min(c.samples, loadWindow)
	sum := 0.0
	for _, v := range c.window[:n] {
		sum += v
	}
	input := sum / float64(n)

	if up := c.thresholds.level(input); up > c.level {
		c.level, c.calm = up, 0
		return c.level
	}
	down := c.thresholds.level(input / loadRelease)
	if down >= c.level {
		c.calm = 0
		return c.level
	}
	if c.calm == 0 || down > c.calmLevel {
		c.calmLevel = down
	}
	if c.calm++; c.calm >= loadSettle {
		c.level, c.calm = c.calmLevel, 0
	}
	return c.level
}
