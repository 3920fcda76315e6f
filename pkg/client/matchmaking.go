package client

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// entry is one way into a room: the request to the master and what it becomes on
// the game server (loadbalancing.md 3.6).
type entry struct {
	masterOp     photon.OpCode
	masterParams photon.Params
	gameOp       photon.OpCode
	mode         photon.JoinMode
	params       EnterRoomParams
}

// CreateRoom creates a room and enters it. The room must not exist.
//
// When a server refuses, with an *OperationError, the client is on the master
// again. After any other error of this and the other ways into a room the client
// may be anywhere on the way; Connect and ReconnectToMaster start anew.
func (c *Client) CreateRoom(ctx context.Context, params EnterRoomParams) error {
	return c.enter(ctx, entry{
		masterOp: photon.OpCreateGame, masterParams: masterParams(params, photon.JoinDefault),
		gameOp: photon.OpCreateGame, params: params,
	})
}

// JoinRoom enters a room that exists.
func (c *Client) JoinRoom(ctx context.Context, params EnterRoomParams) error {
	return c.join(ctx, params, photon.JoinDefault)
}

// JoinOrCreateRoom enters a room and creates it if it does not exist.
func (c *Client) JoinOrCreateRoom(ctx context.Context, params EnterRoomParams) error {
	return c.join(ctx, params, photon.CreateIfNotExists)
}

// RejoinRoom comes back to a room as the actor that the client was before.
func (c *Client) RejoinRoom(ctx context.Context, name string) error {
	return c.join(ctx, EnterRoomParams{RoomName: name}, photon.RejoinOnly)
}

func (c *Client) join(ctx context.Context, params EnterRoomParams, mode photon.JoinMode) error {
	return c.enter(ctx, entry{
		masterOp: photon.OpJoinGame, masterParams: masterParams(params, mode),
		gameOp: photon.OpJoinGame, mode: mode, params: params,
	})
}

// JoinRandomRoom enters a room that matches.
func (c *Client) JoinRandomRoom(ctx context.Context, random JoinRandomRoomParams) error {
	return c.enter(ctx, entry{
		masterOp: photon.OpJoinRandomGame, masterParams: randomParams(random),
		gameOp: photon.OpJoinGame,
		params: EnterRoomParams{Lobby: random.Lobby, ExpectedUsers: random.ExpectedUsers, Ticket: random.Ticket},
	})
}

// JoinRandomOrCreateRoom enters a room that matches, or else creates one.
func (c *Client) JoinRandomOrCreateRoom(ctx context.Context, random JoinRandomRoomParams, create EnterRoomParams) error {
	params := append(randomParams(random), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)))
	if create.RoomName != "" {
		params = append(params, photon.Param(photon.ParamRoomName, create.RoomName))
	}
	return c.enter(ctx, entry{
		masterOp: photon.OpJoinRandomGame, masterParams: params,
		gameOp: photon.OpJoinGame, mode: photon.CreateIfNotExists, params: create,
	})
}

// ReconnectAndRejoin goes back into the room that the client was in, straight to
// its game server, after the connection was lost.
func (c *Client) ReconnectAndRejoin(ctx context.Context) error {
	ctx, finish, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer finish()
	c.mu.RLock()
	room := c.room
	c.mu.RUnlock()
	if room == nil {
		return fmt.Errorf("client: was in no room: %w", ErrState)
	}
	e := entry{gameOp: photon.OpJoinGame, mode: photon.RejoinOnly}
	e.params.RoomName = room.Name
	return c.enterGame(ctx, e, room.serverAddress)
}

// LeaveRoom leaves the room and returns to the master. A player that becomes
// inactive may come back with RejoinRoom within the room's PlayerTTL.
func (c *Client) LeaveRoom(ctx context.Context, becomeInactive bool) error {
	ctx, finish, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer finish()
	if c.State() != Joined {
		return fmt.Errorf("client: not in a room: %w", ErrState)
	}
	var params photon.Params
	if becomeInactive {
		params = photon.Params{photon.Param(photon.ParamIsInactive, true)}
	}
	// As official clients do, whatever the server answers: leave.
	_, err = c.operation(ctx, photon.OpLeave, params, SendReliable, nil)
	if op := (*OperationError)(nil); err != nil && !errors.As(err, &op) {
		return err
	}
	c.mu.Lock()
	c.room = nil
	c.mu.Unlock()
	return errors.Join(err, c.returnToMaster(ctx))
}

