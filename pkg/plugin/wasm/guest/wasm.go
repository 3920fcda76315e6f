//go:build wasip1

package guest

import (
	"unsafe"

	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// The functions that the server has.

//go:wasmimport boson_v1 host_call
func importHostCall(op int32, room, call int64, ptr unsafe.Pointer, size uint32, out unsafe.Pointer, room4 uint32) int64

//go:wasmimport boson_v1 result
func importResult(out unsafe.Pointer, size uint32) uint32

//go:wasmimport boson_v1 log
func importLog(room int64, level int32, text unsafe.Pointer, size uint32, attrs unsafe.Pointer, attrsSize uint32)

// buffers keeps what was allocated for the server.
var buffers = map[unsafe.Pointer][]byte{}

//go:wasmexport boson_abi
func exportABI() int32 { return abi.Version }

//go:wasmexport boson_alloc
func exportAlloc(n uint32) unsafe.Pointer {
	b := make([]byte, n)
	p := unsafe.Pointer(unsafe.SliceData(b))
	buffers[p] = b
	return p
}

//go:wasmexport boson_free
func exportFree(p unsafe.Pointer) { delete(buffers, p) }

//go:wasmexport boson_hook
func exportHook(hook int32, room, call int64, p unsafe.Pointer, n uint32) int32 {
	return int32(serve(abi.Hook(hook), room, call, unsafe.Slice((*byte)(p), n)))
}

// handOver makes a buffer of the server's the guest's.
func handOver(args []byte) { delete(buffers, unsafe.Pointer(unsafe.SliceData(args))) }

// hostCallBytes makes a host call. The result is the caller's.
func hostCallBytes(op abi.Op, room, call int64, args []byte) ([]byte, error) {
	n := importHostCall(int32(op), room, call, unsafe.Pointer(unsafe.SliceData(args)), uint32(len(args)), nil, 0)
	if n == 0 {
		return nil, nil
	}
	if n > 0 {
		out := make([]byte, n)
		importResult(unsafe.Pointer(unsafe.SliceData(out)), uint32(n))
		return out, nil
	}
	text := make([]byte, importResult(nil, 0))
	importResult(unsafe.Pointer(unsafe.SliceData(text)), uint32(len(text)))
	return nil, hostError(abi.ErrorCode(-n), text)
}

func hostLog(room int64, level int32, text string, attrs []byte) {
	importLog(room, level, unsafe.Pointer(unsafe.StringData(text)), uint32(len(text)), unsafe.Pointer(unsafe.SliceData(attrs)), uint32(len(attrs)))
}
