package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
)

var protocols = []photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18, photon.JSON}

// eachProtocol runs a test with clients of one protocol at a time.
func eachProtocol(t *testing.T, test func(t *testing.T, p photon.Protocol)) {
	t.Helper()
	for _, p := range protocols {
		t.Run(p.String(), func(t *testing.T) { test(t, p) })
	}
}

// world is a room, a clock in the hand, and clients.
type world struct {
	t    *testing.T
	room *Room
	now  time.Duration
}

func newWorld(t *testing.T, cfg Config) *world {
	return &world{t: t, now: time.Hour, room: New(cfg, ID{
		App: "app\x001.0", Name: "room1", Lobby: lobby.ID{Name: "L", Type: lobby.SQL}, Created: 1700000000000, Incarnation: 7,
	})}
}

// client is a connection that remembers what it was sent.
type client struct {
	w       *world
	p       photon.Protocol
	user    string
	session byte
	seat    *Seat
	got     []received
	ended   []string // reasons of Disconnect
}

type received struct {
	text   string
	event  bool
	code   byte
	rc     photon.ReturnCode
	debug  string
	params gpbinary.Params
	d      photon.Delivery
	bytes  []byte
}

func (w *world) client(p photon.Protocol, user string) *client {
	return &client{w: w, p: p, user: user}
}

func (c *client) Protocol() photon.Protocol { return c.p }

func (c *client) Disconnect(code photon.ReturnCode, text string) {
	c.ended = append(c.ended, fmt.Sprintf("%d %s", code, text))
}

func (c *client) Send(msg []byte, d photon.Delivery) {
	t := c.w.t
	m := received{d: d, bytes: msg}
	if c.p == photon.JSON {
		payload, isJSON, rest, err := gpjson.NextFrame(msg)
		if err != nil || !isJSON || len(rest) > 0 {
			t.Fatalf("bad frame %q: %v", msg, err)
		}
		j, err := gpjson.ParseMessage(payload, nil)
		if err != nil {
			t.Fatalf("bad JSON %s: %v", payload, err)
		}
		m.event, m.code, m.rc, m.debug = j.Kind == gpjson.Event, byte(j.Code), photon.ReturnCode(j.ReturnCode), j.Debug
		for _, f := range j.Fields {
			v, err := gpjson.DecodeValue(f.Bytes)
			if err != nil {
				t.Fatalf("bad value %s: %v", f.Bytes, err)
			}
			m.params = append(m.params, gpbinary.Param{Key: f.Key, Value: v})
		}
	} else {
		v := gpbinary.Version(c.p)
		kind, _, err := photon.Type(msg)
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case photon.TypeEvent:
			ev, n, err := gpbinary.DecodeEvent(v, msg[2:])
			if err != nil || n != len(msg)-2 {
				t.Fatalf("bad event % x: %v", msg, err)
			}
			m.event, m.code, m.params = true, ev.Code, ev.Params
		case photon.TypeResponse:
			r, n, err := gpbinary.DecodeResponse(v, msg[2:])
			if err != nil || n != len(msg)-2 {
				t.Fatalf("bad response % x: %v", msg, err)
			}
			m.code, m.rc, m.debug, m.params = r.Code, photon.ReturnCode(r.ReturnCode), r.Debug, r.Params
		default:
			t.Fatalf("unexpected message % x", msg)
		}
	}
	if m.event {
		m.text = fmt.Sprintf("event %d", m.code)
	} else {
		m.text = fmt.Sprintf("response %d rc %d", m.code, m.rc)
		// LB-012: a debug message exactly on failure.
		if (m.rc != 0) != (m.debug != "") {
			t.Errorf("response %d with rc %d and debug message %q", m.code, m.rc, m.debug)
		}
	}
	for _, p := range m.params {
		m.text += fmt.Sprintf(" %d=%s", p.Key, show(p.Value))
	}
	c.got = append(c.got, m)
}

// show writes a value without its type, so that all protocols give one text.
func show(v any) string {
	list := func(n int, at func(int) any) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = show(at(i))
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("%q", x)
	case []byte:
		return list(len(x), func(i int) any { return x[i] })
	case []int32:
		return list(len(x), func(i int) any { return x[i] })
	case []string:
		return list(len(x), func(i int) any { return x[i] })
	case gpbinary.ObjectArray:
		return list(len(x), func(i int) any { return x[i] })
	case *gpbinary.Hashtable:
		var b strings.Builder
		b.WriteByte('{')
		for i, p := range x.Pairs() {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%v:%s", p.Key, show(p.Value))
		}
		return b.String() + "}"
	}
	return fmt.Sprint(v)
}

