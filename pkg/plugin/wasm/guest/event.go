package guest

import (
	"slices"
	"unsafe"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// Events are what comes often, and compiled Go is slow here: ten times slower
// than native. So OnRaiseEvent has a way of its own that does the least.

// eventCall is all that an event needs, in one piece.
type eventCall struct {
	call
	info plugin.RaiseEventCall
	req  eventRequest
}

// eventRequest is an event's request, and what it was when it came.
type eventRequest struct {
	abi.RaiseEvent
	now plugin.RaiseEventRequest
	was struct {
		code, group byte
		cache       plugin.CacheOption
		receivers   plugin.ReceiverGroup
		flags       plugin.WebFlags
		actors      []int32
		slice       *int32
		index       int32 // *slice
		content     *byte // where it is
		size        int
	}
}

// askEvent is ask for OnRaiseEvent.
func (r *room) askEvent(id int64, args []byte) error {
	e := &eventCall{call: call{room: r, id: id, args: args}}
	fields, n, err := gpbinary.ReadTable(gpbinary.V18, args, shared.fields[:0])
	if err != nil || n != len(args) {
		return abi.ErrArgument
	}
	shared.fields = fields
	caller := plugin.Caller{Source: &e.call}
	e.operation = photon.OpRaiseEvent
	var userID, nickname []byte
	simple := true
	for _, f := range fields {
		k := photon.ParamCode(f.Key)
		ok := true
		switch k {
		case photon.ParamUserID:
			userID = f.Bytes
		case photon.ParamNickName:
			nickname = f.Bytes
		case abi.KeyActorNr:
			e.info.ActorNr, ok = readInt[int32](f.Bytes)
		case photon.ParamEventCode:
			e.req.now.EvCode, ok = readInt[byte](f.Bytes)
		case photon.ParamReceiverGroup:
			e.req.now.ReceiverGroup, ok = readInt[plugin.ReceiverGroup](f.Bytes)
		case photon.ParamData:
			e.req.now.SetContent(photon.Content{Protocol: photon.GpBinaryV18, Bytes: f.Bytes}, true, r.unknown)
			e.req.was.content, e.req.was.size = unsafe.SliceData(f.Bytes), len(f.Bytes)
		default:
			simple = false
		}
		if !ok {
			return abi.ErrArgument
		}
	}
	if !simple {
		if err := abi.Apply(abi.RaiseEvent{RaiseEventRequest: &e.req.now}, &photon.Request{Protocol: photon.GpBinaryV18, Fields: fields}); err != nil {
			return err
		}
	}
	e.req.keep()
	if caller.UserID, caller.Nickname, err = r.callerNames(e.info.ActorNr, userID, nickname); err != nil {
		return err
	}
	e.req.RaiseEvent.RaiseEventRequest = &e.req.now
	e.info.Call = plugin.MakeCall(&e.call, caller)
	e.info.Request = &e.req.now
	e.request, e.call.call = &e.req, &e.info
	r.open = append(r.open, &e.call)
	r.plugin.OnRaiseEvent(&e.info)
	r.asked(&e.call)
	return nil
}

// keep notes what the request is.
func (e *eventRequest) keep() {
	w, r := &e.was, &e.now
	w.code, w.group, w.cache, w.receivers, w.flags = r.EvCode, r.Group, r.Cache, r.ReceiverGroup, r.WebFlags
	w.actors = slices.Clone(r.Actors) // the plugin may write to it
	if w.slice = r.CacheSliceIndex; w.slice != nil {
		w.index = *w.slice
	}
}

// same says that the plugin changed nothing.
func (e *eventRequest) same() bool {
	w, r := &e.was, &e.now
	if w.code != r.EvCode || w.group != r.Group || w.cache != r.Cache || w.receivers != r.ReceiverGroup || w.flags != r.WebFlags ||
		(w.actors == nil) != (r.Actors == nil) || !slices.Equal(w.actors, r.Actors) ||
		w.slice != r.CacheSliceIndex || w.slice != nil && *w.slice != w.index {
		return false
	}
	c, _, err := r.Content()
	return err == nil && len(c.Bytes) == w.size && unsafe.SliceData(c.Bytes) == w.content
}

// maxNames bounds what is remembered of actors.
const maxNames = 1000

// names are a user id and a nickname.
type names struct{ userID, nickname string }

// callerNames decodes the names of an actor. Memory is dear here, and the names
// are those of its last event nearly always.
func (r *room) callerNames(actorNr int32, userID, nickname []byte) (string, string, error) {
	known, ok := r.names[actorNr]
	if ok && known.typed.userID == string(userID) && known.typed.nickname == string(nickname) {
		return known.userID, known.nickname, nil
	}
	fresh := actorNames{typed: names{string(userID), string(nickname)}}
	if len(userID) > 0 {
		if fresh.userID, ok = gpbinary.ReadString(gpbinary.V18, userID); !ok {
			return "", "", abi.ErrArgument
		}
	}
	if len(nickname) > 0 {
		if fresh.nickname, ok = gpbinary.ReadString(gpbinary.V18, nickname); !ok {
			return "", "", abi.ErrArgument
		}
	}
	if r.names == nil || len(r.names) >= maxNames {
		r.names = map[int32]actorNames{}
	}
	r.names[actorNr] = fresh
	return fresh.userID, fresh.nickname, nil
}

// actorNames are an actor's names, and the typed values that they came as.
type actorNames struct {
	names
	typed names
}

func readInt[T ~byte | ~int32](b []byte) (v T, ok bool) {
	n, ok := gpbinary.ReadInt(gpbinary.V18, b)
	v = T(n)
	return v, ok && int64(v) == n
}
