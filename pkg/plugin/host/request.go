package host

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/room"
)

// entryStep makes the request that the plugin sees out of the room's.
func (h *Host) entryStep(e *room.Entry) *entry {
	r := &plugin.JoinGameRequest{
		GameID: h.opt.GameID, JoinMode: e.Mode, ActorProperties: h.shownTable(e.ActorProperties),
		BroadcastActorProperties: e.Broadcast, ExpectedUsers: e.Expected, Plugins: e.Plugins,
		LobbyName: h.room.ID().Lobby.Name, LobbyType: byte(h.room.ID().Lobby.Type),
	}
	r.ActorNr, _, _ = e.Request().Int32(photon.ParamActorNr)
	if o := e.Options; o != nil {
		r.GameProperties, r.RoomFlags = h.shownTable(o.Properties), o.Flags
		r.EmptyRoomLiveTime = ttl(o.EmptyRoomTTL, r.GameProperties, photon.PropEmptyRoomTTL)
		r.PlayerTTL = ttl(o.PlayerTTL, r.GameProperties, photon.PropPlayerTTL)
	}
	return &entry{h: h, entry: e, request: r, shown: *r}
}

// ttl is a time to live, from its parameter or else from its property.
func ttl(param *int32, properties *plugin.Table, key byte) int32 {
	if param != nil {
		return *param
	}
	v, _ := properties.Get(key)
	n, _ := photon.AsInt(v)
	return int32(n)
}

// apply makes the request as the plugin left it the room's.
func (s *entry) apply() (err error) {
	r, e, h := s.request, s.entry, s.h
	if e.ActorProperties, err = h.wireTable(r.ActorProperties); err != nil {
		return err
	}
	e.Broadcast, e.Expected = r.BroadcastActorProperties, r.ExpectedUsers
	if o := e.Options; o != nil {
		if o.Properties, err = h.wireTable(r.GameProperties); err != nil {
			return err
		}
		o.Flags = r.RoomFlags
		if r.EmptyRoomLiveTime != s.shown.EmptyRoomLiveTime {
			o.EmptyRoomTTL = &r.EmptyRoomLiveTime
		}
		if r.PlayerTTL != s.shown.PlayerTTL {
			o.PlayerTTL = &r.PlayerTTL
		}
	}
	if p := s.params; p != nil {
		e.NoCache, e.NoJoinEvent = !p.PublishCache, !p.PublishJoinEvents
		for _, code := range slices.Sorted(maps.Keys(p.ResponseExtraParameters)) {
			v, err := h.wire(p.ResponseExtraParameters[code])
			if err != nil {
				return err
			}
			e.Extra = append(e.Extra, photon.Param(photon.ParamCode(code), v))
		}
	}
	return nil
}

// createOptions are a new room's options as web services see them
// (loadbalancing-webhooks.md 3).
func createOptions(r *room.Room, req *plugin.JoinGameRequest) map[string]any {
	get := func(key byte) any {
		v, _ := req.GameProperties.Get(key)
		return v
	}
	flag := func(key byte, absent bool) bool {
		if v, ok := get(key).(bool); ok {
			return v
		}
		return absent
	}
	maxPlayers := get(photon.PropMaxPlayersInt)
	if maxPlayers == nil {
		maxPlayers = get(photon.PropMaxPlayers)
	}
	players, _ := photon.AsInt(maxPlayers)
	custom := plugin.NewTable()
	listed, _ := photon.AsStrings(get(photon.PropPropsListedInLobby))
	for _, key := range listed {
		if v, ok := req.GameProperties.Get(key); ok {
			custom.Set(key, v)
		}
	}
	var lobbyID any
	if name := r.ID().Lobby.Name; name != "" {
		lobbyID = name
	}
	return map[string]any{
		"MaxPlayers": int32(players), "IsVisible": flag(photon.PropIsVisible, true), "IsOpen": flag(photon.PropIsOpen, true),
		"LobbyId": lobbyID, "LobbyType": int32(r.ID().Lobby.Type), "CustomProperties": custom,
		"EmptyRoomTTL": req.EmptyRoomLiveTime, "PlayerTTL": req.PlayerTTL,
		"CheckUserOnJoin": req.CheckUserOnJoin(), "DeleteCacheOnLeave": req.DeleteCacheOnLeave(),
		"SuppressRoomEvents": req.SuppressRoomEvents(), "PublishUserId": req.PublishUserID(),
	}
}

// shownTable is a table for a plugin to look at and to change.
func (h *Host) shownTable(t *plugin.Table) *plugin.Table {
	if t == nil {
		return nil
	}
	pairs := slices.Clone(t.Pairs())
	for i := range pairs {
		if v, err := plugin.FromWire(pairs[i].Value); err == nil {
			pairs[i].Value = v
		}
	}
	return plugin.NewTable(pairs...)
}

// wire turns a plugin's value into one that the room can send.
func (h *Host) wire(v any) (any, error) {
	v, err := plugin.ToWire(v, h.unknown)
	if err != nil {
		return nil, err
	}
	if _, err := photon.ContentOf(v); err != nil {
		return nil, err
	}
	return v, nil
}

func (h *Host) wireTable(t *plugin.Table) (*plugin.Table, error) {
	if t == nil {
		return nil, nil
	}
	v, err := h.wire(t)
	if err != nil {
		return nil, err
	}
	return v.(*plugin.Table), nil
}

// cookie is what the authentication provider keeps about a user: JSON until
// somebody asks for it.
type cookie struct {
	text []byte
	m    map[string]any
}

// values decodes the cookie; nil is none.
func (c *cookie) values() map[string]any {
	if c == nil {
		return nil
	}
	if c.m == nil && len(c.text) > 0 {
		if json.Unmarshal(c.text, &c.m) != nil {
			c.text = nil
		}
	}
	return c.m
}

func (h *Host) cookieOf(s room.Sink) *cookie {
	if h.opt.AuthCookie == nil {
		return nil
	}
	text := h.opt.AuthCookie(s)
	if len(text) == 0 {
		return nil
	}
	return &cookie{text: text}
}

// remember keeps the cookie of an actor from when it has its number.
func (h *Host) remember(e *room.Entry, before int32) {
	nr := e.ActorNr()
	if nr == 0 || nr == before && h.cookies[nr] != nil {
		return
	}
	if _, ok := h.room.Actor(nr); !ok {
		return
	}
	c := h.cookieOf(e.Joiner().Sink)
	if c == nil {
		return
	}
	if h.cookies == nil {
		h.cookies = map[int32]*cookie{}
	}
	h.cookies[nr] = c
}

// forget drops what belongs to an actor that is gone for good.
func (h *Host) forget(nr int32) {
	if _, ok := h.room.Actor(nr); !ok {
		delete(h.cookies, nr)
	}
}
