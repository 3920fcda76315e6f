package room

import (
	"math"
	"slices"

	"github.com/boson-project/boson/pkg/photon"
)

// raised is RaiseEvent (loadbalancing-operations.md 3.11). Its content stays
// undecoded and aliases the request.
type raised struct {
	code       photon.EventCode
	content    photon.Content
	hasContent bool
	caching    photon.EventCaching
	receivers  photon.ReceiverGroup
	group      byte
	actors     []int32 // receivers, or owners of the entries to remove
	hasActors  bool
	slice      int32
	hasSlice   bool
}

// raiseEvent is operation 253, what the servers do all day. It has no response
// unless it fails (loadbalancing-rooms.md 6, 7).
func (r *Room) raiseEvent(a *actor, req *photon.Request) error {
	ev, err := decodeRaiseEvent(req)
	if err != nil {
		return err
	}
	if err := r.checkRaiseEvent(&ev); err != nil {
		return err
	}
	return r.applyRaiseEvent(a, req, &ev)
}

func decodeRaiseEvent(req *photon.Request) (ev raised, err error) {
	caching, _, err := req.Byte(photon.ParamCache)
	if err != nil {
		return ev, err
	}
	ev.caching = photon.EventCaching(caching)
	code, ok, err := req.Byte(photon.ParamEventCode)
	if err != nil {
		return ev, err
	}
	if !ok && sends(ev.caching) {
		return ev, photon.Missing(photon.ParamEventCode)
	}
	ev.code = photon.EventCode(code)
	receivers, _, err := req.Byte(photon.ParamReceiverGroup)
	if err != nil {
		return ev, err
	}
	ev.receivers = photon.ReceiverGroup(receivers)
	if ev.group, _, err = req.Byte(photon.ParamGroup); err != nil {
		return ev, err
	}
	if ev.actors, ev.hasActors, err = req.Ints(photon.ParamActorList); err != nil {
		return ev, err
	}
	if ev.slice, ev.hasSlice, err = req.Int32(photon.ParamCacheSliceIndex); err != nil {
		return ev, err
	}
	ev.content, ev.hasContent = req.Content(photon.ParamData)
	return ev, nil
}

// sends says whether an event goes to receivers; the other options only change
// the cache.
func sends(c photon.EventCaching) bool { return c <= photon.AddToRoomCacheGlobal }

// stores says whether the event is one that the cache keeps
// (loadbalancing-rooms.md 7.1).
func (ev *raised) stores() bool {
	return ev.caching != photon.DoNotCache && ev.caching != photon.RemoveCache && sends(ev.caching) &&
		ev.receivers != photon.ReceiverMasterClient && !ev.hasActors && ev.group == 0
}

func (r *Room) checkRaiseEvent(ev *raised) error {
	switch ev.caching {
	case photon.DoNotCache, photon.MergeCache, photon.ReplaceCache, photon.RemoveCache,
		photon.AddToRoomCache, photon.AddToRoomCacheGlobal,
		photon.RemoveFromRoomCache, photon.RemoveFromRoomCacheForActorsLeft:
	case photon.SliceIncreaseIndex:
		if r.cache.current == math.MaxInt32 {
			return photon.BadParam(photon.ParamCache, "can't increase the slice index any more")
		}
	case photon.SliceSetIndex, photon.SlicePurgeIndex, photon.SlicePurgeUpToIndex:
		if !ev.hasSlice {
			return photon.Missing(photon.ParamCacheSliceIndex)
		}
		if ev.slice < 0 {
			return photon.BadParam(photon.ParamCacheSliceIndex, "is %d, below 0", ev.slice)
		}
	default:
		return photon.BadParam(photon.ParamCache, "is %d, no caching option", ev.caching)
	}
	if !sends(ev.caching) {
		return nil
	}
	if ev.receivers > photon.ReceiverMasterClient {
		return photon.BadParam(photon.ParamReceiverGroup, "is %d, not between 0 and 2", ev.receivers)
	}
	if photon.ReservedEvent(ev.code) && !r.cfg.AllowReservedEvents {
		return photon.BadParam(photon.ParamEventCode, "is %d, which is reserved for the server", ev.code)
	}
	return nil
}

func (r *Room) applyRaiseEvent(a *actor, req *photon.Request, ev *raised) error {
	if !sends(ev.caching) {
		return r.changeCache(ev)
	}
	var cached cacheResult
	if ev.stores() || ev.caching == photon.RemoveCache {
		var err error
		if cached, err = r.cacheEvent(a, req, ev); err != nil {
			return err
		}
	}
	r.stats.Events++
	r.out.start(ev, a.nr)
	switch {
	case ev.hasActors:
		r.deliverToList(ev.actors, req.Delivery)
	case ev.group != 0:
		for _, b := range r.active {
			if b.groups.has(ev.group) && (b != a || ev.receivers == photon.ReceiverAll) {
				r.deliver(b, req.Delivery)
			}
		}
	case ev.receivers == photon.ReceiverMasterClient:
		if m := r.find(r.set.masterClientID); m != nil && m.active() {
			r.deliver(m, req.Delivery)
		}
	default:
		for _, b := range r.active {
			if b != a || ev.receivers == photon.ReceiverAll {
				r.deliver(b, req.Delivery)
			}
		}
	}
	r.out = outgoing{}
	if cached == cacheOverflow {
		r.cacheOverflowed()
	}
	return nil
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
}

func (o *outgoing) start(ev *raised, actorNr int32) {
	o.code, o.actorNr, o.content, o.hasContent = ev.code, actorNr, ev.content, ev.hasContent
}

func (r *Room) deliver(b *actor, d photon.Delivery) {
	o := &r.out
	if !o.tried[b.form] {
		o.tried[b.form] = true
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
