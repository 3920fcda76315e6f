package room

import (
	"math"
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// Raised is RaiseEvent (loadbalancing-operations.md 3.11). Its content stays
// undecoded and aliases the request. A plugin may change it before the room acts.
type Raised struct {
	Code       photon.EventCode
	Content    photon.Content
	HasContent bool
	Caching    photon.EventCaching
	Receivers  photon.ReceiverGroup
	Group      byte
	Actors     []int32 // receivers, or owners of the entries to remove
	HasActors  bool
	Slice      int32
	HasSlice   bool
}

// Raise is an event on its way through the plugin.
type Raise struct {
	Raised

	room *Room
	seat *Seat
	nr   int32
	req  photon.Request // a copy: the caller's may not outlive the call
}

// ActorNr is who raised it.
func (e *Raise) ActorNr() int32 { return e.nr }

// Request is the client's operation.
func (e *Raise) Request() *photon.Request { return &e.req }

// Continue relays the event. If the room refuses it, the client is told and the
// error returned. If the client has left meanwhile, nothing happens.
func (e *Raise) Continue(time.Duration) error {
	a := e.seat.actor
	if a == nil || e.room.phase != open {
		return errGone
	}
	err := e.room.raise(a, &e.req, &e.Raised)
	if err != nil {
		Refuse(e.seat.sink, &e.req, err)
	}
	return err
}

// Fail refuses the event.
func (e *Raise) Fail(err *Error) { Refuse(e.seat.sink, &e.req, err) }

// raiseEvent is operation 253, what the servers do all day. It has no response
// unless it fails (loadbalancing-rooms.md 6, 7).
func (r *Room) raiseEvent(now time.Duration, a *actor, req *photon.Request) error {
	ev, err := decodeRaiseEvent(req)
	if err != nil {
		return err
	}
	if r.hooks != nil && r.hooks.WantsEvent(ev.Code) {
		r.hooks.RaiseEvent(now, &Raise{Raised: ev, room: r, seat: a.seat, nr: a.nr, req: *req})
		return nil
	}
	return r.raise(a, req, &ev)
}

func (r *Room) raise(a *actor, req *photon.Request, ev *Raised) error {
	if err := r.checkRaiseEvent(ev); err != nil {
		return err
	}
	return r.applyRaiseEvent(source{a.nr, a, req.Protocol == photon.JSON, req.Delivery}, ev)
}

func decodeRaiseEvent(req *photon.Request) (ev Raised, err error) {
	caching, _, err := req.Byte(photon.ParamCache)
	if err != nil {
		return ev, err
	}
	ev.Caching = photon.EventCaching(caching)
	code, ok, err := req.Byte(photon.ParamEventCode)
	if err != nil {
		return ev, err
	}
	if !ok && sends(ev.Caching) {
		return ev, photon.Missing(photon.ParamEventCode)
	}
	ev.Code = photon.EventCode(code)
	receivers, _, err := req.Byte(photon.ParamReceiverGroup)
	if err != nil {
		return ev, err
	}
	ev.Receivers = photon.ReceiverGroup(receivers)
	if ev.Group, _, err = req.Byte(photon.ParamGroup); err != nil {
		return ev, err
	}
	if ev.Actors, ev.HasActors, err = req.Ints(photon.ParamActorList); err != nil {
		return ev, err
	}
	if ev.Slice, ev.HasSlice, err = req.Int32(photon.ParamCacheSliceIndex); err != nil {
		return ev, err
	}
	ev.Content, ev.HasContent = req.Content(photon.ParamData)
	return ev, nil
}

// sends says whether an event goes to receivers; the other options only change
// the cache.
func sends(c photon.EventCaching) bool { return c <= photon.AddToRoomCacheGlobal }

// stores says whether the event is one that the cache keeps
// (loadbalancing-rooms.md 7.1).
func (ev *Raised) stores() bool {
	return ev.Caching != photon.DoNotCache && ev.Caching != photon.RemoveCache && sends(ev.Caching) &&
		ev.Receivers != photon.ReceiverMasterClient && !ev.HasActors && ev.Group == 0
}

func (r *Room) checkRaiseEvent(ev *Raised) error {
	if err := checkCaching(ev, &r.cache); err != nil {
		return err
	}
	if sends(ev.Caching) && photon.ReservedEvent(ev.Code) && !r.cfg.AllowReservedEvents {
		return photon.BadParam(photon.ParamEventCode, "is %d, which is reserved for the server", ev.Code)
	}
	return nil
}

// checkCaching checks what clients and plugins can do wrong alike.
func checkCaching(ev *Raised, c *cache) error {
	switch ev.Caching {
	case photon.DoNotCache, photon.MergeCache, photon.ReplaceCache, photon.RemoveCache,
		photon.AddToRoomCache, photon.AddToRoomCacheGlobal,
		photon.RemoveFromRoomCache, photon.RemoveFromRoomCacheForActorsLeft:
	case photon.SliceIncreaseIndex:
		if c.current == math.MaxInt32 {
			return photon.BadParam(photon.ParamCache, "can't increase the slice index any more")
		}
	case photon.SliceSetIndex, photon.SlicePurgeIndex, photon.SlicePurgeUpToIndex:
		if !ev.HasSlice {
			return photon.Missing(photon.ParamCacheSliceIndex)
		}
		if ev.Slice < 0 {
			return photon.BadParam(photon.ParamCacheSliceIndex, "is %d, below 0", ev.Slice)
		}
	default:
		return photon.BadParam(photon.ParamCache, "is %d, no caching option", ev.Caching)
	}
	if sends(ev.Caching) && ev.Receivers > photon.ReceiverMasterClient {
		return photon.BadParam(photon.ParamReceiverGroup, "is %d, not between 0 and 2", ev.Receivers)
	}
	return nil
}

// source is where an event comes from.
type source struct {
	nr       int32  // parameter 254; 0 is the room
	actor    *actor // who is left out of "others"; nil for nobody
	json     bool   // its values come from a JavaScript client
	delivery photon.Delivery
}

func (r *Room) applyRaiseEvent(from source, ev *Raised) error {
	if !sends(ev.Caching) {
		return r.changeCache(ev)
	}
	var cached cacheResult
	if ev.stores() || ev.Caching == photon.RemoveCache {
		var err error
		if cached, err = r.cacheEvent(from, ev); err != nil {
			return err
		}
	}
	r.stats.Events++
	r.out.start(ev, from.nr)
	r.relay(from, ev)
	r.out = outgoing{}
	if cached == cacheOverflow {
		r.cacheOverflowed()
	}
	return nil
}

// relay delivers the event that r.out holds.
func (r *Room) relay(from source, ev *Raised) {
	a := from.actor
	switch {
	case ev.HasActors:
		r.deliverToList(ev.Actors, from.delivery)
	case ev.Receivers == photon.ReceiverMasterClient && ev.Group == 0:
		if m := r.find(r.set.masterClientID); m != nil && m.active() {
			r.deliver(m, from.delivery)
		}
	default:
		if ev.Receivers == photon.ReceiverAll {
			a = nil // nobody is left out
		}
		if ev.Group != 0 {
			for _, b := range r.active {
				if b != a && b.groups.has(ev.Group) {
					r.deliver(b, from.delivery)
				}
			}
			return
		}
		for _, b := range r.active {
			if b != a {
				r.deliver(b, from.delivery)
			}
		}
	}
}

// deliverToList sends to each active actor of the list once.
func (r *Room) deliverToList(numbers []int32, d photon.Delivery) {
	if len(numbers) == 1 {
		if b := r.find(numbers[0]); b != nil && b.active() {
			r.deliver(b, d)
		}
		return
	}
	slices.Sort(numbers)
	for i, nr := range numbers {
		if i > 0 && nr == numbers[i-1] {
			continue
		}
		if b := r.find(nr); b != nil && b.active() {
			r.deliver(b, d)
		}
	}
}

// outgoing is an event on its way to its receivers: the same bytes for all that
// speak the same protocol.
type outgoing struct {
	code       photon.EventCode
	actorNr    int32
	content    photon.Content
	hasContent bool
	tried      [forms]bool
	msgs       [forms][]byte // nil: can't be expressed
	params     photon.Params // all of the event's parameters, in place of content
}

func (o *outgoing) start(ev *Raised, actorNr int32) {
	o.code, o.actorNr, o.content, o.hasContent = ev.Code, actorNr, ev.Content, ev.HasContent
}

func (r *Room) deliver(b *actor, d photon.Delivery) {
	o := &r.out
	if !o.tried[b.form] {
		o.tried[b.form] = true
		if o.params != nil {
			o.msgs[b.form] = r.event(b.form, o.code, o.params)
			r.deliver(b, d)
			return
		}
		content := &o.content
		if !o.hasContent {
			content = nil
		}
		slab := slabs.Get().(*photon.Slab)
		msg, err := contentEvent(slab.Grow(len(o.content.Bytes)+eventOverhead), b.form, o.code, content, o.actorNr)
		if err != nil {
			r.stats.Undeliverable++
		}
		if msg != nil {
			o.msgs[b.form] = slab.Keep(msg)
		}
		slabs.Put(slab)
	}
	if msg := o.msgs[b.form]; msg != nil {
		r.stats.Deliveries++
		b.send(msg, d)
	}
}

// eventOverhead is what an event adds to its content, at most: header and sender
// number, or JSON frame.
const eventOverhead = 64

// contentEvent encodes an event that relays content. What a client's protocol
// can't express is not mutilated: the client gets no event, or one without
// content if it came from JSON (serialization.md 14, websocket-json.md 4.6). msg
// is nil in the first case, err not nil in both.
func contentEvent(dst []byte, f form, code photon.EventCode, content *photon.Content, actorNr int32) (msg []byte, err error) {
	msg, err = photon.AppendContentEvent(dst, f.protocol(), code, content, actorNr)
	if err == nil {
		return msg, nil
	}
	if content.Protocol != photon.JSON {
		return nil, err
	}
	msg, again := photon.AppendContentEvent(dst, f.protocol(), code, nil, actorNr)
	if again != nil {
		return nil, again
	}
	return msg, err
}
