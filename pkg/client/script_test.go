package client

import (
	"sync"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// cluster is the smallest scripted cluster: one server of each kind and one
// room, that says what loadbalancing.md 11 says a server must.
type cluster struct {
	t                *testing.T
	name, mast, game *server

	mu       sync.Mutex
	requests []string // "MS 227": all operations in order
	params   map[string]map[byte]any
	secured  map[string]bool
	joinCode photon.ReturnCode // the game server's answer to joins
	flags    int32
}

func newCluster(t *testing.T, tr Transport) *cluster {
	c := &cluster{t: t, params: make(map[string]map[byte]any), secured: make(map[string]bool), flags: 0x23}
	c.game = start(t, tr, c.gameScript)
	c.mast = start(t, tr, c.masterScript)
	c.name = start(t, tr, c.nameScript)
	return c
}

func (cl *cluster) note(where string, r *photon.Request) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	key := where + " " + r.Code.String()
	cl.requests = append(cl.requests, key)
	m := make(map[byte]any)
	for _, f := range r.Fields {
		v, err := photon.Content{Protocol: r.Protocol, Bytes: f.Bytes}.Value()
		if err != nil {
			cl.t.Error(err)
		}
		m[f.Key] = v
	}
	cl.params[key] = m
	cl.secured[key] = r.Delivery.Encrypt
}

// took returns and forgets the requests so far.
func (cl *cluster) took() []string {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	r := cl.requests
	cl.requests = nil
	return r
}

func (cl *cluster) last(key string) map[byte]any {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.params[key]
}

func (cl *cluster) nameScript(c *serverConn, r *photon.Request) {
	cl.note("NS", r)
	switch r.Code {
	case photon.OpGetRegions:
		c.respond(r.Code, 0, "", photon.Params{
			photon.Param(photon.ParamRegion, []string{"EU/default", "us"}),
			photon.Param(photon.ParamAddress, []string{cl.mast.address, cl.mast.address}),
		})
	case photon.OpAuthenticate, photon.OpAuthenticateOnce:
		params := photon.Params{
			photon.Param(photon.ParamAddress, cl.mast.address), photon.Param(photon.ParamToken, "NS-token"),
			photon.Param(photon.ParamUserID, "user-1"), photon.Param(photon.ParamNickName, "Nick"),
			photon.Param(photon.ParamCluster, "default"),
		}
		if r.Code == photon.OpAuthenticateOnce {
			params = append(params, photon.Param(photon.ParamEncryptionData, &gpbinary.Dictionary{
				Key: gpbinary.TypeDesc{Kind: gpbinary.KindByte}, Val: gpbinary.TypeDesc{Kind: gpbinary.KindObject},
				Pairs: []gpbinary.Pair{{Key: byte(0), Value: byte(0)}, {Key: byte(1), Value: testSecret}},
			}))
		}
		c.respond(r.Code, 0, "", params)
	}
}

func (cl *cluster) masterScript(c *serverConn, r *photon.Request) {
	cl.note("MS", r)
	switch r.Code {
	case photon.OpAuthenticate:
		c.respond(r.Code, 0, "", photon.Params{photon.Param(photon.ParamToken, "MS-token")})
		c.event(photon.EventAppStats, photon.ParamPeerCount, int32(3), photon.ParamGameCount, int32(2), photon.ParamMasterPeerCount, int32(1))
	case photon.OpCreateGame, photon.OpJoinGame, photon.OpJoinRandomGame:
		if r.Code == photon.OpJoinRandomGame && !r.Has(photon.ParamJoinMode) {
			c.respond(r.Code, photon.ReturnNoRandomMatchFound, "nothing here", nil)
			return
		}
		c.respond(r.Code, 0, "", photon.Params{
			photon.Param(photon.ParamAddress, cl.game.address), photon.Param(photon.ParamRoomName, "room"),
			photon.Param(photon.ParamToken, "GS-token"),
		})
	case photon.OpJoinLobby:
		c.respond(r.Code, 0, "", nil)
		row := func(pairs ...gpbinary.Pair) *gpbinary.Hashtable { return gpbinary.NewHashtable(pairs...) }
		c.event(photon.EventGameList, photon.ParamGameList, gpbinary.NewHashtable(
			gpbinary.Pair{Key: "a", Value: row(gpbinary.Pair{Key: photon.PropMaxPlayers, Value: byte(4)},
				gpbinary.Pair{Key: photon.PropPlayerCount, Value: byte(2)}, gpbinary.Pair{Key: photon.PropIsOpen, Value: true},
				gpbinary.Pair{Key: "map", Value: "m1"})},
			gpbinary.Pair{Key: "b", Value: row(gpbinary.Pair{Key: photon.PropMaxPlayers, Value: byte(0)},
				gpbinary.Pair{Key: photon.PropMaxPlayersInt, Value: int32(300)})}))
		c.event(photon.EventGameListUpdate, photon.ParamGameList, gpbinary.NewHashtable(
			gpbinary.Pair{Key: "a", Value: row(gpbinary.Pair{Key: photon.PropRemoved, Value: true})}))
	case photon.OpFindFriends:
		c.respond(r.Code, 0, "", photon.Params{
			photon.Param(photon.ParamFindFriendsOnline, []bool{true, false}),
			photon.Param(photon.ParamFindFriendsRoomIDs, []string{"room", ""}),
		})
	case photon.OpGetLobbyStats:
		c.respond(r.Code, 0, "", photon.Params{
			photon.Param(photon.ParamLobbyName, []string{"", "L"}), photon.Param(photon.ParamLobbyType, []byte{0, 2}),
			photon.Param(photon.ParamPeerCount, []int32{1, 2}), photon.Param(photon.ParamGameCount, []int32{3, 4}),
		})
	case photon.OpGetGameList:
		c.respond(r.Code, 0, "", photon.Params{photon.Param(photon.ParamGameList, gpbinary.NewHashtable())})
	case photon.OpWebRPC:
		c.respond(r.Code, 0, "", photon.Params{
			photon.Param(photon.ParamURIPath, "path"), photon.Param(photon.ParamWebRPCReturnCode, byte(3)),
			photon.Param(photon.ParamWebRPCReturnMessage, "msg"), photon.Param(photon.ParamWebRPCParameters, "data"),
		})
	default:
		c.respond(r.Code, 0, "", nil)
	}
}

