package room

import (
	"math"
	"slices"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// EntryRequest is what CreateGame and JoinGame say about the one who enters
// (loadbalancing-operations.md 3.6, 3.7). A plugin may change it before the room
// acts, but not Mode and Plugins.
type EntryRequest struct {
	Mode            photon.JoinMode
	ActorProperties *gpbinary.Hashtable
	Broadcast       bool // the Join event tells them
	Expected        []string
	Plugins         []string
	// Demands says that Plugins was there.
	Demands bool
	// Options are the new room's; nil in a join of an existing one, which ignores
	// them, even wrong ones.
	Options *Options
	// JSON says that the values come from a JavaScript client.
	JSON bool
}

// Options are a new room's (loadbalancing-rooms.md 2.2).
type Options struct {
	Properties *gpbinary.Hashtable
	Flags      photon.RoomOptionFlags
	// EmptyRoomTTL and PlayerTTL in ms, nil where the request does not say. They
	// count more than properties 245 and 246.
	EmptyRoomTTL, PlayerTTL *int32
}

func (r *Room) decodeEntry(req *photon.Request) (e EntryRequest, err error) {
	e.JSON = req.Protocol == photon.JSON
	if req.Code == photon.OpJoinGame {
		mode, _, err := req.Byte(photon.ParamJoinMode)
		if err != nil {
			return e, err
		}
		if e.Mode = photon.JoinMode(mode); e.Mode > photon.RejoinOnly {
			return e, photon.BadParam(photon.ParamJoinMode, "is %d, not between 0 and 3", mode)
		}
	}
	if e.ActorProperties, _, err = req.ActorProperties(photon.ParamPlayerProperties); err != nil {
		return e, err
	}
	if e.Broadcast, _, err = req.Bool(photon.ParamBroadcast); err != nil {
		return e, err
	}
	if e.Expected, _, err = req.Strings(photon.ParamExpectedUsers); err != nil {
		return e, err
	}
	e.Plugins, e.Demands, err = req.Strings(photon.ParamPlugins)
	return e, err
}

func (r *Room) decodeOptions(req *photon.Request) (o *Options, err error) {
	o = &Options{}
	if o.Properties, _, err = req.RoomProperties(photon.ParamGameProperties); err != nil {
		return nil, err
	}
	if o.Flags, err = decodeFlags(req); err != nil {
		return nil, err
	}
	if o.EmptyRoomTTL, err = readTTL(req, photon.ParamEmptyRoomTTL); err != nil {
		return nil, err
	}
	o.PlayerTTL, err = readTTL(req, photon.ParamPlayerTTL)
	return o, err
}

// readTTL reads a time to live in ms, if it is there.
func readTTL(req *photon.Request, p photon.ParamCode) (*int32, error) {
	n, ok, err := req.Int32(p)
	if err != nil || !ok {
		return nil, err
	}
	return &n, nil
}

// checkPlugin compares the client's demand with the room's plugin
// (loadbalancing-rooms.md 2.5).
func (r *Room) checkPlugin(e *EntryRequest) error {
	if !e.Demands {
		return nil
	}
	want := DefaultPlugin
	switch len(e.Plugins) {
	case 0:
	case 1:
		want = e.Plugins[0]
	default:
		return refuse(photon.ReturnPluginMismatch, "parameter 204 (Plugins) names %d plugins, a room has one", len(e.Plugins))
	}
	if want != r.cfg.Plugin {
		return refuse(photon.ReturnPluginMismatch, "parameter 204 (Plugins) demands %.64q, the room has %q", want, r.cfg.Plugin)
	}
	return nil
}

// checkOptions returns the settings and properties of a new room.
func (r *Room) checkOptions(o *Options, expected []string) (*change, error) {
	c, err := r.readRoomTable(photon.ParamGameProperties, o.Properties, true)
	if err != nil {
		return nil, err
	}
	next := &c.next
	if err = setTTL(&next.emptyTTL, photon.ParamEmptyRoomTTL, o.EmptyRoomTTL, 0, r.cfg.maxEmptyRoomTTL()); err != nil {
		return nil, err
	}
	if err = setTTL(&next.playerTTL, photon.ParamPlayerTTL, o.PlayerTTL, -1, math.MaxInt32); err != nil {
		return nil, err
	}
	if len(expected) > 0 {
		next.expected, next.expectedKnown = expected, true
	}
	return c, nil
}

func setTTL(dst *int32, p photon.ParamCode, ttl *int32, lo, hi int32) error {
	if ttl == nil {
		return nil
	}
	if *ttl < lo || *ttl > hi {
		return photon.BadParam(p, "is %d ms, not between %d and %d", *ttl, lo, hi)
	}
	*dst = *ttl
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