// enter asks the master for a game server and enters the room there.
func (c *Client) enter(ctx context.Context, e entry) error {
	ctx, finish, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer finish()
	if c.State() != ConnectedToMasterServer {
		return fmt.Errorf("%s: not on a master: %w", e.masterOp, ErrState)
	}
	if c.settings.Protocol == photon.JSON && e.masterOp == photon.OpCreateGame {
		// Clients of this protocol describe the room to the master as well.
		e.masterParams = append(e.masterParams, roomParams(e.params.options())...)
	}
	r, err := c.operation(ctx, e.masterOp, e.masterParams, SendReliable, nil)
	if err != nil {
		return err
	}
	address, ok := r.String(photon.ParamAddress)
	if !ok {
		return fmt.Errorf("client: the master's answer to %s names no game server", e.masterOp)
	}
	if name, ok := r.String(photon.ParamRoomName); ok {
		e.params.RoomName = name
	}
	err = c.enterGame(ctx, e, address)
	if op := (*OperationError)(nil); errors.As(err, &op) {
		// The game server said no: official clients go back to the master first.
		return errors.Join(err, c.returnToMaster(ctx))
	}
	return err
}

// enterGame connects to a game server and enters the room. It returns when the
// own Join event has come, or the response where rooms suppress such events.
func (c *Client) enterGame(ctx context.Context, e entry, address string) error {
	if err := c.connect(ctx, gameServer, address); err != nil {
		return err
	}
	if _, err := c.authenticate(ctx, gameServer, ""); err != nil {
		return err
	}
	me := c.self()
	if e.mode == photon.RejoinOnly {
		// The room has the player's properties.
		me.CustomProperties = nil
	}
	var room *model
	_, err := c.operation(ctx, e.gameOp, c.gameParams(e, me), SendReliable, func(r *Response) {
		if r.Err() != nil {
			return
		}
		room = newRoom(e.params.RoomName, address, r, me)
		c.mu.Lock()
		c.room = room
		if c.conn != nil && !c.conn.left {
			c.state = Joined
		}
		c.mu.Unlock()
	})
	if err != nil || room.suppressesEvents() {
		return err
	}
	peer := c.Peer()
	if peer == nil {
		return ErrState
	}
	select {
	case <-room.joined:
		return nil
	case <-peer.Done():
		return peer.Err()
	case <-ctx.Done():
		return fmt.Errorf("client: no Join event: %w", ctx.Err())
	}
}

// self is the client's player as it announces itself.
func (c *Client) self() Actor {
	c.mu.RLock()
	defer c.mu.RUnlock()
	a := Actor{NickName: c.nickName, CustomProperties: make(map[string]any)}
	for k, v := range c.settings.PlayerProperties {
		a.CustomProperties[k] = value(v)
	}
	return a
}

func (p *EnterRoomParams) options() *RoomOptions {
	if p.RoomOptions != nil {
		return p.RoomOptions
	}
	return NewRoomOptions()
}

// matchParams are what the master and the game server both get.
func matchParams(lobby *TypedLobby, expected []string, ticket any) photon.Params {
	params := lobbyParams(lobby)
	if len(expected) > 0 {
		params = append(params, photon.Param(photon.ParamExpectedUsers, expected))
	}
	if ticket != nil {
		params = append(params, photon.Param(photon.ParamTicket, ticket))
	}
	return params
}

