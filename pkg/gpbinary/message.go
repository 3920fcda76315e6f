package gpbinary

// message is a kind of message that may stand as a value (serialization.md 5).
type message uint8

const (
	request message = iota
	response
	event
)

// skipMessage skips a message body.
func (r *reader) skipMessage(v Version, m message, depth int) {
	r.u8()
	if m == response {
		r.take(2)
		r.debugText(v)
	}
	for n := r.openTable(v, depth); n > 0 && r.next(minPair); n-- {
		r.u8()
		r.skipTyped(v, depth+1)
	}
}

// openTable reads the count of a parameter table.
func (r *reader) openTable(v Version, depth int) int {
	if v == V16 {
		return r.open(r.count16(), minPair, depth)
	}
	return r.open(int(r.u8()), minPair, depth)
}

// debugText reads the typed debug message of a response and returns its bytes,
// which alias the message. Null gives none.
func (r *reader) debugText(v Version) []byte {
	c := r.u8()
	switch {
	case r.err != nil:
		return nil
	case v == V16 && (c == v16Null || c == v16Zero), v == V18 && c == v18Null:
		return nil
	case v == V16 && c == v16String:
		return r.take(r.count16())
	case v == V18 && c == v18String:
		return r.take(r.count18())
	}
	r.unknown(c)
	return nil
}

// keySet is a set of parameter codes.
type keySet [4]uint64

// add adds a code and tells whether it was new.
func (s *keySet) add(key byte) bool {
	word, bit := &s[key>>6], uint64(1)<<(key&63)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// ReadTable reads a parameter table and appends its entries to dst with their
// values undecoded, checked by Skip. It returns the number of bytes read, and
// refuses a key that occurs twice. It allocates nothing when dst has room. The
// fields alias b (serialization.md 13).
func ReadTable(v Version, b []byte, dst []Field) (fields []Field, n int, err error) {
	r := reader{b: b}
	var seen keySet
	for n := r.openTable(v, 0); n > 0 && r.next(minPair); n-- {
		key := r.u8()
		if !seen.add(key) {
			r.failAt(r.off-1, DuplicateKey)
		}
		start := r.off
		r.skipTyped(v, 1)
		if r.err != nil {
			break
		}
		dst = append(dst, Field{Key: key, Bytes: b[start:r.off:r.off]})
	}
	n, err = r.result()
	return dst, n, err
}

// params decodes a parameter table.
func (r *reader) params(v Version, depth int) Params {
	n := r.openTable(v, depth)
	if n == 0 {
		return Params{}
	}
	var seen keySet
	p := make(Params, 0, n)
	for ; n > 0 && r.next(minPair); n-- {
		key := r.u8()
		if !seen.add(key) {
			r.failAt(r.off-1, DuplicateKey)
		}
		p = append(p, Param{Key: key, Value: r.typed(v, depth+1)})
	}
	return p
}

func (r *reader) request(v Version, depth int) *OperationRequest {
	return &OperationRequest{Code: r.u8(), Params: r.params(v, depth)}
}

func (r *reader) event(v Version, depth int) *EventData {
	return &EventData{Code: r.u8(), Params: r.params(v, depth)}
}

func (r *reader) response(v Version, depth int) *OperationResponse {
	return &OperationResponse{
		Code:       r.u8(),
		ReturnCode: r.returnCode(v),
		Debug:      string(r.debugText(v)),
		Params:     r.params(v, depth),
	}
}

// messageValue decodes a message body that is used as a value.
func (r *reader) messageValue(v Version, m message, depth int) any {
	switch m {
	case response:
		return r.response(v, depth)
	case event:
		return r.event(v, depth)
	default:
		return r.request(v, depth)
	}
}

func (r *reader) returnCode(v Version) int16 {
	if v == V16 {
		return r.be16()
	}
	return int16(r.le16())
}

// DecodeRequest decodes the body of an operation request and returns the number
// of bytes read. Like all decoding functions it copies: the result holds no part of b.
func DecodeRequest(v Version, b []byte) (req *OperationRequest, n int, err error) {
	r := reader{b: b}
	req = r.request(v, 0)
	n, err = r.result()
	if err != nil {
		return nil, 0, err
	}
	return req, n, nil
}

// DecodeResponse decodes the body of an operation response.
func DecodeResponse(v Version, b []byte) (resp *OperationResponse, n int, err error) {
	r := reader{b: b}
	resp = r.response(v, 0)
	n, err = r.result()
	if err != nil {
		return nil, 0, err
	}
	return resp, n, nil
}

// DecodeEvent decodes the body of an event.
func DecodeEvent(v Version, b []byte) (ev *EventData, n int, err error) {
	r := reader{b: b}
	ev = r.event(v, 0)
	n, err = r.result()
	if err != nil {
		return nil, 0, err
	}
	return ev, n, nil
}

// DecodeDisconnect decodes the body of a disconnect message.
func DecodeDisconnect(v Version, b []byte) (code int16, debug string, params Params, n int, err error) {
	r := reader{b: b}
	code = r.returnCode(v)
	debug = string(r.debugText(v))
	params = r.params(v, 0)
	n, err = r.result()
	if err != nil {
		return 0, "", nil, 0, err
	}
	return code, debug, params, n, nil
}
