//go:build !linux

package bench

import (
	"errors"
	"time"
)

// ProcessUse exists on Linux only.
func ProcessUse(int) (cpu time.Duration, memory int64, err error) {
	return 0, 0, errors.New("what a server uses can be told on Linux only")
}
