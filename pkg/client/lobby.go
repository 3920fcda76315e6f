package client

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// RoomInfo is a room in a lobby's list.
type RoomInfo struct {
	Name string
	// Removed: the room is gone from the list; the other fields mean nothing.
	Removed          bool
	MaxPlayers       int
	PlayerCount      int
	IsOpen           bool
	CustomProperties map[string]any
}

// AppStats are the numbers of an application in a region.
type AppStats struct {
	PlayersInRooms  int32
	Rooms           int32
	PlayersOnMaster int32
}

// LobbyStatistics are the numbers of one lobby.
type LobbyStatistics struct {
	Lobby   TypedLobby
	Players int32
	Rooms   int32
}

// FriendInfo says where a friend is.
type FriendInfo struct {
	UserID   string
	IsOnline bool
	// Room is the room's name, or empty.
	Room string
}

// roomList reads the rows of a room list (loadbalancing-matchmaking.md 3).
func roomList(f *Fields) []RoomInfo {
	rows, _ := f.Table(photon.ParamGameList)
	list := make([]RoomInfo, 0, rows.Len())
	for _, row := range rows.Pairs() {
		name, ok1 := row.Key.(string)
		props, ok2 := row.Value.(*gpbinary.Hashtable)
		if !ok1 || !ok2 {
			continue
		}
		if f.Protocol() == photon.JSON {
			props = wellKnownKeys(props)
		}
		list = append(list, roomInfo(name, props))
	}
	return list
}

func roomInfo(name string, props *gpbinary.Hashtable) RoomInfo {
	var model Room
	model.CustomProperties = make(map[string]any)
	model.apply(props)
	info := RoomInfo{
		Name: name, MaxPlayers: model.MaxPlayers, IsOpen: model.IsOpen, CustomProperties: model.CustomProperties,
	}
	if v, ok := props.Get(photon.PropRemoved); ok {
		info.Removed, _ = v.(bool)
	}
	if v, ok := props.Get(photon.PropPlayerCount); ok {
		n, _ := intOf(v)
		info.PlayerCount = int(n)
	}
	return info
}

// lobbyStatistics reads the parallel arrays of event 224 or of a response to 221.
// lobbies are those that the request named, nil for none.
func lobbyStatistics(f *Fields, lobbies []TypedLobby) ([]LobbyStatistics, error) {
	players, _ := f.Ints(photon.ParamPeerCount)
	rooms, _ := f.Ints(photon.ParamGameCount)
	if lobbies == nil {
		names, _ := f.Strings(photon.ParamLobbyName)
		types, _ := f.Bytes(photon.ParamLobbyType)
		if len(names) != len(types) {
			return nil, fmt.Errorf("client: lobby statistics have %d names and %d types", len(names), len(types))
		}
		for i := range names {
			lobbies = append(lobbies, TypedLobby{names[i], LobbyType(types[i])})
		}
	}
	if len(players) != len(lobbies) || len(rooms) != len(lobbies) {
		return nil, fmt.Errorf("client: statistics of %d lobbies have %d players and %d rooms", len(lobbies), len(players), len(rooms))
	}
	out := make([]LobbyStatistics, len(lobbies))
	for i := range out {
		out[i] = LobbyStatistics{lobbies[i], players[i], rooms[i]}
	}
	return out, nil
}

// JoinLobby enters a lobby, nil for the default one. Its room list comes to
// OnRoomList. Only on a master.
func (c *Client) JoinLobby(ctx context.Context, lobby *TypedLobby) error {
	_, err := c.operation(ctx, photon.OpJoinLobby, lobbyParams(lobby), SendReliable, func(r *Response) {
		if r.Err() != nil {
			return
		}
		c.mu.Lock()
		c.lobby = lobby
		c.inLobby = true
		c.rooms = nil
		c.mu.Unlock()
	})
	return err
}

