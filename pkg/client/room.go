package client

import (
	"maps"
	"slices"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// Actor is a player in a room. It is a copy; its map is not shared.
type Actor struct {
	ActorNr  int32
	NickName string
	// UserID is known in rooms with PublishUserID.
	UserID     string
	IsInactive bool
	// IsLocal marks the client's own player.
	IsLocal          bool
	CustomProperties map[string]any
}

// Room is the state of the room that a client is in, as far as the client knows.
// It is a copy.
type Room struct {
	Name           string
	MyActorNr      int32
	MasterClientID int32
	MaxPlayers     int
	IsOpen         bool
	IsVisible      bool
	PlayerTTL      int32 // ms
	EmptyRoomTTL   int32 // ms
	Flags          photon.RoomOptionFlags

	CustomProperties   map[string]any
	PropsListedInLobby []string
	ExpectedUsers      []string
	PluginName         string
	PluginVersion      string
	Actors             map[int32]Actor
}

// model is a room as the client keeps it.
type model struct {
	Room
	serverAddress string
	joined        chan struct{} // closed by the own Join event
	joinedAlready bool
}

// PropertiesChange is a change of properties.
type PropertiesChange struct {
	// TargetActorNr is the actor whose properties changed, 0 for the room.
	TargetActorNr int32
	// Sender made the change; 0 is the server.
	Sender int32
	// Properties are the changed ones: string keys are custom, byte keys
	// well-known (loadbalancing-operations.md 5).
	Properties *gpbinary.Hashtable
}

// clone returns a copy for somebody else.
func (r *Room) clone() *Room {
	c := *r
	c.CustomProperties = maps.Clone(r.CustomProperties)
	c.PropsListedInLobby = slices.Clone(r.PropsListedInLobby)
	c.ExpectedUsers = slices.Clone(r.ExpectedUsers)
	c.Actors = make(map[int32]Actor, len(r.Actors))
	for n, a := range r.Actors {
		c.Actors[n] = a.clone()
	}
	return &c
}

func (a Actor) clone() Actor {
	a.CustomProperties = maps.Clone(a.CustomProperties)
	return a
}

// newRoom makes the model of the response to a join (loadbalancing-operations.md 3.8).
// me is the own actor as the client announced it.
func newRoom(name, address string, r *Response, me Actor) *model {
	room := &model{serverAddress: address, joined: make(chan struct{})}
	room.Name, room.IsOpen, room.IsVisible = name, true, true
	room.CustomProperties, room.Actors = make(map[string]any), make(map[int32]Actor)
	room.MyActorNr, _ = r.Int32(photon.ParamActorNr)
	flags, _ := r.Int32(photon.ParamRoomOptionFlags)
	room.Flags = photon.RoomOptionFlags(flags)
	room.PluginName, _ = r.String(photon.ParamPluginName)
	room.PluginVersion, _ = r.String(photon.ParamPluginVersion)
	if props, ok := r.Properties(photon.ParamGameProperties); ok {
		room.apply(props)
	}
	list, _ := r.Ints(photon.ParamActorList)
	for _, n := range list {
		room.actor(n)
	}
	if actors, ok := r.Table(photon.ParamPlayerProperties); ok {
		for _, pair := range actors.Pairs() {
			n, ok1 := actorKey(pair.Key)
			props, ok2 := pair.Value.(*gpbinary.Hashtable)
			if !ok1 || !ok2 {
				continue
			}
			if r.Protocol() == photon.JSON {
				props = wellKnownKeys(props)
			}
			a := room.actor(n)
			a.apply(props, room.deletesNull())
			room.Actors[n] = a
		}
	}
	own := room.actor(room.MyActorNr)
	own.NickName = me.NickName
	if me.UserID != "" {
		own.UserID = me.UserID
	}
	own.IsInactive = false
	maps.Copy(own.CustomProperties, me.CustomProperties)
	room.Actors[room.MyActorNr] = own
	return room
}

func (r *Room) suppressesEvents() bool { return r.Flags&photon.FlagSuppressRoomEvents != 0 }

func (r *Room) deletesNull() bool { return r.Flags&photon.FlagDeleteNullProperties != 0 }

// actor returns the actor, a new one if it is unknown.
func (r *Room) actor(n int32) Actor {
	a, ok := r.Actors[n]
	if !ok {
		a = Actor{ActorNr: n, IsLocal: n == r.MyActorNr, CustomProperties: make(map[string]any)}
		r.Actors[n] = a
	}
	return a
}

// apply takes over room properties. Numbers count in any width.
func (r *Room) apply(props *gpbinary.Hashtable) {
	for _, pair := range props.Pairs() {
		key, ok := pair.Key.(byte)
		if !ok {
			setCustom(r.CustomProperties, pair, r.deletesNull())
			continue
		}
		n, isInt := intOf(pair.Value)
		b, isBool := pair.Value.(bool)
		switch {
		case key == photon.PropMaxPlayers && isInt:
			// 243, where it is given, wins.
			if _, wide := props.Get(photon.PropMaxPlayersInt); !wide {
				r.MaxPlayers = int(n)
			}
		case key == photon.PropMaxPlayersInt && isInt:
			r.MaxPlayers = int(n)
		case key == photon.PropIsVisible && isBool:
			r.IsVisible = b
		case key == photon.PropIsOpen && isBool:
			r.IsOpen = b
		case key == photon.PropMasterClientID && isInt:
			r.MasterClientID = n
		case key == photon.PropPlayerTTL && isInt:
			r.PlayerTTL = n
		case key == photon.PropEmptyRoomTTL && isInt:
			r.EmptyRoomTTL = n
		case key == photon.PropPropsListedInLobby:
			r.PropsListedInLobby, _ = photon.AsStrings(pair.Value)
		case key == photon.PropExpectedUsers:
			r.ExpectedUsers, _ = photon.AsStrings(pair.Value)
		}
	}
}

// apply takes over actor properties.
func (a *Actor) apply(props *gpbinary.Hashtable, deleteNull bool) {
	if a.CustomProperties == nil {
		a.CustomProperties = make(map[string]any)
	}
	for _, pair := range props.Pairs() {
		switch pair.Key {
		case photon.ActorPropNickName:
			a.NickName, _ = pair.Value.(string)
		case photon.ActorPropIsInactive:
			a.IsInactive, _ = pair.Value.(bool)
		case photon.ActorPropUserID:
			a.UserID, _ = pair.Value.(string)
		default:
			setCustom(a.CustomProperties, pair, deleteNull)
		}
	}
}

// setCustom sets a custom property. Where nulls delete, a null deletes.
func setCustom(m map[string]any, pair gpbinary.Pair, deleteNull bool) {
	key, ok := pair.Key.(string)
	switch {
	case !ok:
	case pair.Value == nil && deleteNull:
		delete(m, key)
	default:
		m[key] = pair.Value
	}
}

// join takes a Join event and returns the actor (loadbalancing-operations.md 4).
func (r *model) join(e *Event) Actor {
	n := e.ActorNr()
	list, _ := e.Ints(photon.ParamActorList)
	for _, other := range list {
		r.actor(other)
	}
	a := r.actor(n)
	a.IsInactive = false
	if props, ok := e.Properties(photon.ParamPlayerProperties); ok {
		a.apply(props, r.deletesNull())
	}
	r.Actors[n] = a
	if n == r.MyActorNr && !r.joinedAlready {
		r.joinedAlready = true
		close(r.joined)
	}
	return a.clone()
}

// leave takes a Leave event. newMaster is 0 when the master client stays.
func (r *Room) leave(e *Event) (a Actor, inactive bool, newMaster int32) {
	n := e.ActorNr()
	a = r.actor(n)
	inactive, _ = e.Bool(photon.ParamIsInactive)
	if inactive {
		a.IsInactive = true
		r.Actors[n] = a
	} else {
		delete(r.Actors, n)
	}
	if m, ok := e.Int32(photon.ParamMasterClientID); ok && m != 0 {
		r.MasterClientID, newMaster = m, m
	}
	return a.clone(), inactive, newMaster
}

// change takes changed properties, of the room or of an actor.
func (r *Room) change(target int32, props *gpbinary.Hashtable) {
	if target == 0 {
		r.apply(props)
		return
	}
	a := r.actor(target)
	a.apply(props, r.deletesNull())
	r.Actors[target] = a
}
