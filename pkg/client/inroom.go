package client

import (
	"context"
	"fmt"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
)

// CurrentRoom returns a copy of the room's model, or nil outside of rooms.
// After a connection was lost it is the room that the client was in.
func (c *Client) CurrentRoom() *Room {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.room == nil {
		return nil
	}
	return c.room.clone()
}

// MyActorNr is the client's number in the room, 0 outside of rooms.
func (c *Client) MyActorNr() int32 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.room == nil {
		return 0
	}
	return c.room.MyActorNr
}

// MasterClientID is the number of the room's master client, 0 outside of rooms.
func (c *Client) MasterClientID() int32 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.room == nil {
		return 0
	}
	return c.room.MasterClientID
}

// inRoom returns the present peer, or ErrState outside of rooms.
func (c *Client) inRoom() (*Peer, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.state != Joined || c.conn == nil || c.conn.peer == nil {
		return nil, fmt.Errorf("client: not in a room: %w", ErrState)
	}
	return c.conn.peer, nil
}

// RaiseEvent sends an event to other players and does not wait. opt may be nil.
// content is nil for none, a value of gpbinary's types, or a photon.Content.
func (c *Client) RaiseEvent(code photon.EventCode, content any, opt *RaiseEventOptions, send photon.Delivery) error {
	peer, err := c.inRoom()
	if err != nil {
		return err
	}
	return peer.Send(photon.OpRaiseEvent, RaiseEventParams(code, content, opt), send)
}

// RaiseEventParams makes the parameters of a RaiseEvent request as official
// clients do (loadbalancing-operations.md 3.11). With Peer.Send and
// Peer.SendMessage it serves those who have no Client.
func RaiseEventParams(code photon.EventCode, content any, opt *RaiseEventOptions) photon.Params {
	params := make(photon.Params, 0, 5)
	add := func(p photon.ParamCode, v any) { params = append(params, photon.Param(p, v)) }
	withCode := true
	if opt != nil {
		if opt.CachingOption != photon.DoNotCache {
			add(photon.ParamCache, byte(opt.CachingOption))
		}
		// The slice options are about the cache as a whole, not about an event.
		withCode = opt.CachingOption < photon.RemoveFromRoomCacheForActorsLeft
		switch {
		case opt.TargetActors != nil:
			add(photon.ParamActorList, opt.TargetActors)
		case opt.InterestGroup != 0:
			add(photon.ParamGroup, opt.InterestGroup)
		case opt.Receivers != photon.ReceiverOthers:
			add(photon.ParamReceiverGroup, byte(opt.Receivers))
		}
		if opt.WebFlags != 0 {
			add(photon.ParamWebFlags, byte(opt.WebFlags))
		}
		if opt.CacheSliceIndex != nil {
			add(photon.ParamCacheSliceIndex, *opt.CacheSliceIndex)
		}
	}
	if withCode {
		add(photon.ParamEventCode, byte(code))
	}
	if content != nil {
		add(photon.ParamData, value(content))
	}
	return params
}

// ChangeGroups leaves and enters interest groups and does not wait. nil changes
// nothing; an empty list means all groups (loadbalancing-rooms.md 8).
func (c *Client) ChangeGroups(remove, add []byte) error {
	peer, err := c.inRoom()
	if err != nil {
		return err
	}
	var params photon.Params
	if remove != nil {
		params = append(params, photon.Param(photon.ParamRemove, remove))
	}
	if add != nil {
		params = append(params, photon.Param(photon.ParamAdd, add))
	}
	return peer.Send(photon.OpChangeGroups, params, SendReliable)
}

// SetRoomProperties sets custom properties of the room. With expected values the
// server changes them only if those are right; if they are not, the error is an
// *OperationError with code InvalidOperation.
func (c *Client) SetRoomProperties(ctx context.Context, props, expected map[string]any) error {
	return c.SetProperties(ctx, 0, table(props), expectedTable(expected))
}

// SetActorProperties sets custom properties of an actor, with expected values as
// SetRoomProperties.
func (c *Client) SetActorProperties(ctx context.Context, actorNr int32, props, expected map[string]any) error {
	if actorNr <= 0 {
		return fmt.Errorf("client: actor number %d", actorNr)
	}
	return c.SetProperties(ctx, actorNr, table(props), expectedTable(expected))
}

func expectedTable(m map[string]any) *gpbinary.Hashtable {
	if len(m) == 0 {
		return nil
	}
	return table(m)
}

// SetProperties sets properties of the room (target 0) or of an actor, custom
// and well-known ones. expected may be nil.
func (c *Client) SetProperties(ctx context.Context, target int32, props, expected *gpbinary.Hashtable) error {
	if _, err := c.inRoom(); err != nil {
		return err
	}
	params := photon.Params{photon.Param(photon.ParamProperties, props)}
	if target != 0 {
		params = append(params, photon.Param(photon.ParamActorNr, target))
	}
	params = append(params, photon.Param(photon.ParamBroadcast, true))
	if expected.Len() > 0 {
		params = append(params, photon.Param(photon.ParamExpectedValues, expected))
	}
	_, err := c.operation(ctx, photon.OpSetProperties, params, SendReliable, func(r *Response) {
		if r.Err() != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		// Otherwise the event tells the setter too.
		if c.room != nil && expected.Len() == 0 && c.room.Flags&photon.FlagBroadcastPropertiesChangeToAll == 0 {
			c.room.change(target, props)
		}
	})
	return err
}

