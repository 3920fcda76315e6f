package wasm

import (
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// tiny is a plugin written by hand: a few hundred bytes that load at once, and
// that can do what no compiler would write.
type tiny struct {
	name, version string
	pages         byte // of memory; 0 is 1
	abi           byte // what boson_abi returns; 0 is 1
	alloc         int32
	// hook is the code of boson_hook for all but Setup; nil continues. Its
	// parameters are hook, room, call, ptr, len; function 0 is host_call, 3 itself.
	hook []byte
	// describe replaces what it says about itself.
	describe []byte
}

// Code for tiny.hook.
var (
	codeLoop    = []byte{opLoop, 0x40, opBr, 0, opEnd, 0x00}
	codeTrap    = []byte{0x00}
	codeRecurse = []byte{0x20, 0, 0x20, 1, 0x20, 2, 0x20, 3, 0x20, 4, opCall, 3}
	codeReturn  = func(action byte) []byte { return []byte{opI32Const, action & 0x7f} }
)

// codeHostCall makes a host call with the bytes at ptr as arguments, and
// continues. out is where the result goes.
func codeHostCall(op, ptr, size, out, room int32) []byte {
	b := appendS32([]byte{opI32Const}, op)
	b = append(b, 0x20, 1, 0x20, 2) // room, call
	for _, v := range []int32{ptr, size, out, room} {
		b = appendS32(append(b, opI32Const), v)
	}
	return append(b, opCall, 0, 0x1a, opI32Const, 1) // drop, continue
}

const tinyData = 1024 // where its words are in memory

func (g tiny) file() []byte {
	const i32, i64 = 0x7f, 0x7e
	if g.describe == nil {
		t := &abi.Table{}
		t.String(abi.KeyName, g.name)
		t.String(abi.KeyVersion, g.version)
		t.Int(abi.KeyFlags, abi.FlagErrors)
		g.describe, _ = t.Bytes()
	}
	if g.hook == nil {
		g.hook = codeReturn(1)
	}
	if g.alloc == 0 {
		g.alloc = 4096
	}
	section := func(id byte, body ...byte) []byte { return append(appendU32([]byte{id}, uint32(len(body))), body...) }
	text := func(s string) []byte { return append(appendU32(nil, uint32(len(s))), s...) }
	function := func(code []byte) []byte {
		code = append(append([]byte{0}, code...), opEnd) // no locals
		return append(appendU32(nil, uint32(len(code))), code...)
	}
	describe := []byte{0x20, 0, opI32Const, byte(abi.Setup), 0x46, opIf, 0x40} // hook == Setup
	describe = append(describe, opI32Const, byte(abi.OpDescribe), 0x20, 1, 0x42, 0)
	describe = appendS32(append(describe, opI32Const), tinyData)
	describe = appendS32(append(describe, opI32Const), int32(len(g.describe)))
	describe = append(describe, opI32Const, 0, opI32Const, 0, opCall, 0, 0x1a, opI32Const, 0, 0x0f, opEnd)

	out := append([]byte(nil), magic...)
	out = append(out, section(secType, 4,
		0x60, 0, 1, i32,
		0x60, 1, i32, 1, i32,
		0x60, 5, i32, i64, i64, i32, i32, 1, i32,
		0x60, 7, i32, i64, i64, i32, i32, i32, i32, 1, i64)...)
	out = append(out, section(secImport, append(append(append([]byte{1}, text(abi.Module)...), text("host_call")...), 0, 3)...)...)
	out = append(out, section(secFunc, 3, 0, 1, 2)...)
	out = append(out, section(5, 1, 0, max(g.pages, 1))...)
	exports := append(append([]byte{4}, text("memory")...), 2, 0)
	for i, name := range []string{abi.ExportABI, abi.ExportAlloc, abi.ExportHook} {
		exports = append(append(exports, text(name)...), 0, byte(i+1))
	}
	out = append(out, section(secExport, exports...)...)
	code := append([]byte{3}, function([]byte{opI32Const, max(g.abi, 1)})...)
	code = append(code, function(appendS32([]byte{opI32Const}, g.alloc))...)
	code = append(code, function(append(describe, g.hook...))...)
	out = append(out, section(secCode, code...)...)
	data := append([]byte{1, 0}, appendS32([]byte{opI32Const}, tinyData)...)
	data = append(append(data, opEnd), text(string(g.describe))...)
	return append(out, section(11, data...)...)
}