// take returns the texts of what the client got since the last take.
func (c *client) take() []string {
	texts := make([]string, len(c.got))
	for i, m := range c.got {
		texts[i] = m.text
	}
	c.got = nil
	return texts
}

// wants compares what the client got, and forgets it.
func (c *client) wants(texts ...string) {
	c.w.t.Helper()
	if got := c.take(); !slices.Equal(got, texts) {
		c.w.t.Errorf("%s got\n\t%s\nwant\n\t%s", c.user, strings.Join(got, "\n\t"), strings.Join(texts, "\n\t"))
	}
}

// last is the newest message of that kind and code, with the others forgotten.
func (c *client) last(event bool, code byte) received {
	c.w.t.Helper()
	defer func() { c.got = nil }()
	for _, m := range slices.Backward(c.got) {
		if m.event == event && m.code == code {
			return m
		}
	}
	c.w.t.Fatalf("%s got no message with code %d", c.user, code)
	return received{}
}

func (m received) param(p photon.ParamCode) any {
	v, _ := m.params.Get(byte(p))
	return v
}

// table returns a parameter that is a Hashtable.
func (m received) table(t *testing.T, p photon.ParamCode) *gpbinary.Hashtable {
	t.Helper()
	h, ok := m.param(p).(*gpbinary.Hashtable)
	if !ok {
		t.Fatalf("parameter %d is %v", p, m.param(p))
	}
	return h
}

// property looks a property up whose key is a byte, or its text from JSON.
func property(h *gpbinary.Hashtable, key any) any {
	if v, ok := h.Get(key); ok {
		return v
	}
	v, _ := h.Get(fmt.Sprint(key))
	return v
}

// Short forms for requests.
type par = gpbinary.Param

func with(p photon.ParamCode, v any) par { return photon.Param(p, v) }

func table(keysAndValues ...any) *gpbinary.Hashtable {
	h := gpbinary.NewHashtable()
	for i := 0; i < len(keysAndValues); i += 2 {
		h.Set(keysAndValues[i], keysAndValues[i+1])
	}
	return h
}

func (c *client) request(op photon.OpCode, params []par) *photon.Request {
	c.w.t.Helper()
	msg, err := photon.AppendRequest(nil, c.p, op, params)
	if err != nil {
		c.w.t.Fatal(err)
	}
	return c.parse(msg)
}

func (c *client) parse(msg []byte) *photon.Request {
	c.w.t.Helper()
	if c.p == photon.JSON {
		payload, _, _, err := gpjson.NextFrame(msg)
		if err != nil {
			c.w.t.Fatal(err)
		}
		msg = payload
	}
	req := &photon.Request{Delivery: photon.Delivery{Mode: photon.Reliable}}
	if err := photon.ParseRequest(c.p, msg, req); err != nil {
		c.w.t.Fatal(err)
	}
	return req
}

func (c *client) joiner() Joiner {
	return Joiner{Sink: c, UserID: c.user, Nickname: "nick " + c.user, SessionID: [16]byte{c.session}}
}

func (c *client) create(params ...par) error {
	c.w.t.Helper()
	seat, err := createRoom(c.w.room, c.w.now, c.request(photon.OpCreateGame, params), c.joiner())
	return c.entered(seat, err)
}

func (c *client) join(params ...par) error {
	c.w.t.Helper()
	before := c.w.fingerprint()
	seat, err := joinRoom(c.w.room, c.w.now, c.request(photon.OpJoinGame, params), c.joiner())
	if err != nil && c.w.fingerprint() != before {
		c.w.t.Errorf("failed join changed the room:\n%s\n%s", before, c.w.fingerprint())
	}
	return c.entered(seat, err)
}

func (c *client) entered(seat *Seat, err error) error {
	c.w.t.Helper()
	if (seat == nil) != (err != nil) {
		c.w.t.Fatalf("seat %v with error %v", seat, err)
	}
	if err == nil {
		c.seat = seat
	} else if m := c.got[len(c.got)-1]; m.event || m.rc != Code(err) || m.debug != err.Error() {
		c.w.t.Errorf("client was told %s %q, owner %v", m.text, m.debug, err)
	}
	c.w.check()
	return err
}

// mustCreate and mustJoin enter and forget what the client got.
func (c *client) mustCreate(params ...par) *client {
	c.w.t.Helper()
	if err := c.create(params...); err != nil {
		c.w.t.Fatal(err)
	}
	c.got = nil
	return c
}

