package s2s

import (
	"fmt"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
)

// Event is what a master tells a game server: RoomReleased, Resync, SetState,
// CloseRoom, KickUser, Masters or Config (cluster.md 12.4).
type Event interface {
	code() EventCode
	params() gpbinary.Params
}

// RoomReleased takes back a reservation.
type RoomReleased struct {
	App, Room string
	Placement [16]byte
}

// Resync asks for a snapshot.
type Resync struct{}

// SetState changes the state of a game server. Deadline in milliseconds, 0 none:
// how long its rooms may live on.
type SetState struct {
	State    byte
	Deadline int64
}

// CloseRoom ends a room.
type CloseRoom struct{ App, Room, Reason string }

// KickUser disconnects a user.
type KickUser struct{ App, User, Reason string }

// Masters lists the S2S addresses of all masters that the sender knows.
type Masters struct{ Addresses []string }

// Config says that settings of applications have changed.
type Config struct{}

func (*RoomReleased) code() EventCode { return EventRoomReleased }
func (*Resync) code() EventCode       { return EventResync }
func (*SetState) code() EventCode     { return EventSetState }
func (*CloseRoom) code() EventCode    { return EventCloseRoom }
func (*KickUser) code() EventCode     { return EventKickUser }
func (*Masters) code() EventCode      { return EventMasters }
func (*Config) code() EventCode       { return EventConfig }

func (e *RoomReleased) params() gpbinary.Params {
	return gpbinary.Params{param(1, e.App), param(2, e.Room), param(3, e.Placement[:])}
}
func (*Resync) params() gpbinary.Params { return nil }
func (e *SetState) params() gpbinary.Params {
	return gpbinary.Params{param(1, e.State), param(2, e.Deadline)}
}
func (e *CloseRoom) params() gpbinary.Params {
	return gpbinary.Params{param(1, e.App), param(2, e.Room), param(3, e.Reason)}
}
func (e *KickUser) params() gpbinary.Params {
	return gpbinary.Params{param(1, e.App), param(2, e.User), param(3, e.Reason)}
}
func (e *Masters) params() gpbinary.Params { return gpbinary.Params{param(1, e.Addresses)} }
func (*Config) params() gpbinary.Params    { return nil }

// parseEvent reads an event; ok is false for one that this version does not know.
func parseEvent(code EventCode, p gpbinary.Params) (e Event, ok bool, err error) {
	f := &fields{params: p}
	text := func(key byte) string { return field[string](f, key) }
	switch code {
	case EventRoomReleased:
		e = &RoomReleased{text(1), text(2), f.array16(3)}
	case EventResync:
		e = &Resync{}
	case EventSetState:
		e = &SetState{field[byte](f, 1), field[int64](f, 2)}
	case EventCloseRoom:
		e = &CloseRoom{text(1), text(2), text(3)}
	case EventKickUser:
		e = &KickUser{text(1), text(2), text(3)}
	case EventMasters:
		e = &Masters{field[[]string](f, 1)}
	case EventConfig:
		e = &Config{}
	default:
		return nil, false, nil
	}
	if f.err != nil {
		return nil, true, fmt.Errorf("event %d: %w", code, f.err)
	}
	return e, true, nil
}

// ReserveRoom asks a game server to keep a name free for a room that a client is
// about to create there (cluster.md 12.4). The same placement again renews it.
type ReserveRoom struct {
	App, Room string
	Placement [16]byte
	TTL       time.Duration // on the game server's clock, from receipt; in whole milliseconds
	User      string        // who creates it
	// Lobby is where the master put the room: clients repeat a lobby only if they
	// named one (loadbalancing-matchmaking.md 1.1).
	Lobby lobby.ID
}

// Params is the request's parameter table, for Link.Request with OpReserveRoom.
func (r *ReserveRoom) Params() gpbinary.Params {
	return gpbinary.Params{
		param(1, r.App), param(2, r.Room), param(3, r.Placement[:]), param(4, int32(r.TTL.Milliseconds())), param(5, r.User),
		param(6, r.Lobby.Name), param(7, byte(r.Lobby.Type)),
	}
}

// ParseReserveRoom reads the parameters of an OpReserveRoom request.
func ParseReserveRoom(p gpbinary.Params) (r ReserveRoom, err error) {
	f := &fields{params: p}
	r = ReserveRoom{
		App: field[string](f, 1), Room: field[string](f, 2), Placement: f.array16(3),
		TTL: time.Duration(field[int32](f, 4)) * time.Millisecond, User: field[string](f, 5),
		Lobby: lobby.ID{Name: field[string](f, 6), Type: lobby.Type(field[byte](f, 7))},
	}
	if f.err == nil && r.Room == "" {
		f.err = errRecord
	}
	return r, f.err
}

// ExistsParams are the parameters of a ReserveExists answer: the room that has
// the name.
func ExistsParams(r *lobby.Record) (gpbinary.Params, error) {
	b, err := appendRecord(nil, r)
	if err != nil {
		return nil, err
	}
	return gpbinary.Params{param(1, gpbinary.Raw{Version: gpbinary.V16, Bytes: b})}, nil
}

// ParseExists reads the parameters of a ReserveExists answer.
func ParseExists(p gpbinary.Params) (lobby.Record, error) {
	f := &fields{params: p}
	d := field[*gpbinary.Dictionary](f, 1)
	if f.err != nil {
		return lobby.Record{}, f.err
	}
	if d == nil {
		return lobby.Record{}, errRecord
	}
	return parseRecord(d.Pairs)
}

// PlacementParams are the parameters of an OpRequestPlacement request: a game
// server asks for the right to create a room by itself, because a client comes to
// it directly for a room that is no longer loaded (cluster.md 12.3). The answer
// is ReserveOk, ReserveRefused, or ReserveExists if the name is taken elsewhere.
func PlacementParams(app, room string) gpbinary.Params {
	return gpbinary.Params{param(1, app), param(2, room)}
}

// ParseRequestPlacement reads the parameters of an OpRequestPlacement request.
func ParseRequestPlacement(p gpbinary.Params) (app, room string, err error) {
	f := &fields{params: p}
	app, room = field[string](f, 1), field[string](f, 2)
	if f.err == nil && room == "" {
		f.err = errRecord
	}
	return app, room, f.err
}
