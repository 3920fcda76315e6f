package gpbinary

// writer appends values to b. The first error stays and ends the work.
type writer struct {
	b   []byte
	v   Version
	err error
	// sorted orders the entries of tables and dictionaries by their bytes: the form
	// for comparisons, not for the wire.
	sorted bool
	// long lifts V18's limit on strings, which holds for those who write.
	long bool
}

func (w *writer) fail(reason string) {
	if w.err == nil {
		w.err = &ValueError{Version: w.v, Reason: reason}
	}
}

// result returns what was appended to dst, or dst alone and the error.
func (w *writer) result(dst []byte) ([]byte, error) {
	if w.err != nil {
		return dst, w.err
	}
	return w.b, nil
}

// Reasons of refusal that occur in several places.
const (
	reasonNull      = "null where none is possible"
	reasonType      = "item differs from its declared type"
	reasonTooDeep   = "nested too deep"
	reasonTooMany   = "too many elements"
	reasonString    = "string longer than 32767 bytes"
	reasonCustom    = "custom data longer than 32767 bytes"
	reasonNoType    = "no such type in this format"
	reasonNoArray   = "array of arrays with an element that is no array"
	reasonMixed     = "array of arrays with elements of different types"
	reasonParams    = "too many parameters"
	maxCount16      = 32767
	maxStringLength = 32767
	maxParams18     = 255
)

// Append appends value, one of the types listed in values.go, as a typed value
// in the form that clients write (serialization.md 4.2, 15). A Raw is pasted when
// it has version v and transcoded when not. On error dst is returned unchanged.
//
// Append writes the exact type of value or refuses it. Values that were decoded
// from the other format may need Convert first.
func Append(dst []byte, v Version, value any) ([]byte, error) {
	w := writer{b: dst, v: v}
	w.typed(value, 0)
	return w.result(dst)
}

// AppendLong is Append without the limit of V18 on strings: its clients write none
// above 32767 bytes but read them (serialization.md 4.6). It is for values of
// clients that know no such limit.
func AppendLong(dst []byte, v Version, value any) ([]byte, error) {
	w := writer{b: dst, v: v, long: true}
	w.typed(value, 0)
	return w.result(dst)
}

// AppendInt appends n as a typed int. It is Append without the allocation of an
// interface and without errors, for events that are built per message.
func AppendInt(dst []byte, v Version, n int32) []byte {
	if v == V16 {
		return appendInt16(dst, n)
	}
	return appendInt18(dst, n)
}

// AppendString appends s as a typed string. It is Append without the allocation
// of an interface.
func AppendString(dst []byte, v Version, s string) ([]byte, error) {
	w := writer{b: dst, v: v}
	if v == V16 {
		w.b = append(w.b, v16String)
		w.string16(s)
	} else {
		w.b = append(w.b, v18String)
		w.string18(s)
	}
	return w.result(dst)
}

// AppendParams appends a parameter table (serialization.md 5). Keys must be unique.
func AppendParams(dst []byte, v Version, params Params) ([]byte, error) {
	w := writer{b: dst, v: v}
	w.params(params, 0)
	return w.result(dst)
}

// AppendRequest appends the body of an operation request.
func AppendRequest(dst []byte, v Version, req *OperationRequest) ([]byte, error) {
	w := writer{b: dst, v: v}
	w.request(req, 0)
	return w.result(dst)
}

// AppendResponse appends the body of an operation response.
func AppendResponse(dst []byte, v Version, resp *OperationResponse) ([]byte, error) {
	w := writer{b: dst, v: v}
	w.response(resp, 0)
	return w.result(dst)
}

// AppendEvent appends the body of an event.
func AppendEvent(dst []byte, v Version, ev *EventData) ([]byte, error) {
	w := writer{b: dst, v: v}
	w.event(ev, 0)
	return w.result(dst)
}

// AppendDisconnect appends the body of a disconnect message.
func AppendDisconnect(dst []byte, v Version, code int16, debug string, params Params) ([]byte, error) {
	w := writer{b: dst, v: v}
	w.returnCode(code)
	w.debug(debug)
	w.params(params, 0)
	return w.result(dst)
}

func (w *writer) typed(value any, depth int) {
	if w.v == V16 {
		w.typed16(value, depth)
	} else {
		w.typed18(value, depth)
	}
}

