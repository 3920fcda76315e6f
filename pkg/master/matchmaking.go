package master

import (
	"errors"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/webrpc"
)

// respondError answers with an error of package lobby, or any other.
func respondError(p app.Responder, op app.Op, err error) {
	var le *lobby.Error
	if errors.As(err, &le) {
		p.Respond(op, le.Code, le.Text, nil)
		return
	}
	app.RespondError(p, op, err)
}

type lobbyParams struct {
	Name string `photon:"213,optional"`
	Type byte   `photon:"212,optional"`
}

// joinLobby answers first; the room list follows (loadbalancing-operations.md 3.4).
func (s *Server) joinLobby(p *request, op app.Op, req *lobbyParams) {
	id, err := lobby.ParseID(req.Name, req.Type)
	if err == nil {
		err = p.app.lobby.CheckLobby(id)
	}
	if err != nil {
		respondError(p, op, err)
		return
	}
	p.Respond(op, photon.ReturnOk, "", nil)
	if err := p.app.lobby.JoinLobby(p.now, p.peer, id); err != nil {
		s.log.Warn().Err(err).Msg("lobby could not be joined")
	}
}

type leaveLobby struct{}

func (s *Server) leaveLobby(p *request, op app.Op, _ *leaveLobby) {
	p.app.lobby.LeaveLobby(p.peer)
	p.Respond(op, photon.ReturnOk, "", nil)
}

// lobbyFor reads the lobby of a matchmaking request
// (loadbalancing-matchmaking.md 1.1).
func (p *request) lobbyFor(r *photon.Request) (lobby.ID, error) {
	name, _, err := r.String(photon.ParamLobbyName)
	if err != nil {
		return lobby.ID{}, err
	}
	typ, _, err := r.Byte(photon.ParamLobbyType)
	if err != nil {
		return lobby.ID{}, err
	}
	id, err := lobby.ParseID(name, typ)
	if err != nil {
		return lobby.ID{}, err
	}
	return p.app.lobby.LobbyFor(p.peer, id), nil
}

// collect keeps the first error of a row of getters.
func collect[T any](into *error) func(v T, _ bool, err error) T {
	return func(v T, _ bool, err error) T {
		if err != nil && *into == nil {
			*into = err
		}
		return v
	}
}

// roomRequest is what CreateGame, JoinGame and JoinRandomGame have in common.
type roomRequest struct {
	name     string
	mode     photon.JoinMode
	expected []string
	options  *gpbinary.Hashtable // properties of the room, if it is to be created
	lobby    lobby.ID
}

// readRoomRequest reads r; options is the parameter that has the new room's properties.
func readRoomRequest(r *photon.Request, options photon.ParamCode) (q roomRequest, err error) {
	q.name = collect[string](&err)(r.String(photon.ParamRoomName))
	q.mode = photon.JoinMode(collect[byte](&err)(r.Byte(photon.ParamJoinMode)))
	q.expected = collect[[]string](&err)(r.Strings(photon.ParamExpectedUsers))
	q.options = collect[*gpbinary.Hashtable](&err)(r.RoomProperties(options))
	if err == nil {
		err = checkName(q.name)
	}
	return q, err
}

// createGame waits for the end of a room that the client may just have left,
// joinGame for the word that it has left one.
func (s *Server) createGame(p *request, r *photon.Request) {
	q, ok := p.named(r)
	if !ok || s.settle(p, r, endTime, p.app.lobby.Ending(p.token.UserID, q.name)) {
		return
	}
	p.ask(r, q).decide(p.now)
}

func (s *Server) joinGame(p *request, r *photon.Request) {
	if s.settle(p, r, settleTime, p.app.lobby.Seated(p.token.UserID, lobby.Session(p.token.SessionID))) {
		return
	}
	if q, ok := p.named(r); ok {
		p.ask(r, q).decide(p.now)
	}
}

// named reads CreateGame or JoinGame. False: the client was told what is wrong.
func (p *request) named(r *photon.Request) (roomRequest, bool) {
	q, err := readRoomRequest(r, photon.ParamGameProperties)
	if err == nil {
		q.lobby, err = p.lobbyFor(r)
	}
	if err != nil {
		respondError(p, app.OpOf(r), err)
	}
	return q, err == nil
}

// maxRoomName is the longest room name in bytes (loadbalancing.md 10).
const maxRoomName = 256

