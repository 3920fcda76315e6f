package wasm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// A guest that loops must be stopped, and Go's scheduler can't interrupt compiled
// WebAssembly: while a guest runs, no collection of garbage can start, on no
// goroutine. wazero has a remedy (WithCloseOnContextDone) that costs a goroutine
// per call and a way out into Go per loop, that is per call of any function for
// guests in Go: microseconds for a callback that takes tenths of one.
//
// So the module is changed before it is compiled. A counter is taken down at
// the head of each loop and where a function begins that has none on its way; when
// it falls below zero the guest calls tick, a host function, which looks
// at the clock and gives the next portion of work. A short call never gets
// there. In WebAssembly text, $work and tick being new:
//
//	global.get $work  i32.const 1  i32.sub  global.set $work
//	global.get $work  i32.const 0  i32.lt_s
//	if  call $tick  global.set $work  end
//
// tick is a new import, so that the numbers of all functions of the module's own grow by one.

const (
	tickImport = "tick"
	// workPerTick is how often a loop or function may begin before the clock is
	// looked at: some 10 to 100 microseconds.
	workPerTick = 10000
	// bulkWork is what an instruction that moves memory counts.
	bulkWork = 500
	// maxParts bounds counts in a module: types, functions, imports, ...
	maxParts = 1 << 20
)

var magic = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// Sections of a module.
const (
	secCustom = 0
	secType   = 1
	secImport = 2
	secFunc   = 3
	secGlobal = 6
	secExport = 7
	secStart  = 8
	secElem   = 9
	secCode   = 10
)

var errModule = errors.New("wasm: not a WebAssembly module that can be used")

// meter returns the module with its work counted. The result is valid if the module
// is; wazero checks it.
func meter(module []byte) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(meterError)
			if !ok {
				panic(p)
			}
			out, err = nil, fmt.Errorf("%w: %s", errModule, string(e))
		}
	}()
	if len(module) < len(magic) || !slices.Equal(module[:len(magic)], magic) {
		return nil, errModule
	}
	m := metering{}
	m.survey(module)
	return m.rewrite(module), nil
}

// meterError ends the work from deep inside; meter recovers it.
type meterError string

func bad(format string, args ...any) { panic(meterError(fmt.Sprintf(format, args...))) }

// metering is what has to be known before the code is changed.
type metering struct {
	types   uint32 // before ours is added: its number
	imports uint32 // functions that are imported: tick's number
	globals uint32 // before ours is added: its number

	sections []section
}

type section struct {
	id   byte
	body []byte
}

func (m *metering) survey(module []byte) {
	r := &wasmReader{b: module, off: len(magic)}
	for !r.done() {
		id := r.u8()
		m.sections = append(m.sections, section{id, r.bytes(r.u32())})
	}
	for _, s := range m.sections {
		b := &wasmReader{b: s.body}
		switch s.id {
		case secType:
			m.types = b.count()
		case secGlobal:
			m.globals += b.count()
		case secImport:
			for n := b.count(); n > 0; n-- {
				switch b.importEntry() {
				case 0:
					m.imports++
				case 3:
					m.globals++
				}
			}
		}
	}
}

func (m *metering) rewrite(module []byte) []byte {
	out := append(make([]byte, 0, len(module)+len(module)/2), magic...)
	emit := func(id byte, body []byte) {
		out = append(out, id)
		out = appendU32(out, uint32(len(body)))
		out = append(out, body...)
	}
	seen := map[byte]bool{}
	// Sections stand in the order of their numbers, so that what is missing is
	// added before the next one.
	before := func(id byte) {
		for _, add := range []byte{secType, secImport, secGlobal} {
			if !seen[add] && id > add {
				seen[add] = true
				emit(add, m.extended(add, []byte{0}))
			}
		}
	}
	for _, s := range m.sections {
		if s.id == secCustom {
			r := &wasmReader{b: s.body}
			if string(r.bytes(r.u32())) == "name" {
				continue // its numbers are wrong now
			}
			emit(s.id, s.body)
			continue
		}
		before(s.id)
		seen[s.id] = true
		switch s.id {
		case secType, secImport, secGlobal:
			emit(s.id, m.extended(s.id, s.body))
		case secExport:
			emit(s.id, m.exports(s.body))
		case secStart:
			r := &wasmReader{b: s.body}
			emit(s.id, appendU32(nil, m.shift(r.u32())))
		case secElem:
			emit(s.id, m.elements(s.body))
		case secCode:
			emit(s.id, m.code(s.body))
		default:
			emit(s.id, s.body)
		}
	}
	return out
}

// shift is the new number of a function.
func (m *metering) shift(f uint32) uint32 {
	if f >= m.imports {
		return f + 1
	}
	return f
}

