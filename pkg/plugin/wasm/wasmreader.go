package wasm

// The instructions that meter.go looks at. Those with a prefix byte have it above
// their number.
const (
	opLoop               = 0x03
	opIf                 = 0x04
	opEnd                = 0x0b
	opBr                 = 0x0c
	opBrIf               = 0x0d
	opBrTable            = 0x0e
	opCall               = 0x10
	opCallIndirect       = 0x11
	opReturnCall         = 0x12
	opReturnCallIndirect = 0x13
	opGlobalGet          = 0x23
	opGlobalSet          = 0x24
	opI32Const           = 0x41
	opI32LtS             = 0x48
	opI32Sub             = 0x6b
	opRefFunc            = 0xd2
	opMemoryInit         = 0xfc<<8 | 8
	opMemoryCopy         = 0xfc<<8 | 10
	opMemoryFill         = 0xfc<<8 | 11
	opTableInit          = 0xfc<<8 | 12
	opTableCopy          = 0xfc<<8 | 14
	opTableFill          = 0xfc<<8 | 17
)

// wasmReader reads a module. Where the bytes end too early it panics with a
// meterError.
type wasmReader struct {
	b    []byte
	off  int
	last uint32 // the first number that belonged to the last instruction
}

func (r *wasmReader) done() bool { return r.off >= len(r.b) }

func (r *wasmReader) clone() *wasmReader { c := *r; return &c }

func (r *wasmReader) rest() []byte { return r.b[r.off:] }

func (r *wasmReader) u8() byte {
	if r.done() {
		bad("it ends too early")
	}
	r.off++
	return r.b[r.off-1]
}

func (r *wasmReader) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(r.b)-r.off) {
		bad("it ends too early")
	}
	r.off += int(n)
	return r.b[r.off-int(n) : r.off]
}

// u32 reads an unsigned number.
func (r *wasmReader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.u8()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if v > 1<<32-1 {
				bad("a number is too large")
			}
			return uint32(v)
		}
	}
	bad("a number is too long")
	return 0
}

// count reads how many entries follow.
func (r *wasmReader) count() uint32 {
	n := r.u32()
	if n > maxParts {
		bad("%d entries", n)
	}
	return n
}

// skipLEB passes a signed or long number of at most most bytes.
func (r *wasmReader) skipLEB(most int) {
	for n := 0; n < most; n++ {
		if r.u8() < 0x80 {
			return
		}
	}
	bad("a number is too long")
}

// importEntry passes an import and returns its kind.
func (r *wasmReader) importEntry() byte {
	r.bytes(r.u32())
	r.bytes(r.u32())
	kind := r.u8()
	switch kind {
	case 0: // function: type
		r.u32()
	case 1: // table: type, limits
		r.u8()
		r.limits()
	case 2: // memory
		r.limits()
	case 3: // global: type, mutability
		r.bytes(2)
	default:
		bad("import of kind %d", kind)
	}
	return kind
}

func (r *wasmReader) limits() {
	flag := r.u8()
	r.u32()
	if flag&1 != 0 {
		r.u32()
	}
}

func (r *wasmReader) memArg() {
	r.u32()
	r.skipLEB(10)
}

// instruction passes one instruction with all that belongs to it, and returns its number.
func (r *wasmReader) instruction() int {
	op := int(r.u8())
	switch {
	case op == 0x02 || op == opLoop || op == opIf: // block types
		r.skipLEB(5)
	case op == opBr || op == opBrIf || op == opCall || op == opReturnCall || op == opRefFunc ||
		op >= 0x20 && op <= 0x26: // locals, globals, tables
		r.last = r.u32()
	case op == opCallIndirect || op == opReturnCallIndirect:
		r.u32()
		r.u32()
	case op == opBrTable:
		for n := r.count(); n > 0; n-- {
			r.u32()
		}
		r.u32()
	case op == 0x1c: // select with types
		r.bytes(r.count())
	case op >= 0x28 && op <= 0x3e: // loads and stores
		r.memArg()
	case op == 0x3f || op == 0x40 || op == 0xd0: // memory.size, memory.grow, ref.null
		r.u8()
	case op == opI32Const:
		r.skipLEB(5)
	case op == 0x42: // i64.const
		r.skipLEB(10)
	case op == 0x43: // f32.const
		r.bytes(4)
	case op == 0x44: // f64.const
		r.bytes(8)
	case op == 0xfc:
		return r.misc()
	case op == 0xfd:
		return r.vector()
	case op <= 0x01 || op == 0x05 || op == opEnd || op == 0x0f || op == 0x1a || op == 0x1b || op >= 0x45 && op <= 0xc4 || op == 0xd1:
	default:
		bad("unknown instruction 0x%02x", op)
	}
	return op
}

// misc passes what stands behind 0xfc.
func (r *wasmReader) misc() int {
	sub := r.u32()
	switch {
	case sub <= 7: // conversions
	case sub == 8 || sub == 10 || sub == 12 || sub == 14: // memory.init, memory.copy, table.init, table.copy
		r.u32()
		r.u32()
	case sub == 9 || sub == 11 || sub == 13 || sub >= 15 && sub <= 17:
		r.u32()
	default:
		bad("unknown instruction 0xfc %d", sub)
	}
	return 0xfc<<8 | int(sub)
}

// vector passes what stands behind 0xfd.
func (r *wasmReader) vector() int {
	sub := r.u32()
	switch {
	case sub <= 11 || sub == 92 || sub == 93: // loads and stores
		r.memArg()
	case sub == 12 || sub == 13: // v128.const, shuffle
		r.bytes(16)
	case sub >= 21 && sub <= 34: // lanes
		r.u8()
	case sub >= 84 && sub <= 91: // loads and stores of a lane
		r.memArg()
		r.u8()
	case sub <= 275:
	default:
		bad("unknown instruction 0xfd %d", sub)
	}
	return 0xfd<<16 | int(sub)
}
