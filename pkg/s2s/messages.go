package s2s

import (
	"fmt"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
)

// Message is an operation that wants no answer: of a game server LoadReport,
// SnapshotBegin, RoomBatch, RoomRemove, SnapshotEnd, UserDelta or Goodbye
// (cluster.md 12.3), of a master UserDelta, LobbyClients, ClaimResult or Goodbye. Messages are not changed once sent or received.
type Message interface {
	op() Op
	params() (gpbinary.Params, error)
}

// LoadReport says how busy a server is. It is sent each second, and at once when
// level or state change.
type LoadReport struct {
	Rev          int64 // of the last message that counts revisions, for logs
	Level        byte  // 0 lowest to 4 highest
	State        byte  // 0 normal, 1 out of rotation, 2 offline
	CPU          int32 // per mille
	BytesIn      int32 // per second
	BytesOut     int32 // per second
	Peers        int32
	Rooms        int32
	InboxDelay   int32 // 99th percentile of messages' waiting for their room, microseconds
	Reservations int32
	PeerLimit    int32 // 0 unlimited
}

func (*LoadReport) op() Op { return OpLoadReport }

func (m *LoadReport) params() (gpbinary.Params, error) {
	p := gpbinary.Params{
		param(1, m.Rev), param(2, m.Level), param(3, m.State), param(4, m.CPU), param(5, m.BytesIn),
		param(6, m.BytesOut), param(7, m.Peers), param(8, m.Rooms), param(9, m.InboxDelay),
	}
	if m.Reservations != 0 {
		p = append(p, param(10, m.Reservations))
	}
	if m.PeerLimit != 0 {
		p = append(p, param(11, m.PeerLimit))
	}
	return p, nil
}

// SnapshotBegin starts the whole state of a game server: Rooms rooms follow, in
// batches, up to SnapshotEnd.
type SnapshotBegin struct {
	Rev   int64
	Rooms int32
}

func (*SnapshotBegin) op() Op { return OpSnapshotBegin }

func (m *SnapshotBegin) params() (gpbinary.Params, error) {
	return gpbinary.Params{param(1, m.Rev), param(2, m.Rooms)}, nil
}

// RoomBatch brings rooms that are new or have changed.
type RoomBatch struct {
	Rev   int64
	Rooms []lobby.Record
}

func (*RoomBatch) op() Op { return OpRoomBatch }

func (m *RoomBatch) params() (gpbinary.Params, error) {
	rooms := make(gpbinary.ObjectArray, len(m.Rooms))
	for i := range m.Rooms {
		b, err := appendRecord(nil, &m.Rooms[i])
		if err != nil {
			return nil, err
		}
		rooms[i] = gpbinary.Raw{Version: gpbinary.V16, Bytes: b}
	}
	return gpbinary.Params{param(1, m.Rev), param(2, rooms)}, nil
}

// encodedBatch is a RoomBatch whose records are written already.
type encodedBatch struct {
	rev   int64
	rooms gpbinary.ObjectArray
}

func (*encodedBatch) op() Op { return OpRoomBatch }

func (m *encodedBatch) params() (gpbinary.Params, error) {
	return gpbinary.Params{param(1, m.rev), param(2, m.rooms)}, nil
}

// RoomKey names a room among all applications of a cluster: application key,
// NUL, room name.
func RoomKey(app, name string) string { return app + "\x00" + name }

// RoomRemove takes rooms off the list.
type RoomRemove struct {
	Rev    int64
	Keys   []string // RoomKey
	Reason RemoveReason
}

// RemoveReason says why a room is gone.
type RemoveReason byte

// Reasons of removal.
const (
	RemoveClosed RemoveReason = 0 // it ended
	RemoveLost   RemoveReason = 1 // it was not in the snapshot, or its server is lost
)

func (*RoomRemove) op() Op { return OpRoomRemove }

func (m *RoomRemove) params() (gpbinary.Params, error) {
	return gpbinary.Params{param(1, m.Rev), param(2, m.Keys), param(3, byte(m.Reason))}, nil
}

