package cluster

import (
	"runtime"
	"time"
)

// CPUMeter measures how much of the processor time that it may use the server
// uses: of the container's quota where there is one, of the processors that Go
// runs on otherwise (cluster.md 13). It is for one goroutine.
type CPUMeter struct {
	cgroup *cgroup // nil: no quota found
	at     time.Time
	used   time.Duration
}

// NewCPUMeter returns a meter that measures from now on. On systems without
// means to measure it reads zero for ever.
func NewCPUMeter(now time.Time) *CPUMeter {
	m := &CPUMeter{cgroup: findCgroup(), at: now}
	m.used, _ = m.read()
	return m
}

// Percent returns the use since the last call, 0 to 100.
func (m *CPUMeter) Percent(now time.Time) float64 {
	used, cores := m.read()
	elapsed, spent := now.Sub(m.at), used-m.used
	m.at, m.used = now, used
	if elapsed <= 0 || spent <= 0 || cores <= 0 {
		return 0
	}
	return min(100, 100*spent.Seconds()/(elapsed.Seconds()*cores))
}

// read returns the processor time used so far and how many seconds of it a
// second can give.
func (m *CPUMeter) read() (used time.Duration, cores float64) {
	if m.cgroup != nil {
		if used, cores, ok := m.cgroup.read(); ok {
			return used, cores
		}
	}
	return processCPU(), float64(runtime.GOMAXPROCS(0))
}
