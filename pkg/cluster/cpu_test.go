package cluster

import (
	"testing"
	"testing/fstest"
	"time"
)

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func TestCgroupQuota(t *testing.T) {
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		used  time.Duration
		cores float64
		ok    bool
	}{
		{"version 2 in a container", fstest.MapFS{
			"proc/self/cgroup":       text("0::/\n"),
			"sys/fs/cgroup/cpu.max":  text("150000 100000\n"),
			"sys/fs/cgroup/cpu.stat": text("usage_usec 2500000\nuser_usec 1\n"),
		}, 2500 * time.Millisecond, 1.5, true},
		{"version 2, group of a service", fstest.MapFS{
			"proc/self/cgroup": text("0::/system.slice/gs.service\n"),
			"sys/fs/cgroup/system.slice/gs.service/cpu.max":  text("200000 100000"),
			"sys/fs/cgroup/system.slice/gs.service/cpu.stat": text("nr_periods 1\nusage_usec 7\n"),
		}, 7 * time.Microsecond, 2, true},
		{"version 2, path of the host", fstest.MapFS{
			"proc/self/cgroup":       text("0::/kubepods/pod1\n"),
			"sys/fs/cgroup/cpu.max":  text("50000 100000"),
			"sys/fs/cgroup/cpu.stat": text("usage_usec 9\n"),
		}, 9 * time.Microsecond, 0.5, true},
		{"version 2 without quota", fstest.MapFS{
			"proc/self/cgroup":       text("0::/\n"),
			"sys/fs/cgroup/cpu.max":  text("max 100000\n"),
			"sys/fs/cgroup/cpu.stat": text("usage_usec 9\n"),
		}, 0, 0, false},
		{"version 1", fstest.MapFS{
			"proc/self/cgroup":                            text("4:memory:/docker/1\n3:cpu,cpuacct:/docker/1\n"),
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":  text("400000\n"),
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": text("100000\n"),
			"sys/fs/cgroup/cpu,cpuacct/cpuacct.usage":     text("123\n"),
		}, 123, 4, true},
		{"version 1 without quota", fstest.MapFS{
			"proc/self/cgroup":                      text("3:cpu:/a\n2:cpuacct:/a\n"),
			"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us":  text("-1\n"),
			"sys/fs/cgroup/cpu/a/cpu.cfs_period_us": text("100000\n"),
			"sys/fs/cgroup/cpuacct/a/cpuacct.usage": text("123\n"),
		}, 0, 0, false},
		{"garbage", fstest.MapFS{
			"proc/self/cgroup":       text("0::/\nx\n::\n"),
			"sys/fs/cgroup/cpu.max":  text("a b"),
			"sys/fs/cgroup/cpu.stat": text("usage_usec x\n"),
		}, 0, 0, false},
		{"other system", fstest.MapFS{}, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newCgroup(c.files)
			if (g != nil) != c.ok {
				t.Fatalf("found %v, want %v", g != nil, c.ok)
			}
			if g == nil {
				return
			}
			if used, cores, ok := g.read(); used != c.used || cores != c.cores || !ok {
				t.Errorf("%v of %v, %v", used, cores, ok)
			}
		})
	}
}

func TestCPUPercent(t *testing.T) {
	files := fstest.MapFS{
		"proc/self/cgroup":       text("0::/\n"),
		"sys/fs/cgroup/cpu.max":  text("200000 100000\n"),
		"sys/fs/cgroup/cpu.stat": text("usage_usec 1000000\n"),
	}
	now := time.UnixMilli(0)
	m := &CPUMeter{cgroup: newCgroup(files), at: now}
	m.used, _ = m.read()
	for _, c := range []struct {
		usage string
		want  float64
	}{{"1500000", 25}, {"3500000", 100}, {"3500000", 0}, {"9500000", 100}, {"1", 0}} {
		files["sys/fs/cgroup/cpu.stat"] = text("usage_usec " + c.usage + "\n")
		now = now.Add(time.Second)
		if got := m.Percent(now); got != c.want {
			t.Errorf("%s: %v, want %v", c.usage, got, c.want)
		}
	}
	if got := m.Percent(now); got != 0 {
		t.Errorf("no time passed: %v", got)
	}
}

// The process's own time is real: it can't go back and does not exceed all cores.
func TestProcessCPU(t *testing.T) {
	a := processCPU()
	m := NewCPUMeter(time.Now())
	x := 0
	for i := range 1 << 22 {
		x ^= i
	}
	if b := processCPU(); b < a || x < 0 {
		t.Errorf("%v, then %v", a, b)
	}
	if p := m.Percent(time.Now()); p < 0 || p > 100 {
		t.Errorf("%v percent", p)
	}
}