// LeaveLobby leaves the lobby.
func (c *Client) LeaveLobby(ctx context.Context) error {
	_, err := c.operation(ctx, photon.OpLeaveLobby, nil, SendReliable, nil)
	if err == nil {
		c.mu.Lock()
		c.lobby, c.inLobby, c.rooms = nil, false, nil
		c.mu.Unlock()
	}
	return err
}

// InLobby says whether the client is in a lobby.
func (c *Client) InLobby() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.inLobby
}

// RoomList returns the rooms of the lobby that the server has told of, by name.
func (c *Client) RoomList() []RoomInfo {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]RoomInfo, 0, len(c.rooms))
	for _, name := range slices.Sorted(maps.Keys(c.rooms)) {
		list = append(list, c.rooms[name])
	}
	return list
}

// lobbyParams name a lobby. The default one is named by nothing.
func lobbyParams(l *TypedLobby) photon.Params {
	if l == nil || l.Name == "" {
		return nil
	}
	return photon.Params{
		photon.Param(photon.ParamLobbyName, l.Name),
		photon.Param(photon.ParamLobbyType, byte(l.Type)),
	}
}

// FindFriends asks which users are online, and where. Only on a master. The
// answer has the order of the question.
func (c *Client) FindFriends(ctx context.Context, userIDs []string, options photon.FindFriendsOptions) ([]FriendInfo, error) {
	params := photon.Params{photon.Param(photon.ParamFindFriendsUsers, userIDs)}
	if options != 0 {
		params = append(params, photon.Param(photon.ParamFindFriendsOptions, int32(options)))
	}
	r, err := c.operation(ctx, photon.OpFindFriends, params, SendReliable, nil)
	if err != nil {
		return nil, err
	}
	v, _ := r.Value(photon.ParamFindFriendsOnline)
	online := bools(v)
	rooms, _ := r.Strings(photon.ParamFindFriendsRoomIDs)
	if len(online) != len(userIDs) || len(rooms) != len(userIDs) {
		return nil, fmt.Errorf("client: answer about %d friends has %d states and %d rooms", len(userIDs), len(online), len(rooms))
	}
	out := make([]FriendInfo, len(userIDs))
	for i := range out {
		out[i] = FriendInfo{userIDs[i], online[i], rooms[i]}
	}
	return out, nil
}

// bools reads a bool[], from JSON an array of bools.
func bools(v any) []bool {
	switch x := v.(type) {
	case []bool:
		return x
	case gpbinary.ObjectArray:
		out := make([]bool, len(x))
		for i := range x {
			b, ok := x[i].(bool)
			if !ok {
				return nil
			}
			out[i] = b
		}
		return out
	}
	return nil
}

// GetLobbyStats asks for the numbers of some lobbies, of all when none is named.
// Only on a master.
func (c *Client) GetLobbyStats(ctx context.Context, lobbies ...TypedLobby) ([]LobbyStatistics, error) {
	var params photon.Params
	if len(lobbies) > 0 {
		names, types := make([]string, len(lobbies)), make([]byte, len(lobbies))
		for i, l := range lobbies {
			names[i], types[i] = l.Name, byte(l.Type)
		}
		params = photon.Params{photon.Param(photon.ParamLobbyName, names), photon.Param(photon.ParamLobbyType, types)}
	}
	r, err := c.operation(ctx, photon.OpGetLobbyStats, params, SendReliable, nil)
	if err != nil {
		return nil, err
	}
	return lobbyStatistics(&r.Fields, lobbies)
}

// GetGameList asks for the rooms of an SQL lobby that match a filter, at most
// 100. Only on a master.
func (c *Client) GetGameList(ctx context.Context, lobby TypedLobby, sqlFilter string) ([]RoomInfo, error) {
	params := append(lobbyParams(&lobby), photon.Param(photon.ParamData, sqlFilter))
	r, err := c.operation(ctx, photon.OpGetGameList, params, SendReliable, nil)
	if err != nil {
		return nil, err
	}
	return roomList(&r.Fields), nil
}