func (cl *cluster) gameScript(c *serverConn, r *photon.Request) {
	cl.note("GS", r)
	switch r.Code {
	case photon.OpCreateGame, photon.OpJoinGame:
		cl.mu.Lock()
		code, flags := cl.joinCode, cl.flags
		cl.mu.Unlock()
		if code != 0 {
			c.respond(r.Code, code, "no entry", nil)
			return
		}
		c.respond(r.Code, 0, "", photon.Params{
			photon.Param(photon.ParamActorNr, int32(2)), photon.Param(photon.ParamActorList, []int32{1, 2}),
			photon.Param(photon.ParamPlayerProperties, gpbinary.NewHashtable(gpbinary.Pair{Key: int32(1), Value: gpbinary.NewHashtable(
				gpbinary.Pair{Key: photon.ActorPropNickName, Value: "Ann"}, gpbinary.Pair{Key: photon.ActorPropUserID, Value: "ann"},
				gpbinary.Pair{Key: "team", Value: int32(1)})})),
			photon.Param(photon.ParamGameProperties, gpbinary.NewHashtable(
				gpbinary.Pair{Key: photon.PropMasterClientID, Value: int32(1)}, gpbinary.Pair{Key: photon.PropMaxPlayers, Value: byte(4)},
				gpbinary.Pair{Key: photon.PropIsOpen, Value: true}, gpbinary.Pair{Key: photon.PropIsVisible, Value: false},
				gpbinary.Pair{Key: photon.PropPropsListedInLobby, Value: []string{"map"}}, gpbinary.Pair{Key: "map", Value: "m1"})),
			photon.Param(photon.ParamRoomOptionFlags, flags),
		})
		if photon.RoomOptionFlags(flags)&photon.FlagSuppressRoomEvents == 0 {
			c.event(photon.EventJoin, photon.ParamActorNr, int32(2), photon.ParamActorList, []int32{1, 2},
				photon.ParamPlayerProperties, gpbinary.NewHashtable(gpbinary.Pair{Key: photon.ActorPropNickName, Value: "Nick"},
					gpbinary.Pair{Key: "stored", Value: int32(9)}))
		}
	case photon.OpRaiseEvent:
		code, _, _ := r.Byte(photon.ParamEventCode)
		switch code {
		case 100: // player 1 becomes inactive, then goes
			c.event(photon.EventLeave, photon.ParamActorNr, int32(1), photon.ParamActorList, []int32{1, 2},
				photon.ParamIsInactive, true, photon.ParamMasterClientID, int32(2))
			c.event(photon.EventLeave, photon.ParamActorNr, int32(1), photon.ParamActorList, []int32{2}, photon.ParamIsInactive, false)
		case 101: // player 3 comes
			c.event(photon.EventJoin, photon.ParamActorNr, int32(3), photon.ParamActorList, []int32{2, 3})
		case 102:
			c.event(photon.EventErrorInfo, photon.ParamInfo, "oops")
			c.event(photon.EventCacheSliceChanged, photon.ParamCacheSliceIndex, int32(5))
			c.event(photon.EventAuth, photon.ParamToken, "refreshed")
			c.respond(r.Code, -2, "failed", nil)
		case 103:
			c.close()
		case 104:
			c.respond(r.Code, photon.ReturnOperationLimitReached, "too fast", nil)
		default:
			if content, ok := r.Content(photon.ParamData); ok {
				c.event(photon.EventCode(code), photon.ParamData, content, photon.ParamActorNr, int32(1))
			} else {
				c.event(photon.EventCode(code), photon.ParamActorNr, int32(1))
			}
		}
	case photon.OpSetProperties:
		if r.Has(photon.ParamExpectedValues) {
			c.respond(r.Code, -2, "condition not met", nil)
			return
		}
		c.respond(r.Code, 0, "", nil)
		target, _, _ := r.Int32(photon.ParamActorNr)
		props, _ := r.Content(photon.ParamProperties)
		cl.mu.Lock()
		flags := cl.flags
		cl.mu.Unlock()
		if photon.RoomOptionFlags(flags)&photon.FlagBroadcastPropertiesChangeToAll != 0 {
			c.event(photon.EventPropertiesChanged, photon.ParamActorNr, int32(2), photon.ParamTargetActorNr, target, photon.ParamProperties, props)
		}
	case photon.OpChangeGroups:
	default:
		c.respond(r.Code, 0, "", nil)
	}
}
