//go:build !wasip1

package guest

import "github.com/boson-project/boson/pkg/plugin/wasm/abi"

// Outside of WebAssembly there is no server to call: the package compiles, for
// tools, documentation and its own tests, which say what a server would answer.
var nativeHost = func(op abi.Op, room, call int64, args []byte) ([]byte, error) {
	return nil, hostError(abi.NotAllowed, nil)
}

func handOver([]byte) {}

func hostCallBytes(op abi.Op, room, call int64, args []byte) ([]byte, error) {
	return nativeHost(op, room, call, args)
}

func hostLog(int64, int32, string, []byte) {}

// Only a server calls it.
var _ = serve