func checkName(name string) error {
	if len(name) > maxRoomName {
		return photon.BadParam(photon.ParamRoomName, "has %d bytes, at most %d", len(name), maxRoomName)
	}
	return nil
}

func (s *Server) joinRandomGame(p *request, r *photon.Request) {
	if s.settle(p, r, settleTime, p.app.lobby.Seated(p.token.UserID, lobby.Session(p.token.SessionID))) {
		return
	}
	q, random, err := readRandomRequest(r)
	if err == nil {
		q.lobby, err = p.lobbyFor(r)
	}
	if err != nil {
		respondError(p, app.OpOf(r), err)
		return
	}
	k := p.ask(r, q)
	k.random, k.random.Lobby = random, q.lobby
	k.random.User, k.random.Session = k.user, k.session
	k.decide(p.now)
}

// readRandomRequest reads JoinRandomGame. Old clients and JavaScript send the new
// room's properties as 251; 248 is the filter here.
func readRandomRequest(r *photon.Request) (q roomRequest, random lobby.RandomRequest, err error) {
	q, err = readRoomRequest(r, photon.ParamProperties)
	random = lobby.RandomRequest{
		Expected: q.expected, ByValue: r.Protocol == photon.JSON,
		Create: q.mode == photon.CreateIfNotExists, Name: q.name, Options: q.options,
	}
	random.Mode = photon.MatchmakingMode(collect[byte](&err)(r.Byte(photon.ParamMatchMakingType)))
	random.SQL = collect[string](&err)(r.String(photon.ParamData))
	random.Filter = collect[*gpbinary.Hashtable](&err)(r.RoomProperties(photon.ParamGameProperties))
	return q, random, err
}

func (s *Server) sendToServer(p *peer, op app.Op, room, server string) {
	address, ok := s.servers.address(server, p.Info().Kind, p.Info().Remote.Addr())
	if !ok {
		p.Respond(op, photon.ReturnServerFull, "the room's game server does not offer "+p.Info().Kind.String(), nil)
		return
	}
	s.sendTo(p, op, room, address)
}

func (s *Server) sendTo(p *peer, op app.Op, room, address string) {
	token, err := s.opt.Auth.Refresh(p.token, time.Now())
	if err != nil {
		app.RespondError(p, op, err)
		return
	}
	p.Respond(op, photon.ReturnOk, "", photon.Params{
		photon.Param(photon.ParamAddress, address), photon.Param(photon.ParamRoomName, room), photon.Param(photon.ParamToken, token),
	})
}

type findFriends struct {
	Users   any   `photon:"1"`
	Options int32 `photon:"2,optional"`
}

// names reads the users. A list from JavaScript may have nulls: nobody
// (loadbalancing-matchmaking.md 6.2).
func (f *findFriends) names() ([]string, error) {
	if list, ok := f.Users.(gpbinary.ObjectArray); ok {
		for i, e := range list {
			if e == nil {
				list[i] = ""
			}
		}
	}
	names, ok := photon.AsStrings(f.Users)
	if !ok {
		return nil, photon.BadParam(photon.ParamFindFriendsUsers, "is not a string array")
	}
	return names, nil
}

func (s *Server) findFriends(p *request, op app.Op, req *findFriends) {
	names, err := req.names()
	if err != nil {
		app.RespondError(p, op, err)
		return
	}
	online, rooms, err := p.app.lobby.FindFriends(p.now, names, photon.FindFriendsOptions(req.Options))
	if err != nil {
		respondError(p, op, err)
		return
	}
	p.Respond(op, photon.ReturnOk, "", photon.Params{
		photon.Param(photon.ParamFindFriendsOnline, online), photon.Param(photon.ParamFindFriendsRoomIDs, rooms),
	})
}

type getGameList struct {
	Name   string `photon:"213"`
	Type   byte   `photon:"212"`
	Filter string `photon:"245"`
}

func (s *Server) getGameList(p *request, op app.Op, req *getGameList) {
	id, err := lobby.ParseID(req.Name, req.Type)
	if err != nil {
		respondError(p, op, err)
		return
	}
	list, err := p.app.lobby.GameList(id, req.Filter)
	if err != nil {
		respondError(p, op, err)
		return
	}
	p.Respond(op, photon.ReturnOk, "", photon.Params{photon.Param(photon.ParamGameList, list)})
}

func (s *Server) webRPC(p *request, op app.Op, req *webrpc.Request) {
	s.opt.WebRPC.Call(&p.rpc, p, p.token, op, req)
}
