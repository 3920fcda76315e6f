package abi

import (
	"bytes"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
)

// A call's request is written for the guest with all that is not zero. With its
// decision the guest sends back what it changed: Diff finds that, and Apply puts
// it into the request. An entry that is null makes the member zero.

// Request is a request that travels.
type Request interface {
	// write writes all that is not zero.
	write(t *Table)
	// apply takes over the entries that are there.
	apply(r *Reader)
}

// The requests that a plugin may change.
type (
	// JoinGame is CreateGame's and JoinGame's.
	JoinGame struct{ *plugin.JoinGameRequest }
	// Join is OnJoin's, with what may be said about the answer.
	Join struct {
		JoinGame
		Params *plugin.JoinParams
	}
	// RaiseEvent is RaiseEvent's. Its content is not applied: see Content.
	RaiseEvent struct{ *plugin.RaiseEventRequest }
	// SetProperties is SetProperties'.
	SetProperties struct{ *plugin.SetPropertiesRequest }
	// Leave is Leave's; nil if the client did not ask.
	Leave struct{ *plugin.LeaveGameRequest }
	// Close is the room's own.
	Close struct{ *plugin.CloseRequest }
)

// Write writes a request.
func Write(t *Table, r Request) { r.write(t) }

// Apply puts the entries of a table into a request. The error says which of them
// can't be read; then the request may be changed in part.
func Apply(r Request, fields *photon.Request) error {
	reader := Reader{Request: fields}
	r.apply(&reader)
	return reader.Err
}

// Diff writes the entries of now, a request that was written again, that were not
// the same in before, and null for those of a request that are gone.
func Diff(t *Table, before, now []gpbinary.Field) {
	for _, f := range now {
		if old, ok := find(before, f.Key); !ok || !bytes.Equal(old, f.Bytes) {
			t.Raw(photon.ParamCode(f.Key), f.Bytes)
		}
	}
	for _, f := range before {
		if _, ok := find(now, f.Key); !ok && ofRequest(photon.ParamCode(f.Key)) {
			t.Raw(photon.ParamCode(f.Key), []byte{nullCode})
		}
	}
}

// ofRequest says whether an entry is a request's, not the call's.
func ofRequest(k photon.ParamCode) bool {
	switch k {
	case photon.ParamUserID, photon.ParamNickName:
		return false
	}
	return k >= 100 || k == KeyExtraParameters
}

func find(fields []gpbinary.Field, key byte) ([]byte, bool) {
	for i := range fields {
		if fields[i].Key == key {
			return fields[i].Bytes, true
		}
	}
	return nil, false
}

// present says whether an entry is there, be it null.
func (r *Reader) present(k photon.ParamCode) bool {
	_, ok := find(r.Fields, byte(k))
	return ok
}

func (q JoinGame) write(t *Table) {
	t.Text(photon.ParamRoomName, q.GameID)
	t.Number(photon.ParamJoinMode, int32(q.JoinMode))
	t.Number(photon.ParamActorNr, q.ActorNr)
	t.Table(photon.ParamPlayerProperties, q.ActorProperties)
	t.Bool(photon.ParamBroadcast, q.BroadcastActorProperties)
	if q.ExpectedUsers != nil {
		t.Value(photon.ParamExpectedUsers, q.ExpectedUsers)
	}
	if q.Plugins != nil {
		t.Value(photon.ParamPlugins, q.Plugins)
	}
	t.Text(photon.ParamLobbyName, q.LobbyName)
	t.Number(photon.ParamLobbyType, int32(q.LobbyType))
	t.Table(photon.ParamGameProperties, q.GameProperties)
	t.Number(photon.ParamEmptyRoomTTL, q.EmptyRoomLiveTime)
	t.Number(photon.ParamPlayerTTL, q.PlayerTTL)
	t.Number(photon.ParamRoomOptionFlags, int32(q.RoomFlags))
}

func (q JoinGame) apply(r *Reader) {
	for _, f := range r.Fields {
		switch k := photon.ParamCode(f.Key); k {
		case photon.ParamRoomName:
			q.GameID = r.Text(k)
		case photon.ParamJoinMode:
			q.JoinMode = plugin.JoinMode(r.Small(k))
		case photon.ParamActorNr:
			q.ActorNr = r.Number(k)
		case photon.ParamPlayerProperties:
			q.ActorProperties = r.Table(k)
		case photon.ParamBroadcast:
			q.BroadcastActorProperties = r.Flag(k)
		case photon.ParamExpectedUsers:
			q.ExpectedUsers = r.Texts(k)
		case photon.ParamPlugins:
			q.Plugins = r.Texts(k)
		case photon.ParamLobbyName:
			q.LobbyName = r.Text(k)
		case photon.ParamLobbyType:
			q.LobbyType = r.Small(k)
		case photon.ParamGameProperties:
			q.GameProperties = r.Table(k)
		case photon.ParamEmptyRoomTTL:
			q.EmptyRoomLiveTime = r.Number(k)
		case photon.ParamPlayerTTL:
			q.PlayerTTL = r.Number(k)
		case photon.ParamRoomOptionFlags:
			q.RoomFlags = photon.RoomOptionFlags(r.Number(k))
		}
	}
}

