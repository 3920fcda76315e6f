package cluster

import (
	"runtime"
	"time"
)

// CPUMeter measures how much of the processor time that it may use this process
// uses: of the container's quota where there is one, of the processors that Go
// runs on otherwise (cluster.md 13). What others in the container use does not
// count: they would make a laptop's idle server look full. It is for one goroutine.
type CPUMeter struct {
	cgroup  *cgroup // nil: no quota found
	process func() time.Duration
	at      time.Time
	used    time.Duration
}

// NewCPUMeter returns a meter that measures from now on. On systems without
// means to measure it reads zero for ever.
func NewCPUMeter(now time.Time) *CPUMeter {
	return newCPUMeter(now, findCgroup(), processCPU)
}

func newCPUMeter(now time.Time, group *cgroup, process func() time.Duration) *CPUMeter {
	m := &CPUMeter{cgroup: group, process: process, at: now}
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
	cores = float64(runtime.GOMAXPROCS(0))
	if m.cgroup != nil {
		if quota, ok := m.cgroup.quota(); ok {
			cores = min(cores, quota)
		}
	}
	return m.process(), cores
}
