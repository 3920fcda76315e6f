//go:build !wasip1

package guest

import "github.com/boson-project/boson/pkg/plugin/wasm/abi"

// Outside of WebAssembly there is no server to call: the package compiles, for
// tools and documentation, and serves nothing.

func handOver([]byte) {}

func hostCall(abi.Op, int64, int64, *abi.Table) ([]byte, error) {
	return nil, hostError(abi.NotAllowed, nil)
}

func hostCallBytes(abi.Op, int64, int64, []byte) ([]byte, error) {
	return nil, hostError(abi.NotAllowed, nil)
}

func hostLog(int64, int32, string, []byte) {}

// Nothing calls it here.
var _ = serve