func (c *client) mustJoin(params ...par) *client {
	c.w.t.Helper()
	if err := c.join(params...); err != nil {
		c.w.t.Fatal(err)
	}
	c.got = nil
	return c
}

// fails checks a refusal's code.
func (c *client) fails(err error, code photon.ReturnCode) {
	c.w.t.Helper()
	if Code(err) != code {
		c.w.t.Errorf("error %v has code %d, want %d", err, Code(err), code)
	}
	c.got = nil
}

func (c *client) do(op photon.OpCode, params ...par) error {
	c.w.t.Helper()
	return c.run(c.request(op, params))
}

func (c *client) run(req *photon.Request) error {
	c.w.t.Helper()
	before := c.w.fingerprint()
	err := c.w.room.Operation(c.w.now, c.seat, req)
	if err != nil && c.w.fingerprint() != before {
		c.w.t.Errorf("failed operation %d changed the room:\n%s\n%s", req.Code, before, c.w.fingerprint())
	}
	c.w.check()
	return err
}

func (c *client) raise(params ...par) error {
	c.w.t.Helper()
	return c.do(photon.OpRaiseEvent, params...)
}

func (c *client) set(params ...par) error {
	c.w.t.Helper()
	return c.do(photon.OpSetProperties, params...)
}

func (c *client) disconnect() {
	c.w.t.Helper()
	c.w.room.Disconnected(c.w.now, c.seat, photon.TimeoutDisconnect, "")
	c.w.check()
}

func (w *world) pass(d time.Duration) {
	w.now += d
	if w.now >= w.room.Deadline() {
		w.room.Tick(w.now)
	}
	w.check()
}

// fingerprint is the state that a refused operation must not change.
func (w *world) fingerprint() string {
	r := w.room
	var b strings.Builder
	fmt.Fprintf(&b, "%d %+v %d %d %v %v", r.phase, r.set, r.bytes, r.lastNr, r.excluded, r.groups)
	fmt.Fprintf(&b, " %s cache %d/%d/%d", show(&r.props.table), r.cache.count, r.cache.bytes, r.cache.current)
	for _, a := range r.actors {
		fmt.Fprintf(&b, " actor %d %q %v %v %s", a.nr, a.userID, a.active(), a.groups, show(&a.props.table))
	}
	return b.String()
}

// check holds the room's state against itself.
func (w *world) check() {
	w.t.Helper()
	r := w.room
	sum, active := r.props.bytes, 0
	for i, a := range r.actors {
		sum += a.props.bytes
		if i > 0 && r.actors[i-1].nr >= a.nr {
			w.t.Errorf("actors out of order")
		}
		if a.active() {
			if active >= len(r.active) || r.active[active] != a {
				w.t.Fatalf("actor %d is missing among the active ones", a.nr)
			}
			active++
		}
		if len(a.props.meta) != a.props.len() {
			w.t.Errorf("actor %d: %d properties, %d sizes", a.nr, a.props.len(), len(a.props.meta))
		}
	}
	if active != len(r.active) {
		w.t.Errorf("%d active actors, %d listed", active, len(r.active))
	}
	if r.phase == open && sum != r.bytes {
		w.t.Errorf("properties of %d bytes, counted %d", sum, r.bytes)
	}
	if m := r.find(r.set.masterClientID); r.phase == open && active > 0 && (m == nil || !m.active()) {
		w.t.Errorf("master client is %d, who is not active", r.set.masterClientID)
	}
	count, bytes := len(r.cache.keyed), 0
	for _, e := range r.cache.keyed {
		bytes += e.size()
		if r.cache.index[e.entryKey] != e {
			w.t.Errorf("entry %v is not in the index", e.entryKey)
		}
	}
	for _, s := range r.cache.slices {
		count += len(s.entries)
		for _, e := range s.entries {
			bytes += e.size()
		}
	}
	if count != r.cache.count || bytes != r.cache.bytes || len(r.cache.index) != len(r.cache.keyed) {
		w.t.Errorf("cache of %d entries, %d bytes counts %d, %d", count, bytes, r.cache.count, r.cache.bytes)
	}
}

// createRoom and joinRoom are for rooms whose plugin, if there is one, answers at once.
func createRoom(r *Room, now time.Duration, req *photon.Request, j Joiner) (seat *Seat, err error) {
	r.Create(now, req, j, func(s *Seat, e error) { seat, err = s, e })
	return seat, err
}

func joinRoom(r *Room, now time.Duration, req *photon.Request, j Joiner) (seat *Seat, err error) {
	r.Join(now, req, j, func(s *Seat, e error) { seat, err = s, e })
	return seat, err
}
