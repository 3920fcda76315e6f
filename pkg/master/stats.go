package master

import (
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
)

// shared is an event that goes to many peers: encoded once per protocol.
type shared struct {
	code   photon.EventCode
	params photon.Params
	bytes  map[photon.Protocol][]byte
}

func (e *shared) send(p *peer) {
	msg, ok := e.bytes[p.Protocol()]
	if !ok {
		var err error
		if msg, err = photon.AppendEvent(nil, p.Protocol(), e.code, e.params); err != nil {
			msg = nil
		}
		if e.bytes == nil {
			e.bytes = map[photon.Protocol][]byte{}
		}
		e.bytes[p.Protocol()] = msg
	}
	if msg != nil {
		p.Send(msg, photon.Delivery{Mode: photon.Reliable})
	}
}

func appStats(players, rooms, peers int32) photon.Params {
	return photon.Params{
		photon.Param(photon.ParamPeerCount, players), photon.Param(photon.ParamGameCount, rooms),
		photon.Param(photon.ParamMasterPeerCount, peers),
	}
}

// statsSlots cut the interval of AppStats: each client gets its events at the
// interval from when it came, and not all clients in one moment.
const statsSlots = 20

// sendStats sends AppStats to the clients of the next slot
// (loadbalancing-matchmaking.md 7.1).
func (a *application) sendStats() {
	a.slot = (a.slot + 1) % statsSlots
	if len(a.slots[a.slot]) == 0 {
		return
	}
	st := a.lobby.Stats()
	e := shared{code: photon.EventAppStats, params: appStats(st.Players, st.Rooms, st.Peers)}
	for p := range a.slots[a.slot] {
		e.send(p)
	}
}

// sendLobbyStats sends LobbyStats to the clients that asked for it.
func (a *application) sendLobbyStats() {
	e := shared{code: photon.EventLobbyStats}
	for p := range a.peers {
		if !p.lobbyStats {
			continue
		}
		if e.params == nil {
			e.params = a.lobbyStats()
		}
		e.send(p)
	}
}

// lobbyStats makes the parallel arrays of event 224 and operation 221
// (loadbalancing-matchmaking.md 7.2).
func (a *application) lobbyStats() photon.Params {
	all := a.lobby.AllLobbyStats()
	names, types := make([]string, len(all)), make([]byte, len(all))
	for i, s := range all {
		names[i], types[i] = s.ID.Name, byte(s.ID.Type)
	}
	return append(photon.Params{photon.Param(photon.ParamLobbyName, names), photon.Param(photon.ParamLobbyType, types)}, counts(all)...)
}

func counts(all []lobby.LobbyStats) photon.Params {
	players, rooms := make([]int32, len(all)), make([]int32, len(all))
	for i, s := range all {
		players[i], rooms[i] = s.Players, s.Rooms
	}
	return photon.Params{photon.Param(photon.ParamPeerCount, players), photon.Param(photon.ParamGameCount, rooms)}
}

type getLobbyStats struct {
	Names []string `photon:"213,optional"`
	Types []byte   `photon:"212,optional"`
}

// getLobbyStats answers for the lobbies that the request names, in its order,
// or for all (loadbalancing-operations.md 3.17).
func (s *Server) getLobbyStats(p *request, op app.Op, req *getLobbyStats) {
	if req.Names == nil && req.Types == nil {
		p.Respond(op, photon.ReturnOk, "", p.app.lobbyStats())
		return
	}
	if len(req.Names) != len(req.Types) {
		app.RespondError(p, op, photon.BadParam(photon.ParamLobbyType, "has %d elements, LobbyName has %d", len(req.Types), len(req.Names)))
		return
	}
	all := make([]lobby.LobbyStats, len(req.Names))
	for i, name := range req.Names {
		id, err := lobby.ParseID(name, req.Types[i])
		if err != nil {
			respondError(p, op, err)
			return
		}
		all[i] = p.app.lobby.LobbyStats(id)
	}
	p.Respond(op, photon.ReturnOk, "", counts(all))
}

type serverSettings struct {
	LobbyStats *bool `photon:"0,optional"`
}

// serverSettings switches lobby statistics on or off (loadbalancing-operations.md 3.14).
func (s *Server) serverSettings(p *request, op app.Op, req *serverSettings) {
	p.Respond(op, photon.ReturnOk, "", nil)
	if req.LobbyStats == nil {
		return
	}
	p.lobbyStats = *req.LobbyStats
	if p.lobbyStats {
		p.SendEvent(photon.EventLobbyStats, p.app.lobbyStats())
	}
}