// extended is a section with our own entry at its end.
func (m *metering) extended(id byte, body []byte) []byte {
	r := &wasmReader{b: body}
	n := r.count()
	out := appendU32(nil, n+1)
	if id == secGlobal {
		for ; n > 0; n-- {
			out = append(out, r.bytes(2)...) // type, mutability
			out = m.constant(out, r)
		}
		return append(out, 0x7f, 1, opI32Const, 0, opEnd) // i32, mutable, 0
	}
	out = append(out, r.rest()...)
	if id == secType {
		return append(out, 0x60, 0, 1, 0x7f) // () -> i32
	}
	for _, s := range []string{abi.Module, tickImport} {
		out = append(appendU32(out, uint32(len(s))), s...)
	}
	return appendU32(append(out, 0), m.types)
}

func (m *metering) exports(body []byte) []byte {
	r := &wasmReader{b: body}
	n := r.count()
	out := appendU32(nil, n)
	for ; n > 0; n-- {
		name := r.bytes(r.u32())
		kind, index := r.u8(), r.u32()
		if kind == 0 {
			index = m.shift(index)
		}
		out = append(appendU32(out, uint32(len(name))), name...)
		out = appendU32(append(out, kind), index)
	}
	return out
}

// elements changes the tables of functions: eight forms, by the bits of a flag.
func (m *metering) elements(body []byte) []byte {
	const passive, explicit, expressions = 1, 2, 4
	r := &wasmReader{b: body}
	n := r.count()
	out := appendU32(nil, n)
	for ; n > 0; n-- {
		flag := r.u32()
		if flag > 7 {
			bad("element segment with flag %d", flag)
		}
		out = appendU32(out, flag)
		if flag&passive == 0 {
			if flag&explicit != 0 {
				out = appendU32(out, r.u32()) // table
			}
			out = m.constant(out, r) // offset
		}
		if flag&(passive|explicit) != 0 {
			out = append(out, r.u8()) // kind or type
		}
		items := r.count()
		out = appendU32(out, items)
		for ; items > 0; items-- {
			if flag&expressions != 0 {
				out = m.constant(out, r)
			} else {
				out = appendU32(out, m.shift(r.u32()))
			}
		}
	}
	return out
}

// constant copies a constant expression.
func (m *metering) constant(out []byte, r *wasmReader) []byte {
	for {
		start := r.off
		op := r.instruction()
		switch {
		case op == opRefFunc:
			out = appendU32(append(out, opRefFunc), m.shift(r.last))
		default:
			out = append(out, r.b[start:r.off]...)
		}
		if op == opEnd {
			return out
		}
	}
}

func (m *metering) code(body []byte) []byte {
	r := &wasmReader{b: body}
	n := r.count()
	out := appendU32(make([]byte, 0, len(body)*3/2), n)
	var f []byte
	for ; n > 0; n-- {
		f = m.function(f[:0], &wasmReader{b: r.bytes(r.u32())})
		out = append(appendU32(out, uint32(len(f))), f...)
	}
	return out
}

// function changes the body of a function.
func (m *metering) function(out []byte, r *wasmReader) []byte {
	for n := r.count(); n > 0; n-- {
		r.u32() // how many locals
		r.u8()  // of a type
	}
	out = append(out, r.b[:r.off]...)
	if m.needsHead(r.clone()) {
		out = m.check(out, 1)
	}
	copied := r.off
	for !r.done() {
		start := r.off
		op := r.instruction()
		var replace []byte
		switch op {
		case opCall, opReturnCall, opRefFunc:
			replace = appendU32([]byte{byte(op)}, m.shift(r.last))
			out = append(append(out, r.b[copied:start]...), replace...)
			copied = r.off
		case opLoop:
			out = m.check(append(out, r.b[copied:r.off]...), 1)
			copied = r.off
		case opMemoryInit, opMemoryCopy, opMemoryFill, opTableInit, opTableCopy, opTableFill:
			out = m.check(append(out, r.b[copied:start]...), bulkWork)
			copied = start
		}
	}
	return append(out, r.b[copied:]...)
}

// needsHead says whether a function can call without having passed a loop's head:
// then it must be counted where it begins, for it may be recursive.
func (m *metering) needsHead(r *wasmReader) bool {
	for !r.done() {
		switch op := r.instruction(); op {
		case opLoop:
			return false
		case opCall, opCallIndirect, opReturnCall, opReturnCallIndirect, opIf, opBr, opBrIf, opBrTable:
			return true
		}
	}
	return false
}

// check appends the instructions that take work off the counter. They leave
// nothing on the stack and need nothing from it, so that they can stand anywhere.
func (m *metering) check(out []byte, work int32) []byte {
	out = appendU32(append(out, opGlobalGet), m.globals)
	out = append(appendS32(append(out, opI32Const), work), opI32Sub, opGlobalSet)
	out = appendU32(out, m.globals)
	out = appendU32(append(out, opGlobalGet), m.globals)
	out = append(out, opI32Const, 0, opI32LtS, opIf, 0x40, opCall)
	out = appendU32(out, m.imports)
	out = appendU32(append(out, opGlobalSet), m.globals)
	return append(out, opEnd)
}

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendS32(b []byte, v int32) []byte {
	for v < -0x40 || v >= 0x40 {
		b = append(b, byte(v&0x7f)|0x80)
		v >>= 7
	}
	return append(b, byte(v&0x7f))
}
