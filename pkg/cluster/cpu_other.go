//go:build !unix && !windows

package cluster

import "time"

// processCPU is not known on this system.
func processCPU() time.Duration { return 0 }
