package lobby

import (
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// CreateRequest is operation CreateGame on the master
// (loadbalancing-operations.md 3.6).
type CreateRequest struct {
	User string
	Name string // "": the App makes one
	// Lobby is the one that the request names or else LobbyFor says.
	Lobby    ID
	Expected []string
	// Options are the room properties (248) that some clients send to the master
	// too, well-known keys as bytes; may be nil.
	Options *gpbinary.Hashtable
}

// Create reserves a room's name. Codes: GameIdAlreadyExists, SlotError,
// InvalidOperation.
func (a *App) Create(now time.Time, q CreateRequest) (Match, error) {
	a.expire(now)
	if q.Name == "" {
		q.Name = a.newName()
	}
	if a.taken(q.Name) {
		return Match{}, fail(photon.ReturnGameIDAlreadyExists, "a room with this name exists")
	}
	expected, err := a.expectedUsers(q.User, q.Expected)
	if err != nil {
		return Match{}, err
	}
	if err := a.CheckLobby(q.Lobby); err != nil {
		return Match{}, err
	}
	if limit, ok := maxPlayers(q.Options); ok {
		if err := slotError(limit, expected); err != nil {
			return Match{}, err
		}
	}
	if r := a.rooms[q.Name]; r != nil {
		a.unkeep(r) // what was saved under this name is another room
		a.update(now, r)
	}
	r := a.reserve(now, assume(q.Name, q.Lobby, expected, q.Options, nil), false)
	return a.send(now, r, q.User, expected, true), nil
}

// JoinRequest is operation JoinGame on the master (loadbalancing-operations.md 3.7).
type JoinRequest struct {
	User     string
	Name     string
	Mode     photon.JoinMode
	Session  uint64 // of the asking client
	Expected []string
	// Lobby and Options matter if the room is created: see CreateRequest.
	Lobby   ID
	Options *gpbinary.Hashtable
}

// Join finds a room by name, in any lobby, or reserves the name if the mode
// says so. Codes: GameDoesNotExist, GameClosed, GameFull, SlotError,
// JoinFailedFoundActiveJoiner, InvalidOperation.
//
// Users who are active in the room by another session are refused
// (JoinFailedFoundActiveJoiner) unless they rejoin; see Seated. Inactive ones are
// let through: the game server knows which code to answer.
func (a *App) Join(now time.Time, q JoinRequest) (Match, error) {
	a.expire(now)
	if q.Name == "" {
		return Match{}, missingName()
	}
	if q.Mode > photon.RejoinOnly {
		return Match{}, fail(photon.ReturnInvalidOperation, "join mode %d is unknown", q.Mode)
	}
	expected, err := a.expectedUsers(q.User, q.Expected)
	if err != nil {
		return Match{}, err
	}
	r := a.rooms[q.Name]
	if r == nil {
		return a.joinUnknown(now, q, expected)
	}
	rejoins := q.Mode == photon.JoinOrRejoin || q.Mode == photon.RejoinOnly
	if !rejoins && r.state == live && r.rec.CheckUser && r.activeBy(q.User, q.Session) {
		return Match{}, fail(photon.ReturnJoinFailedFoundActiveJoiner, "the user is active in the room")
	}
	if q.Mode != photon.RejoinOnly {
		if err := r.admits(q.User, expected); err != nil {
			return Match{}, err
		}
	}
	if r.state == kept {
		return a.loadKept(now, r, q.User, expected), nil
	}
	return a.send(now, r, q.User, expected, false), nil
}

func missingName() error {
	return &Error{photon.ReturnInvalidOperation, photon.Missing(photon.ParamRoomName).Error()}
}

func (a *App) joinUnknown(now time.Time, q JoinRequest, expected []string) (Match, error) {
	load := a.loads(q.Mode)
	if !load && q.Mode != photon.CreateIfNotExists {
		return Match{}, fail(photon.ReturnGameDoesNotExist, "no room has this name")
	}
	if err := a.CheckLobby(q.Lobby); err != nil {
		return Match{}, err
	}
	if limit, ok := maxPlayers(q.Options); ok {
		if err := slotError(limit, expected); err != nil {
			return Match{}, err
		}
	}
	r := a.reserve(now, assume(q.Name, q.Lobby, expected, q.Options, nil), false)
	m := a.send(now, r, q.User, expected, true)
	m.Load = load
	return m, nil
}

// admits makes the checks of a join by name: they bind users who are neither in
// the room nor expected there.
func (r *room) admits(user string, expected []string) error {
	if !r.isActor(user) && !slices.Contains(r.rec.Expected, user) && !r.promises[user].expected {
		if !r.rec.Open {
			return fail(photon.ReturnGameClosed, "the room is closed")
		}
		if !r.fits(user, nil) {
			return fail(photon.ReturnGameFull, "the room is full")
		}
	}
	if len(expected) == 0 {
		return nil
	}
	if err := slotError(r.rec.MaxPlayers, expected); err != nil {
		return err
	}
	if !r.fits(user, expected) {
		return fail(photon.ReturnGameFull, "the room has not enough slots for the expected users")
	}
	return nil
}

// send notes that a user goes to a room; created says that the caller has to
// place it first.
func (a *App) send(now time.Time, r *room, user string, expected []string, created bool) Match {
	a.heading(now, r, user)
	for _, id := range expected {
		a.hold(now, r, id, true)
	}
	m := Match{Room: r.name, Lobby: r.lobby.id, Server: r.server}
	if created {
		r.resv.user = user
		m.Reservation = r.resv.id
	}
	return m
}

// loadKept reserves a kept room's name until a game server has loaded it. The
// room stays findable, so that others who are matched with it meet there.
func (a *App) loadKept(now time.Time, r *room, user string, expected []string) Match {
	r = a.reserve(now, r.kept, true)
	m := a.send(now, r, user, expected, true)
	m.Load = true
	return m
}