// Join writes its two switches even if they are off: they are on by default.
func (q Join) write(t *Table) {
	q.JoinGame.write(t)
	t.Value(KeyPublishCache, q.Params.PublishCache)
	t.Value(KeyPublishJoinEvents, q.Params.PublishJoinEvents)
	t.Params(KeyExtraParameters, q.Params.ResponseExtraParameters)
}

func (q Join) apply(r *Reader) {
	q.JoinGame.apply(r)
	if r.present(KeyPublishCache) {
		q.Params.PublishCache = r.Flag(KeyPublishCache)
	}
	if r.present(KeyPublishJoinEvents) {
		q.Params.PublishJoinEvents = r.Flag(KeyPublishJoinEvents)
	}
	if r.present(KeyExtraParameters) {
		q.Params.ResponseExtraParameters = r.Params(KeyExtraParameters, false)
	}
}

func (q RaiseEvent) write(t *Table) {
	t.Number(photon.ParamEventCode, int32(q.EvCode))
	if q.Actors != nil {
		t.Value(photon.ParamActorList, q.Actors)
	}
	t.Number(photon.ParamCache, int32(q.Cache))
	t.Number(photon.ParamReceiverGroup, int32(q.ReceiverGroup))
	t.Number(photon.ParamGroup, int32(q.Group))
	if q.CacheSliceIndex != nil {
		t.Int(photon.ParamCacheSliceIndex, *q.CacheSliceIndex)
	}
	t.Number(photon.ParamWebFlags, int32(q.WebFlags))
	c, ok, err := q.Content()
	switch {
	case err != nil:
		t.fail(photon.ParamData, err)
	case !ok:
	case c.Protocol == photon.Protocol(form):
		t.Raw(photon.ParamData, c.Bytes)
	default:
		t.key(photon.ParamData)
		t.b, err = c.AppendTo(t.b, photon.Protocol(form))
		t.fail(photon.ParamData, err)
	}
}

func (q RaiseEvent) apply(r *Reader) {
	for _, f := range r.Fields {
		switch k := photon.ParamCode(f.Key); k {
		case photon.ParamEventCode:
			q.EvCode = r.Small(k)
		case photon.ParamActorList:
			q.Actors = r.Numbers(k)
		case photon.ParamCache:
			q.Cache = plugin.CacheOption(r.Small(k))
		case photon.ParamReceiverGroup:
			q.ReceiverGroup = plugin.ReceiverGroup(r.Small(k))
		case photon.ParamGroup:
			q.Group = r.Small(k)
		case photon.ParamCacheSliceIndex:
			q.CacheSliceIndex = nil
			if n, ok, err := r.Int32(k); r.keep(err) && ok {
				q.CacheSliceIndex = &n
			}
		case photon.ParamWebFlags:
			q.WebFlags = plugin.WebFlags(r.Small(k))
		}
	}
}

// Content returns the typed value that a table has for an event's content.
func Content(fields *photon.Request) (c photon.Content, ok bool) {
	b, ok := fields.Raw(photon.ParamData)
	return photon.Content{Protocol: photon.Protocol(form), Bytes: b}, ok
}

func (q SetProperties) write(t *Table) {
	t.Number(photon.ParamActorNr, q.ActorNumber)
	t.Table(photon.ParamProperties, q.Properties)
	t.Table(photon.ParamExpectedValues, q.ExpectedValues)
	t.Bool(photon.ParamBroadcast, q.Broadcast)
	t.Number(photon.ParamWebFlags, int32(q.WebFlags))
}

func (q SetProperties) apply(r *Reader) {
	for _, f := range r.Fields {
		switch k := photon.ParamCode(f.Key); k {
		case photon.ParamActorNr:
			q.ActorNumber = r.Number(k)
		case photon.ParamProperties:
			q.Properties = r.Table(k)
		case photon.ParamExpectedValues:
			q.ExpectedValues = r.Table(k)
		case photon.ParamBroadcast:
			q.Broadcast = r.Flag(k)
		case photon.ParamWebFlags:
			q.WebFlags = plugin.WebFlags(r.Small(k))
		}
	}
}

func (q Leave) write(t *Table) {
	if q.LeaveGameRequest == nil {
		return
	}
	t.Value(KeyIsLeave, true)
	t.Bool(photon.ParamIsInactive, q.IsComingBack)
	t.Number(photon.ParamWebFlags, int32(q.WebFlags))
}

func (q Leave) apply(r *Reader) {
	if q.LeaveGameRequest == nil {
		return
	}
	for _, f := range r.Fields {
		switch k := photon.ParamCode(f.Key); k {
		case photon.ParamIsInactive:
			q.IsComingBack = r.Flag(k)
		case photon.ParamWebFlags:
			q.WebFlags = plugin.WebFlags(r.Small(k))
		}
	}
}

func (q Close) write(t *Table) { t.Number(photon.ParamEmptyRoomTTL, q.EmptyRoomTTL) }

func (q Close) apply(r *Reader) {
	if r.present(photon.ParamEmptyRoomTTL) {
		q.EmptyRoomTTL = r.Number(photon.ParamEmptyRoomTTL)
	}
}
