package client

import "github.com/boson-project/boson/pkg/photon"

// onRawEvent offers a game's own event to the raw callback.
func (n *connection) onRawEvent(code photon.EventCode, msg []byte, d photon.Delivery) bool {
	return n.role == gameServer && !photon.ReservedEvent(code) && n.c.handler.OnRawEvent(code, msg, d)
}

// onEvent keeps the model up to date, then calls back.
func (n *connection) onEvent(e *Event) {
	c := n.c
	switch {
	case e.Code == photon.EventAuth:
		c.keepToken(&e.Fields)
		return
	case n.role == masterServer && c.masterEvent(e), n.role == gameServer && c.roomEvent(e):
		return
	}
	if c.handler.OnEvent != nil {
		c.handler.OnEvent(e)
	}
}

// masterEvent takes an event of a master's own.
func (c *Client) masterEvent(e *Event) bool {
	switch e.Code {
	case photon.EventGameList, photon.EventGameListUpdate:
		full := e.Code == photon.EventGameList
		list := roomList(&e.Fields)
		c.mu.Lock()
		if full || c.rooms == nil {
			c.rooms = make(map[string]RoomInfo, len(list))
		}
		for _, info := range list {
			if info.Removed {
				delete(c.rooms, info.Name)
			} else {
				c.rooms[info.Name] = info
			}
		}
		c.mu.Unlock()
		if c.handler.OnRoomList != nil {
			c.handler.OnRoomList(list, full)
		}
	case photon.EventAppStats:
		var s AppStats
		s.PlayersInRooms, _ = e.Int32(photon.ParamPeerCount)
		s.Rooms, _ = e.Int32(photon.ParamGameCount)
		s.PlayersOnMaster, _ = e.Int32(photon.ParamMasterPeerCount)
		c.mu.Lock()
		c.stats = s
		c.mu.Unlock()
		if c.handler.OnAppStats != nil {
			c.handler.OnAppStats(s)
		}
	case photon.EventLobbyStats:
		list, err := lobbyStatistics(&e.Fields, nil)
		if err == nil && c.handler.OnLobbyStatistics != nil {
			c.handler.OnLobbyStatistics(list)
		}
	default:
		return false
	}
	return true
}

// roomEvent takes an event of a room's own.
func (c *Client) roomEvent(e *Event) bool {
	c.mu.RLock()
	room := c.room
	c.mu.RUnlock()
	if room == nil {
		return false
	}
	switch e.Code {
	case photon.EventJoin:
		c.mu.Lock()
		actor := room.join(e)
		c.mu.Unlock()
		if c.handler.OnJoin != nil {
			c.handler.OnJoin(actor)
		}
	case photon.EventLeave:
		c.mu.Lock()
		actor, inactive, newMaster := room.leave(e)
		c.mu.Unlock()
		if c.handler.OnLeave != nil {
			c.handler.OnLeave(actor, inactive)
		}
		c.masterSwitched(newMaster)
	case photon.EventPropertiesChanged:
		c.propertiesChanged(room, e)
	case photon.EventErrorInfo:
		if c.handler.OnErrorInfo != nil {
			text, _ := e.String(photon.ParamInfo)
			c.handler.OnErrorInfo(text)
		}
	case photon.EventCacheSliceChanged:
		if c.handler.OnCacheSliceChanged != nil {
			index, _ := e.Int32(photon.ParamCacheSliceIndex)
			c.handler.OnCacheSliceChanged(index)
		}
	default:
		return false
	}
	return true
}

func (c *Client) propertiesChanged(room *model, e *Event) {
	var change PropertiesChange
	change.TargetActorNr, _ = e.Int32(photon.ParamTargetActorNr)
	change.Sender, _ = e.Int32(photon.ParamActorNr)
	change.Properties, _ = e.Properties(photon.ParamProperties)
	c.mu.Lock()
	before := room.MasterClientID
	room.change(change.TargetActorNr, change.Properties)
	after := room.MasterClientID
	c.mu.Unlock()
	if c.handler.OnPropertiesChanged != nil {
		c.handler.OnPropertiesChanged(change)
	}
	if after != before {
		c.masterSwitched(after)
	}
}

func (c *Client) masterSwitched(actorNr int32) {
	if actorNr != 0 && c.handler.OnMasterClientSwitched != nil {
		c.handler.OnMasterClientSwitched(actorNr)
	}
}

func (n *connection) onResponse(r *Response) {
	n.c.responded(n.c.Peer(), r)
	if n.c.handler.OnResponse != nil {
		n.c.handler.OnResponse(r)
	}
}

func (n *connection) onDisconnect(end *DisconnectError) {
	c := n.c
	c.mu.Lock()
	lost := c.conn == n && !n.left
	if lost {
		c.state = Disconnected
		c.inLobby, c.lobby, c.rooms = false, nil, nil
	}
	c.mu.Unlock()
	if lost && c.handler.OnDisconnected != nil {
		c.handler.OnDisconnected(end)
	}
}