// enter checks that a container may begin at depth.
func (w *writer) enter(depth int) bool {
	if depth >= MaxDepth {
		w.fail(reasonTooDeep)
	}
	return w.err == nil
}

// raw pastes or transcodes an undecoded value.
func (w *writer) raw(raw Raw) {
	if len(raw.Bytes) == 0 {
		w.fail("empty raw value")
		return
	}
	if raw.Version == w.v && !w.sorted {
		w.b = append(w.b, raw.Bytes...)
		return
	}
	value, err := decodeAll(raw.Version, raw.Bytes)
	if err != nil {
		w.err = err
		return
	}
	if raw.Version != w.v {
		value, _ = Convert(w.v, value)
	}
	w.typed(value, 0)
}

// params appends a parameter table at depth, its values one deeper.
func (w *writer) params(params Params, depth int) {
	if !w.enter(depth) {
		return
	}
	if w.v == V16 {
		w.count16(len(params))
	} else {
		if len(params) > maxParams18 {
			w.fail(reasonParams)
			return
		}
		w.b = append(w.b, byte(len(params)))
	}
	for i := range params {
		w.b = append(w.b, params[i].Key)
		w.typed(params[i].Value, depth+1)
	}
}

func (w *writer) request(req *OperationRequest, depth int) {
	if req == nil {
		w.fail(reasonNull)
		return
	}
	w.b = append(w.b, req.Code)
	w.params(req.Params, depth)
}

func (w *writer) event(ev *EventData, depth int) {
	if ev == nil {
		w.fail(reasonNull)
		return
	}
	w.b = append(w.b, ev.Code)
	w.params(ev.Params, depth)
}

func (w *writer) response(resp *OperationResponse, depth int) {
	if resp == nil {
		w.fail(reasonNull)
		return
	}
	w.b = append(w.b, resp.Code)
	w.returnCode(resp.ReturnCode)
	w.debug(resp.Debug)
	w.params(resp.Params, depth)
}

func (w *writer) returnCode(code int16) {
	if w.v == V16 {
		w.b = append(w.b, byte(code>>8), byte(code))
	} else {
		w.b = append(w.b, byte(code), byte(code>>8))
	}
}

// debug appends a debug message. The empty one is null.
func (w *writer) debug(text string) {
	switch {
	case text != "" && w.v == V16:
		w.b = append(w.b, v16String)
		w.string16(text)
	case text != "":
		w.b = append(w.b, v18String)
		w.string18(text)
	case w.v == V16:
		w.b = append(w.b, v16Null)
	default:
		w.b = append(w.b, v18Null)
	}
}

// hashtable appends the body of a hashtable.
func (w *writer) hashtable(h *Hashtable, depth int) {
	if h == nil {
		w.fail(reasonNull)
		return
	}
	if !w.enter(depth) {
		return
	}
	if w.v == V16 {
		w.count16(len(h.pairs))
	} else {
		w.count18(len(h.pairs))
	}
	w.entries(h.pairs, KindObject, objectType, depth+1)
}

// objectType declares values that state their own type.
var objectType = TypeDesc{Kind: KindObject}

// entries appends the entries of a hashtable or dictionary whose types are
// declared as key and val.
func (w *writer) entries(pairs []Pair, key Kind, val TypeDesc, depth int) {
	var ends []int // of each entry, for sorting
	start := len(w.b)
	for i := range pairs {
		if w.err != nil {
			return
		}
		if pairs[i].Key == nil {
			w.fail("null as key")
			return
		}
		w.item(TypeDesc{Kind: key}, pairs[i].Key, depth)
		w.item(val, pairs[i].Value, depth)
		if w.sorted {
			ends = append(ends, len(w.b))
		}
	}
	if w.sorted && w.err == nil {
		sortEntries(w.b, start, ends)
	}
}

// item appends a key or value of a dictionary that declares type t for it.
func (w *writer) item(t TypeDesc, value any, depth int) {
	switch {
	case t.Kind == KindObject:
		w.typed(value, depth)
	case w.v == V16:
		w.item16(t, value, depth)
	default:
		w.item18(t, value, depth)
	}
}

// customItems checks the elements of a custom array.
func (w *writer) customItems(items [][]byte) bool {
	for _, item := range items {
		if item == nil {
			w.fail(reasonNull)
			return false
		}
	}
	return true
}
