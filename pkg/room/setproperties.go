package room

import (
	"slices"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// propertiesRequest is SetProperties (loadbalancing-operations.md 3.12).
type propertiesRequest struct {
	target    *actor // nil: the room
	expected  *gpbinary.Hashtable
	broadcast bool

	change *change         // of the room
	pairs  []gpbinary.Pair // custom properties of the room, or those of the actor
}

// setProperties is operation 252 (loadbalancing-rooms.md 4.2).
func (r *Room) setProperties(a *actor, req *photon.Request) error {
	set, err := r.decodeSetProperties(req)
	if err != nil {
		return err
	}
	update, err := r.checkSetProperties(&set, req.Protocol == photon.JSON)
	if err != nil {
		return err
	}
	r.applyProperties(a, req, &set, update)
	return nil
}

func (r *Room) decodeSetProperties(req *photon.Request) (set propertiesRequest, err error) {
	nr, _, err := req.Int32(photon.ParamActorNr)
	if err != nil {
		return set, err
	}
	if nr != 0 {
		if set.target = r.find(nr); set.target == nil {
			return set, photon.BadParam(photon.ParamActorNr, "names actor %d, which is not in the room", nr)
		}
	}
	read := req.RoomProperties
	if set.target != nil {
		read = req.ActorProperties
	}
	table, ok, err := read(photon.ParamProperties)
	if err != nil {
		return set, err
	}
	if !ok {
		return set, photon.Missing(photon.ParamProperties)
	}
	if set.expected, _, err = read(photon.ParamExpectedValues); err != nil {
		return set, err
	}
	if set.expected.Len() == 0 { // old JavaScript clients send an empty one for none
		set.expected = nil
	}
	if set.broadcast, _, err = req.Bool(photon.ParamBroadcast); err != nil {
		return set, err
	}
	if set.target != nil {
		set.pairs, err = actorPairs(photon.ParamProperties, table)
		return set, err
	}
	if set.change, err = r.readRoomTable(photon.ParamProperties, table, false); err != nil {
		return set, err
	}
	set.pairs = set.change.custom
	return set, nil
}

func (r *Room) checkSetProperties(set *propertiesRequest, json bool) (update, error) {
	if err := r.compare(set.target, set.expected, json); err != nil {
		return update{}, err
	}
	if set.change != nil {
		if err := r.checkSlots(set.change); err != nil {
			return update{}, err
		}
	}
	return r.prepare(r.tableOf(set.target), set.pairs, json)
}

func (r *Room) tableOf(target *actor) *properties {
	if target == nil {
		return &r.props
	}
	return &target.props
}

func (r *Room) applyProperties(a *actor, req *photon.Request, set *propertiesRequest, u update) {
	told := set.pairs
	var targetNr int32
	if set.target == nil {
		told = set.change.told
		r.apply(set.change, u)
	} else {
		targetNr = set.target.nr
		r.store(&set.target.props, u)
	}
	r.respond(a.seat.sink, req, nil)
	if !set.broadcast || set.target != nil && r.flags&photon.FlagSuppressPlayerInfo != 0 {
		return
	}
	skip := a
	if set.expected != nil || r.flags&photon.FlagBroadcastPropertiesChangeToAll != 0 {
		skip = nil // the setter changes its own copy when the event comes
	}
	r.broadcast(photon.EventPropertiesChanged, photon.Params{
		photon.Param(photon.ParamActorNr, a.nr),
		photon.Param(photon.ParamTargetActorNr, targetNr),
		photon.Param(photon.ParamProperties, gpbinary.NewHashtable(told...)),
	}, answer(req), skip)
}

// tellRoomProperty tells all active actors but skip of a well-known property
// that the server changed.
func (r *Room) tellRoomProperty(key byte, value any, skip *actor) {
	r.broadcast(photon.EventPropertiesChanged, photon.Params{
		photon.Param(photon.ParamActorNr, int32(0)),
		photon.Param(photon.ParamTargetActorNr, int32(0)),
		photon.Param(photon.ParamProperties, gpbinary.NewHashtable(gpbinary.Pair{Key: key, Value: value})),
	}, reliable, skip)
}

// compare is the condition of a compare-and-swap (loadbalancing-rooms.md 4.3).
func (r *Room) compare(target *actor, expected *gpbinary.Hashtable, json bool) error {
	for _, want := range expected.Pairs() {
		var ok bool
		if target == nil {
			ok = r.roomHolds(want, json)
		} else {
			ok = target.holds(want, json)
		}
		if !ok {
			return photon.BadParam(photon.ParamExpectedValues, "does not hold for key %s", keyText(want.Key))
		}
	}
	return nil
}

func (r *Room) roomHolds(want gpbinary.Pair, json bool) bool {
	key, ok := want.Key.(uint8)
	if !ok {
		return r.props.holds(want, json)
	}
	have, ok := r.wellKnown(key)
	if !ok {
		return r.props.holds(want, json)
	}
	if list, ok := have.([]string); ok {
		// Nothing set, null and an empty list are one.
		wanted, ok := photon.AsStrings(want.Value)
		return (ok || want.Value == nil) && slices.Equal(list, wanted)
	}
	if key == photon.PropMaxPlayers && gpbinary.EqualValues(want.Value, r.set.maxPlayers) {
		return true
	}
	return gpbinary.EqualValues(want.Value, have)
}

func (a *actor) holds(want gpbinary.Pair, json bool) bool {
	switch want.Key {
	case photon.ActorPropUserID:
		return want.Value == a.userID
	case photon.ActorPropIsInactive:
		return want.Value == !a.active() || want.Value == nil && a.active()
	}
	return a.props.holds(want, json)
}

// holds compares one expected value. Null is an absent key and a stored null.
func (t *properties) holds(want gpbinary.Pair, json bool) bool {
	have, ok := t.get(want.Key)
	if !ok {
		return want.Value == nil
	}
	return equal(have, want.Value, json || t.meta[want.Key].json)
}

// equal compares two values: exactly between binary clients, numbers by value
// as soon as one side came from JSON.
func equal(a, b any, json bool) bool {
	if json {
		return gpbinary.EqualValues(a, b)
	}
	return gpbinary.Equal(a, b)
}
