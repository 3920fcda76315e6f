package cluster

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// cgroup reads the processor quota of a Linux control group, of either version.
type cgroup struct {
	files fs.FS
	// Directories of cpu.max (version 2) and of the cpu controller (version 1).
	v2, cpu string
}

// findCgroup returns the process's control group if it has a quota, or nil.
// There is none on other systems than Linux, where the files do not exist.
func findCgroup() *cgroup { return newCgroup(os.DirFS("/")) }

func newCgroup(files fs.FS) *cgroup {
	text, err := fs.ReadFile(files, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	const root = "sys/fs/cgroup"
	c := &cgroup{files: files}
	// Lines are "id:controllers:path". Inside a container the path often is that
	// of the host and not visible, while the mount's root is the container's group.
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		if parts[0] == "0" && parts[1] == "" {
			c.v2 = c.first("cpu.max", path.Join(root, parts[2]), root)
		}
		for name := range strings.SplitSeq(parts[1], ",") {
			if name == "cpu" {
				c.cpu = c.first("cpu.cfs_quota_us", path.Join(root, "cpu", parts[2]), root+"/cpu", path.Join(root, parts[1], parts[2]), path.Join(root, parts[1]))
			}
		}
	}
	if _, ok := c.quota(); !ok {
		return nil
	}
	return c
}

// first returns the first of dirs that has the file, or "".
func (c *cgroup) first(file string, dirs ...string) string {
	for _, d := range dirs {
		if _, err := fs.Stat(c.files, path.Join(d, file)); err == nil {
			return d
		}
	}
	return ""
}

// quota returns the group's quota in processors. ok is false if there is none.
func (c *cgroup) quota() (cores float64, ok bool) {
	if c.v2 != "" {
		// cpu.max is "quota period" in microseconds, the quota may be "max".
		limit := strings.Fields(c.text(c.v2, "cpu.max"))
		if len(limit) != 2 {
			return 0, false
		}
		return quotient(limit[0], limit[1])
	}
	if c.cpu != "" {
		// The quota is -1 when there is none.
		return quotient(c.text(c.cpu, "cpu.cfs_quota_us"), c.text(c.cpu, "cpu.cfs_period_us"))
	}
	return 0, false
}

func (c *cgroup) text(dir, file string) string {
	b, err := fs.ReadFile(c.files, path.Join(dir, file))
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}

func quotient(quota, period string) (float64, bool) {
	q, err := strconv.ParseFloat(quota, 64)
	if err != nil || q <= 0 {
		return 0, false
	}
	p, err := strconv.ParseFloat(period, 64)
	if err != nil || p <= 0 {
		return 0, false
	}
	return q / p, true
}
