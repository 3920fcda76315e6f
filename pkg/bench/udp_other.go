//go:build !linux

package bench

import (
	"errors"
	"time"
)

// newUDPLoop exists on Linux only; elsewhere UDP players run on client.Peer.
func newUDPLoop(*Options, *counts, func() time.Duration) (driver, error) {
	return nil, errors.ErrUnsupported
}
