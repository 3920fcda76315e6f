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
		cores float64
		ok    bool
	}{
		{"version 2 in a container", fstest.MapFS{
			"proc/self/cgroup":       text("0::/\n"),
			"sys/fs/cgroup/cpu.max":  text("150000 100000\n"),
			"sys/fs/cgroup/cpu.stat": text("usage_usec 2500000\nuser_usec 1\n"),
		}, 1.5, true},
		{"version 2, group of a service", fstest.MapFS{
			"proc/self/cgroup": text("0::/system.slice/gs.service\n"),
			"sys/fs/cgroup/system.slice/gs.service/cpu.max":  text("200000 100000"),
			"sys/fs/cgroup/system.slice/gs.service/cpu.stat": text("nr_periods 1\nusage_usec 7\n"),
		}, 2, true},
		{"version 2, path of the host", fstest.MapFS{
			"proc/self/cgroup":       text("0::/kubepods/pod1\n"),
			"sys/fs/cgroup/cpu.max":  text("50000 100000"),
			"sys/fs/cgroup/cpu.stat": text("usage_usec 9\n"),
		}, 0.5, true},
		{"version 2 without quota", fstest.MapFS{
			"proc/self/cgroup":       text("0::/\n"),
			"sys/fs/cgroup/cpu.max":  text("max 100000\n"),
			"sys/fs/cgroup/cpu.stat": text("usage_usec 9\n"),
		}, 0, false},
		{"version 1", fstest.MapFS{
			"proc/self/cgroup":                            text("4:memory:/docker/1\n3:cpu,cpuacct:/docker/1\n"),
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":  text("400000\n"),
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": text("100000\n"),
			"sys/fs/cgroup/cpu,cpuacct/cpuacct.usage":     text("123\n"),
		}, 4, true},
		{"version 1 without quota", fstest.MapFS{
			"proc/self/cgroup":                      text("3:cpu:/a\n2:cpuacct:/a\n"),
			"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us":  text("-1\n"),
			"sys/fs/cgroup/cpu/a/cpu.cfs_period_us": text("100000\n"),
			"sys/fs/cgroup/cpuacct/a/cpuacct.usage": text("123\n"),
		}, 0, false},
		{"garbage", fstest.MapFS{
			"proc/self/cgroup":       text("0::/\nx\n::\n"),
			"sys/fs/cgroup/cpu.max":  text("a b"),
			"sys/fs/cgroup/cpu.stat": text("usage_usec x\n"),
		}, 0, false},
		{"other system", fstest.MapFS{}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newCgroup(c.files)
			if (g != nil) != c.ok {
				t.Fatalf("found %v, want %v", g != nil, c.ok)
			}
			if g == nil {
				return
			}
			if cores, ok := g.quota(); cores != c.cores || !ok {
				t.Errorf("quota %v, %v", cores, ok)
			}
		})
	}
}

func TestCPUPercent(t *testing.T) {
	files := fstest.MapFS{
		"proc/self/cgroup":      text("0::/\n"),
		"sys/fs/cgroup/cpu.max": text("50000 100000\n"),
	}
	used := time.Second
	now := time.UnixMilli(0)
	m := newCPUMeter(now, newCgroup(files), func() time.Duration { return used })
	for _, c := range []struct {
		used time.Duration
		want float64
	}{{1125 * time.Millisecond, 25}, {2 * time.Second, 100}, {2 * time.Second, 0}, {time.Second, 0}} {
		used = c.used
		now = now.Add(time.Second)
		if got := m.Percent(now); got != c.want {
			t.Errorf("%s: %v, want %v", c.used, got, c.want)
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
