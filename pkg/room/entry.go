package room

import (
	"math"
	"slices"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// entryRequest is what CreateGame and JoinGame say about the one who enters
// (loadbalancing-operations.md 3.6, 3.7). The room's options are read apart:
// a join of an existing room ignores them, even wrong ones.
type entryRequest struct {
	mode      photon.JoinMode
	pairs     []gpbinary.Pair // actor properties
	broadcast bool            // the Join event tells them
	expected  []string
	plugins   []string
	demands   bool // plugins was there
}

func (r *Room) decodeEntry(req *photon.Request) (e entryRequest, err error) {
	if req.Code == photon.OpJoinGame {
		mode, _, err := req.Byte(photon.ParamJoinMode)
		if err != nil {
			return e, err
		}
		if e.mode = photon.JoinMode(mode); e.mode > photon.RejoinOnly {
			return e, photon.BadParam(photon.ParamJoinMode, "is %d, not between 0 and 3", mode)
		}
	}
	table, _, err := req.ActorProperties(photon.ParamPlayerProperties)
	if err != nil {
		return e, err
	}
	if e.pairs, err = actorPairs(photon.ParamPlayerProperties, table); err != nil {
		return e, err
	}
	if e.broadcast, _, err = req.Bool(photon.ParamBroadcast); err != nil {
		return e, err
	}
	if e.expected, _, err = req.Strings(photon.ParamExpectedUsers); err != nil {
		return e, err
	}
	if err = r.checkExpected(e.expected); err != nil {
		return e, err
	}
	e.plugins, e.demands, err = req.Strings(photon.ParamPlugins)
	return e, err
}

// checkPlugin compares the client's demand with the room's plugin
// (loadbalancing-rooms.md 2.5).
func (r *Room) checkPlugin(e *entryRequest) error {
	if !e.demands {
		return nil
	}
	want := DefaultPlugin
	switch len(e.plugins) {
	case 0:
	case 1:
		want = e.plugins[0]
	default:
		return refuse(photon.ReturnPluginMismatch, "parameter 204 (Plugins) names %d plugins, a room has one", len(e.plugins))
	}
	if want != r.cfg.Plugin {
		return refuse(photon.ReturnPluginMismatch, "parameter 204 (Plugins) demands %.64q, the room has %q", want, r.cfg.Plugin)
	}
	return nil
}

// creation is a room's options (loadbalancing-rooms.md 2.2).
type creation struct {
	flags  photon.RoomOptionFlags
	change *change
}

func (r *Room) decodeCreation(req *photon.Request, e *entryRequest) (c creation, err error) {
	table, _, err := req.RoomProperties(photon.ParamGameProperties)
	if err != nil {
		return c, err
	}
	if c.flags, err = decodeFlags(req); err != nil {
		return c, err
	}
	if c.change, err = r.readRoomTable(photon.ParamGameProperties, table, true); err != nil {
		return c, err
	}
	next := &c.change.next
	if err = readTTL(req, photon.ParamEmptyRoomTTL, &next.emptyTTL, 0, r.cfg.maxEmptyRoomTTL()); err != nil {
		return c, err
	}
	if err = readTTL(req, photon.ParamPlayerTTL, &next.playerTTL, -1, math.MaxInt32); err != nil {
		return c, err
	}
	if len(e.expected) > 0 {
		next.expected, next.expectedKnown = e.expected, true
	}
	return c, nil
}

// readTTL reads a time to live in ms, if it is there.
func readTTL(req *photon.Request, p photon.ParamCode, dst *int32, lo, hi int32) error {
	n, ok, err := req.Int(p)
	if err != nil || !ok {
		return err
	}
	if n < int64(lo) || n > int64(hi) {
		return photon.BadParam(p, "is %d ms, not between %d and %d", n, lo, hi)
	}
	*dst = int32(n)
	return nil
}

// decodeFlags reads the room option flags: parameter 191, or the single bools of
// clients that do not know it (loadbalancing-rooms.md 2.3).
func decodeFlags(req *photon.Request) (flags photon.RoomOptionFlags, err error) {
	n, ok, err := req.Int32(photon.ParamRoomOptionFlags)
	if err != nil {
		return 0, err
	}
	if ok {
		flags = photon.RoomOptionFlags(n)
	} else {
		for _, option := range [...]struct {
			param photon.ParamCode
			flag  photon.RoomOptionFlags
			def   bool
		}{
			{photon.ParamCleanupCacheOnLeave, photon.FlagDeleteCacheOnLeave, true},
			{photon.ParamCheckUserOnJoin, photon.FlagCheckUserOnJoin, false},
			{photon.ParamSuppressRoomEvents, photon.FlagSuppressRoomEvents, false},
			{photon.ParamPublishUserID, photon.FlagPublishUserID, false},
		} {
			on, ok, err := req.Bool(option.param)
			if err != nil {
				return 0, err
			}
			if on || !ok && option.def {
				flags |= option.flag
			}
		}
	}
	return impliedFlags(flags), nil
}

// impliedFlags adds the flags that others bring along.
func impliedFlags(flags photon.RoomOptionFlags) photon.RoomOptionFlags {
	if flags&photon.FlagSuppressPlayerInfo != 0 {
		// Clients must know that no Join event will come (loadbalancing-operations.md 3.8).
		flags |= photon.FlagSuppressRoomEvents
	}
	return flags
}

func (r *Room) publishesUserIDs() bool {
	return r.flags&(photon.FlagPublishUserID|photon.FlagSuppressPlayerInfo) == photon.FlagPublishUserID
}

func (r *Room) suppressesRoomEvents() bool { return r.flags&photon.FlagSuppressRoomEvents != 0 }

// union adds the users of more that list has not, in a new list.
func union(list, more []string) []string {
	if len(more) == 0 {
		return list
	}
	known := make(map[string]struct{}, len(list)+len(more))
	for _, id := range list {
		known[id] = struct{}{}
	}
	out := slices.Clip(list)
	for _, id := range more {
		if _, ok := known[id]; !ok {
			known[id] = struct{}{}
			out = append(out, id)
		}
	}
	return out
}
