package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of times in /proc, which is the same on all systems.
const clockTick = 10 * time.Millisecond

// ProcessUse is what a process of this machine has used: CPU time so far, and
// the memory that it has now in bytes.
func ProcessUse(pid int) (cpu time.Duration, memory int64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The name is in parentheses and may hold anything; what follows is numbers,
	// of which the first is field 3 of proc(5).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	number := func(field int) int64 {
		if field-3 >= len(fields) {
			err = fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields)+2)
			return 0
		}
		n, bad := strconv.ParseInt(string(fields[field-3]), 10, 64)
		if bad != nil {
			err = bad
		}
		return n
	}
	cpu = time.Duration(number(14)+number(15)) * clockTick
	return cpu, number(24) * int64(os.Getpagesize()), err
}