// masterParams make a request for the master, which needs no room options.
func masterParams(p EnterRoomParams, mode photon.JoinMode) photon.Params {
	var params photon.Params
	if p.RoomName != "" {
		params = append(params, photon.Param(photon.ParamRoomName, p.RoomName))
	}
	if mode != photon.JoinDefault {
		params = append(params, photon.Param(photon.ParamJoinMode, byte(mode)))
	}
	return append(params, matchParams(p.Lobby, p.ExpectedUsers, p.Ticket)...)
}

func randomParams(p JoinRandomRoomParams) photon.Params {
	var params photon.Params
	filter := table(p.ExpectedCustomRoomProperties)
	setMaxPlayers(filter, p.ExpectedMaxPlayers, false)
	if filter.Len() > 0 {
		params = append(params, photon.Param(photon.ParamGameProperties, filter))
	}
	if p.MatchingType != photon.FillRoom {
		params = append(params, photon.Param(photon.ParamMatchMakingType, byte(p.MatchingType)))
	}
	if p.SQLLobbyFilter != "" {
		params = append(params, photon.Param(photon.ParamData, p.SQLLobbyFilter))
	}
	params = append(params, matchParams(p.Lobby, p.ExpectedUsers, p.Ticket)...)
	return append(params, photon.Param(photon.ParamAllowRepeats, true))
}

// setMaxPlayers states a number of players as clients of 4.1.8 do: a byte for
// servers that know no more, and an int, always or where the byte can't say it.
func setMaxPlayers(t *gpbinary.Hashtable, n int, always bool) {
	if n <= 0 {
		return
	}
	small := byte(0)
	if n <= math.MaxUint8 {
		small = byte(n)
	}
	t.Set(photon.PropMaxPlayers, small)
	if always || small == 0 {
		t.Set(photon.PropMaxPlayersInt, int32(n))
	}
}

// gameParams make the request for the game server. It always carries a full set
// of room options; they count if this request creates the room.
func (c *Client) gameParams(e entry, me Actor) photon.Params {
	params := masterParams(e.params, e.mode)
	if e.mode != photon.RejoinOnly {
		props := table(me.CustomProperties)
		if me.NickName != "" {
			props.Set(photon.ActorPropNickName, me.NickName)
		}
		params = append(params, photon.Param(photon.ParamPlayerProperties, props))
	}
	params = append(params, photon.Param(photon.ParamBroadcast, true))
	o := e.params.options()
	return append(append(params, roomParams(o)...), photon.Param(photon.ParamRoomOptionFlags, int32(o.flags())))
}

// roomParams are a room's options but for the flags.
func roomParams(o *RoomOptions) photon.Params {
	props := gpbinary.NewHashtable(
		gpbinary.Pair{Key: photon.PropIsOpen, Value: o.IsOpen},
		gpbinary.Pair{Key: photon.PropIsVisible, Value: o.IsVisible},
		gpbinary.Pair{Key: photon.PropPropsListedInLobby, Value: append([]string{}, o.CustomRoomPropertiesForLobby...)},
	)
	for _, pair := range table(o.CustomRoomProperties).Pairs() {
		props.Set(pair.Key, pair.Value)
	}
	setMaxPlayers(props, o.MaxPlayers, true)
	params := photon.Params{
		photon.Param(photon.ParamGameProperties, props),
		photon.Param(photon.ParamCleanupCacheOnLeave, o.CleanupCacheOnLeave),
		photon.Param(photon.ParamCheckUserOnJoin, o.CheckUserOnJoin),
	}
	if o.PlayerTTL != 0 {
		params = append(params, photon.Param(photon.ParamPlayerTTL, o.PlayerTTL))
	}
	if o.EmptyRoomTTL != 0 {
		params = append(params, photon.Param(photon.ParamEmptyRoomTTL, o.EmptyRoomTTL))
	}
	if o.SuppressRoomEvents {
		params = append(params, photon.Param(photon.ParamSuppressRoomEvents, true))
	}
	if o.Plugins != nil {
		params = append(params, photon.Param(photon.ParamPlugins, o.Plugins))
	}
	if o.PublishUserID {
		params = append(params, photon.Param(photon.ParamPublishUserID, true))
	}
	return params
}