// setRoomProperty sets one well-known property of the room.
func (c *Client) setRoomProperty(ctx context.Context, key byte, v any) error {
	return c.SetProperties(ctx, 0, gpbinary.NewHashtable(gpbinary.Pair{Key: key, Value: v}), nil)
}

// SetIsOpen lets players join the room, or not.
func (c *Client) SetIsOpen(ctx context.Context, open bool) error {
	return c.setRoomProperty(ctx, photon.PropIsOpen, open)
}

// SetIsVisible shows the room in lobbies and to random matchmaking, or not.
func (c *Client) SetIsVisible(ctx context.Context, visible bool) error {
	return c.setRoomProperty(ctx, photon.PropIsVisible, visible)
}

// SetMaxPlayers changes the number of players that fit; 0 is unlimited.
func (c *Client) SetMaxPlayers(ctx context.Context, n int) error {
	props := gpbinary.NewHashtable()
	setMaxPlayers(props, n, true)
	if props.Len() == 0 {
		props.Set(photon.PropMaxPlayers, byte(0))
		props.Set(photon.PropMaxPlayersInt, int32(0))
	}
	return c.SetProperties(ctx, 0, props, nil)
}

// SetExpectedUsers replaces the list of users that have a slot reserved.
func (c *Client) SetExpectedUsers(ctx context.Context, userIDs []string) error {
	return c.setRoomProperty(ctx, photon.PropExpectedUsers, append([]string{}, userIDs...))
}

// SetPropertiesListedInLobby names the custom properties that lobbies show.
func (c *Client) SetPropertiesListedInLobby(ctx context.Context, keys []string) error {
	return c.setRoomProperty(ctx, photon.PropPropsListedInLobby, append([]string{}, keys...))
}

// SetMasterClient makes an actor the master client, unless that changed meanwhile.
func (c *Client) SetMasterClient(ctx context.Context, actorNr int32) error {
	present := c.MasterClientID()
	return c.SetProperties(ctx, 0,
		gpbinary.NewHashtable(gpbinary.Pair{Key: photon.PropMasterClientID, Value: actorNr}),
		gpbinary.NewHashtable(gpbinary.Pair{Key: photon.PropMasterClientID, Value: present}))
}

// SetNickName changes the player's name, in the room too if the client is in one.
func (c *Client) SetNickName(ctx context.Context, name string) error {
	c.mu.Lock()
	c.nickName = name
	joined := c.state == Joined
	c.mu.Unlock()
	if !joined {
		return nil
	}
	return c.SetProperties(ctx, c.MyActorNr(), gpbinary.NewHashtable(gpbinary.Pair{Key: photon.ActorPropNickName, Value: name}), nil)
}

// WebRPCResponse is a web service's answer.
type WebRPCResponse struct {
	// Name is the path as it was asked for.
	Name string
	// Code is the service's own ResultCode; 0 is success by convention.
	Code    byte
	Message string
	// Data is a *gpbinary.Dictionary with string keys, in JSON a
	// *gpbinary.Hashtable; nil for none.
	Data any
}

// WebRPC calls a web service by way of the master or the game server
// (loadbalancing-webhooks.md 1). uriPath is relative and may have a query. The
// entries of a map[string]any, or of a Dictionary with string keys, become
// members of the call's JSON object; any other data its RpcParams; nil is none.
// An error is one of the call; what the service says of itself is Code.
//
// Calls of one client go out one after another: the server answers when it is
// ready, and a failure does not say whose it is.
func (c *Client) WebRPC(ctx context.Context, uriPath string, data any, sendAuthCookie bool) (*WebRPCResponse, error) {
	params := photon.Params{photon.Param(photon.ParamURIPath, uriPath)}
	if data != nil {
		if m, ok := data.(map[string]any); ok {
			data = gpjson.WebObject(table(m).Pairs()...)
		}
		params = append(params, photon.Param(photon.ParamWebRPCParameters, value(data)))
	}
	if sendAuthCookie {
		params = append(params, photon.Param(photon.ParamWebFlags, byte(photon.WebSendAuthCookie)))
	}
	select {
	case c.rpc <- struct{}{}:
		defer func() { <-c.rpc }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r, err := c.operation(ctx, photon.OpWebRPC, params, SendReliable, nil)
	if err != nil {
		return nil, err
	}
	var out WebRPCResponse
	out.Name, _ = r.String(photon.ParamURIPath)
	out.Code, _ = r.Byte(photon.ParamWebRPCReturnCode)
	out.Message, _ = r.String(photon.ParamWebRPCReturnMessage)
	out.Data, _ = r.Value(photon.ParamWebRPCParameters)
	return &out, nil
}
