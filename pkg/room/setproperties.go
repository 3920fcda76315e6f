package room

import (
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// PropertiesRequest is SetProperties (loadbalancing-operations.md 3.12). A plugin
// may change it before the room acts.
type PropertiesRequest struct {
	ActorNr    int32 // whose; 0 is the room
	Properties *gpbinary.Hashtable
	// Expected is the condition of a compare-and-swap, nil for none.
	Expected  *gpbinary.Hashtable
	Broadcast bool
	// JSON says that the values come from a JavaScript client.
	JSON bool
}

// SetProperties is a change of properties on its way through the plugin.
type SetProperties struct {
	PropertiesRequest

	room *Room
	seat *Seat
	nr   int32
	req  photon.Request // a copy: the caller's may not outlive the call
}

// CallerNr is the actor that sets.
func (s *SetProperties) CallerNr() int32 { return s.nr }

// Request is the client's operation.
func (s *SetProperties) Request() *photon.Request { return &s.req }

// Continue makes the change and answers. If the room refuses it, the client is
// told and the error returned. If the client has left meanwhile, nothing happens.
func (s *SetProperties) Continue(now time.Duration) error {
	a := s.seat.actor
	if a == nil || s.room.phase != open {
		return errGone
	}
	err := s.room.change(a, &s.req, &s.PropertiesRequest)
	if err != nil {
		Refuse(s.seat.sink, &s.req, err)
		return err
	}
	s.room.hooks.SetProperties(now, s)
	return nil
}

// Fail refuses the change.
func (s *SetProperties) Fail(err *Error) { Refuse(s.seat.sink, &s.req, err) }

// setProperties is operation 252 (loadbalancing-rooms.md 4.2).
func (r *Room) setProperties(now time.Duration, a *actor, req *photon.Request) error {
	set, err := decodeSetProperties(req)
	if err != nil {
		return err
	}
	if r.hooks != nil && r.hooks.WantsProperties() {
		r.hooks.BeforeSetProperties(now, &SetProperties{PropertiesRequest: set, room: r, seat: a.seat, nr: a.nr, req: *req})
		return nil
	}
	return r.change(a, req, &set)
}

func decodeSetProperties(req *photon.Request) (set PropertiesRequest, err error) {
	set.JSON = req.Protocol == photon.JSON
	if set.ActorNr, _, err = req.Int32(photon.ParamActorNr); err != nil {
		return set, err
	}
	read := req.RoomProperties
	if set.ActorNr != 0 {
		read = req.ActorProperties
	}
	var ok bool
	if set.Properties, ok, err = read(photon.ParamProperties); err != nil {
		return set, err
	}
	if !ok {
		return set, photon.Missing(photon.ParamProperties)
	}
	if set.Expected, _, err = read(photon.ParamExpectedValues); err != nil {
		return set, err
	}
	if set.Expected.Len() == 0 { // old JavaScript clients send an empty one for none
		set.Expected = nil
	}
	set.Broadcast, _, err = req.Bool(photon.ParamBroadcast)
	return set, err
}

// change does what a client asked for, answers it, and tells the others.
func (r *Room) change(a *actor, req *photon.Request, set *PropertiesRequest) error {
	c, err := r.checkProperties(set)
	if err != nil {
		return err
	}
	told := r.applyProperties(c)
	r.respond(a.seat.sink, req, nil)
	skip := a
	if set.Expected != nil || r.flags&photon.FlagBroadcastPropertiesChangeToAll != 0 {
		skip = nil // the setter changes its own copy when the event comes
	}
	r.tellProperties(a.nr, set, told, answer(req), skip)
	return nil
}

// checked is a change of properties that can be made.
type checked struct {
	target *actor  // nil: the room
	change *change // of the room
	pairs  []gpbinary.Pair
	update update
}

func (r *Room) checkProperties(set *PropertiesRequest) (c checked, err error) {
	if set.ActorNr != 0 {
		if c.target = r.find(set.ActorNr); c.target == nil || c.target.unborn() {
			return c, photon.BadParam(photon.ParamActorNr, "names actor %d, which is not in the room", set.ActorNr)
		}
		if c.pairs, err = actorPairs(photon.ParamProperties, set.Properties); err != nil {
			return c, err
		}
	} else {
		if c.change, err = r.readRoomTable(photon.ParamProperties, set.Properties, false); err != nil {
			return c, err
		}
		c.pairs = c.change.custom
	}
	if err := r.compare(c.target, set.Expected, set.JSON); err != nil {
		return c, err
	}
	if c.change != nil {
		if err := r.checkSlots(c.change); err != nil {
			return c, err
		}
	}
	table := &r.props
	if c.target != nil {
		table = &c.target.props
	}
	c.update, err = r.prepare(table, c.pairs, set.JSON)
	return c, err
}

// applyProperties makes the change and returns what others are told of it.
func (r *Room) applyProperties(c checked) []gpbinary.Pair {
	if c.target == nil {
		r.apply(c.change, c.update)
		return c.change.told
	}
	r.store(&c.target.props, c.update)
	return c.pairs
}

func (r *Room) tellProperties(callerNr int32, set *PropertiesRequest, told []gpbinary.Pair, d photon.Delivery, skip *actor) {
	if !set.Broadcast || set.ActorNr != 0 && r.flags&photon.FlagSuppressPlayerInfo != 0 {
		return
	}
	if len(told) == 0 {
		return // what it wanted to set is the server's, so that nothing was (loadbalancing-operations.md 5)
	}
	r.broadcast(photon.EventPropertiesChanged, photon.Params{
		photon.Param(photon.ParamActorNr, callerNr),
		photon.Param(photon.ParamTargetActorNr, set.ActorNr),
		photon.Param(photon.ParamProperties, gpbinary.NewHashtable(told...)),
	}, d, skip)
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