// SnapshotEnd ends a snapshot: rooms not mentioned since its begin are gone.
type SnapshotEnd struct{ Rev int64 }

func (*SnapshotEnd) op() Op { return OpSnapshotEnd }

func (m *SnapshotEnd) params() (gpbinary.Params, error) {
	return gpbinary.Params{param(1, m.Rev)}, nil
}

// UserDelta says which users came and went, for friends. Rev is 0 between
// masters (operation 24), whose deltas count no revisions.
type UserDelta struct {
	Rev          int64
	Joined, Left []UserAt
	Master       bool // between masters: users connected to a master
}

// UserAt is a user of an application, and the room that the user is in or was in.
type UserAt struct{ App, User, Room string }

func (m *UserDelta) op() Op {
	if m.Master {
		return OpMasterUserDelta
	}
	return OpUserDelta
}

func (m *UserDelta) params() (gpbinary.Params, error) {
	users := func(us []UserAt) gpbinary.ObjectArray {
		a := make(gpbinary.ObjectArray, len(us))
		for i, u := range us {
			a[i] = []string{u.App, u.User, u.Room}
		}
		return a
	}
	return gpbinary.Params{param(1, m.Rev), param(2, users(m.Joined)), param(3, users(m.Left))}, nil
}

// Goodbye announces a clean exit: the server's rooms are gone.
type Goodbye struct{ Reason string }

func (*Goodbye) op() Op { return OpGoodbye }

func (m *Goodbye) params() (gpbinary.Params, error) {
	return gpbinary.Params{param(1, m.Reason)}, nil
}

// parseMessage reads the operations that are Messages; ok is false for others.
func parseMessage(op Op, p gpbinary.Params) (m Message, ok bool, err error) {
	f := &fields{params: p}
	rev := func() int64 { return field[int64](f, 1) }
	switch op {
	case OpLoadReport:
		m = &LoadReport{
			Rev: rev(), Level: field[byte](f, 2), State: field[byte](f, 3), CPU: field[int32](f, 4),
			BytesIn: field[int32](f, 5), BytesOut: field[int32](f, 6), Peers: field[int32](f, 7), Rooms: field[int32](f, 8),
			InboxDelay: field[int32](f, 9), Reservations: field[int32](f, 10), PeerLimit: field[int32](f, 11),
		}
	case OpSnapshotBegin:
		m = &SnapshotBegin{rev(), field[int32](f, 2)}
	case OpRoomBatch:
		m = &RoomBatch{rev(), f.records(2)}
	case OpRoomRemove:
		m = &RoomRemove{rev(), field[[]string](f, 2), RemoveReason(field[byte](f, 3))}
	case OpSnapshotEnd:
		m = &SnapshotEnd{rev()}
	case OpUserDelta, OpMasterUserDelta:
		m = &UserDelta{rev(), f.users(2), f.users(3), op == OpMasterUserDelta}
	case OpGoodbye:
		m = &Goodbye{field[string](f, 1)}
	case OpPeerStats:
		m = &LobbyClients{f.lobbyCounts(2)}
	case OpClaimResult:
		m = &ClaimResult{field[string](f, 1), field[string](f, 2), f.array16(3), field[bool](f, 4)}
	default:
		return nil, false, nil
	}
	if f.err != nil {
		return nil, true, fmt.Errorf("operation %d: %w", op, f.err)
	}
	return m, true, nil
}

func (f *fields) users(key byte) []UserAt {
	a := field[gpbinary.ObjectArray](f, key)
	us := make([]UserAt, 0, len(a))
	for _, v := range a {
		u, ok := v.([]string)
		if !ok || len(u) != 3 {
			if f.err == nil {
				f.err = fmt.Errorf("s2s: parameter %d has an element that is no user", key)
			}
			return nil
		}
		us = append(us, UserAt{u[0], u[1], u[2]})
	}
	return us
}
