//go:build !linux

package bench

import (
	"errors"
	"time"
)

// The loop exists on Linux only; elsewhere players run on client.Peer.
func loopTakes(*Options) bool { return false }

func newLoop(*Options, *counts, func() time.Duration) (driver, error) {
	return nil, errors.ErrUnsupported
}
