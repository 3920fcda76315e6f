package room

import (
	"errors"
	"sync"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// reliable is how everything but raised events travels.
var reliable = photon.Delivery{Mode: photon.Reliable}

// slabs is where messages get their memory. Rooms share it, so that one that
// nobody speaks in holds none.
var slabs = sync.Pool{New: func() any { return new(photon.Slab) }}

// form numbers the serializations: an event exists at most once in each.
type form uint8

const (
	formV16 form = iota
	formV18
	formJSON
	forms
)

func formOf(p photon.Protocol) form {
	switch p {
	case photon.GpBinaryV16:
		return formV16
	case photon.GpBinaryV18:
		return formV18
	default:
		return formJSON
	}
}

func (f form) protocol() photon.Protocol {
	return [forms]photon.Protocol{photon.GpBinaryV16, photon.GpBinaryV18, photon.JSON}[f]
}

// answer is the delivery of a response: as secret as the request
// (loadbalancing.md 2.11).
func answer(req *photon.Request) photon.Delivery {
	return photon.Delivery{Mode: photon.Reliable, Encrypt: req.Delivery.Encrypt}
}

// Refuse answers a request with the error's code and text. The game server uses
// it as well, for what never reaches a room.
func Refuse(s Sink, req *photon.Request, err error) {
	var params photon.Params
	var refusal *Error
	if errors.As(err, &refusal) {
		params = refusal.Params
	}
	msg, encodeErr := photon.AppendResponse(nil, s.Protocol(), req.Code, Code(err), err.Error(), params)
	if encodeErr != nil {
		// Only the text, which may quote what the client sent, and the parameters
		// can be at fault.
		msg, _ = photon.AppendResponse(nil, s.Protocol(), req.Code, Code(err), "refused", nil)
	}
	s.Send(msg, answer(req))
}

// respond answers a request with success.
func (r *Room) respond(s Sink, req *photon.Request, params photon.Params) {
	p := s.Protocol()
	slab := slabs.Get().(*photon.Slab)
	defer slabs.Put(slab)
	msg, err := photon.AppendResponse(slab.Grow(512), p, req.Code, photon.ReturnOk, "", params)
	if err != nil {
		msg, err = photon.AppendResponse(slab.Grow(512), p, req.Code, photon.ReturnOk, "", r.expressible(p, params))
	}
	if err != nil {
		r.stats.Undeliverable++
		Refuse(s, req, refuse(photon.ReturnInternalServerError, "response can't be encoded: %v", err))
		return
	}
	s.Send(slab.Keep(msg), answer(req))
}

// event encodes an event of the server's own, or returns nil.
func (r *Room) event(f form, code photon.EventCode, params photon.Params) []byte {
	p := f.protocol()
	slab := slabs.Get().(*photon.Slab)
	defer slabs.Put(slab)
	msg, err := photon.AppendEvent(slab.Grow(512), p, code, params)
	if err != nil {
		msg, err = photon.AppendEvent(slab.Grow(512), p, code, r.expressible(p, params))
	}
	if err != nil {
		r.stats.Undeliverable++
		return nil
	}
	return slab.Keep(msg)
}

// broadcast sends an event of the server's own to all active actors but skip,
// encoded once per serialization.
func (r *Room) broadcast(code photon.EventCode, params photon.Params, d photon.Delivery, skip *actor) {
	var msgs [forms][]byte
	var tried [forms]bool
	for _, a := range r.active {
		if a == skip {
			continue
		}
		if !tried[a.form] {
			tried[a.form] = true
			msgs[a.form] = r.event(a.form, code, params)
		}
		if msgs[a.form] != nil {
			a.send(msgs[a.form], d)
		}
	}
}

// tellOne sends an event of the server's own to one active actor.
func (r *Room) tellOne(a *actor, code photon.EventCode, params photon.Params) {
	if msg := r.event(a.form, code, params); msg != nil {
		a.send(msg, reliable)
	}
}

// expressible returns params without the properties that protocol p has no form
// for (serialization.md 14): the others must still arrive.
func (r *Room) expressible(p photon.Protocol, params photon.Params) photon.Params {
	out := make(photon.Params, 0, len(params))
	for _, param := range params {
		t, ok := param.Value.(*gpbinary.Hashtable)
		switch {
		case !ok:
		case photon.ParamCode(param.Key) == photon.ParamPlayerProperties && ofActors(t):
			actors := gpbinary.NewHashtable()
			for _, pair := range t.Pairs() {
				actors.Set(pair.Key, r.expressibleTable(p, pair.Value.(*gpbinary.Hashtable)))
			}
			param.Value = actors
		default:
			param.Value = r.expressibleTable(p, t)
		}
		out = append(out, param)
	}
	return out
}

// ofActors tells a table of actors' tables, as in responses, from one actor's
// table, as in Join events. Only the first has int keys alone.
func ofActors(t *gpbinary.Hashtable) bool {
	for _, pair := range t.Pairs() {
		_, isNr := pair.Key.(int32)
		_, isTable := pair.Value.(*gpbinary.Hashtable)
		if !isNr || !isTable {
			return false
		}
	}
	return true
}

func (r *Room) expressibleTable(p photon.Protocol, t *gpbinary.Hashtable) *gpbinary.Hashtable {
	kept := make([]gpbinary.Pair, 0, t.Len())
	for _, pair := range t.Pairs() {
		one := photon.Params{photon.Param(photon.ParamProperties, gpbinary.NewHashtable(pair))}
		if _, err := photon.AppendEvent(r.scratch[:0], p, 0, one); err != nil {
			r.stats.Undeliverable++
			continue
		}
		kept = append(kept, pair)
	}
	return gpbinary.NewHashtable(kept...)
}
