package s2s

import (
	"errors"

	"github.com/boson-project/boson/pkg/lobby"
)

// ErrTooManyRooms is the error of a game server that reports more rooms than a
// master wants to hear of.
var ErrTooManyRooms = errors.New("s2s: game server reports too many rooms")

// DefaultMirrorRooms is the most rooms that one game server may have.
const DefaultMirrorRooms = 200_000

// Mirror follows the rooms of one game server at a master. It outlives links: a
// new link brings a snapshot, and what that does not mention is removed. It is
// for one goroutine; the functions are called from Apply and Clear.
//
// A game server speaks for its own rooms only: Remove is called for no room that
// this mirror did not bring (cluster.md 22). Whether Upsert brings the name of a
// room that another server has, the owner knows (cluster.md 14.3).
type Mirror struct {
	Upsert func(lobby.Record)
	Remove func(app, name string, reason RemoveReason)
	// Users brings the comings and goings of users. May be nil.
	Users func(*UserDelta)
	// MaxRooms bounds the memory that one server takes. Default DefaultMirrorRooms.
	MaxRooms int

	rooms    map[string]mirrored
	rev      int64 // of the last message
	round    uint32
	synced   bool // rev is known
	snapshot bool // between SnapshotBegin and SnapshotEnd
	complete bool
}

type mirrored struct {
	app, name string
	round     uint32 // of the last snapshot that mentioned it
}

// Reset prepares for a new link: nothing counts until its snapshot begins. The
// rooms stay.
func (m *Mirror) Reset() { m.synced, m.snapshot, m.complete = false, false, false }

// Complete says whether the rooms are those of the server: a snapshot of the
// present link has ended.
func (m *Mirror) Complete() bool { return m.complete }

// Len is the number of rooms.
func (m *Mirror) Len() int { return len(m.rooms) }

// Receive applies a message that came over l, and asks l for a snapshot if one
// is missing. The error is ErrTooManyRooms, or that of sending; the owner then
// closes the link.
func (m *Mirror) Receive(l *Link, msg Message) error {
	resync, err := m.Apply(msg)
	if err == nil && resync {
		err = l.SendEvent(&Resync{})
	}
	return err
}

// Apply applies a message; those that do not count revisions have no effect.
// resync says that one was missed: until the next snapshot begins, everything
// else is ignored. The error is ErrTooManyRooms.
func (m *Mirror) Apply(msg Message) (resync bool, err error) {
	switch msg := msg.(type) {
	case *SnapshotBegin:
		m.rev, m.synced, m.snapshot = msg.Rev, true, true
		m.round++
	case *RoomBatch:
		if !m.next(msg.Rev, &resync) {
			return resync, nil
		}
		for i := range msg.Rooms {
			if err := m.put(msg.Rooms[i]); err != nil {
				return false, err
			}
		}
	case *RoomRemove:
		if !m.next(msg.Rev, &resync) {
			return resync, nil
		}
		for _, key := range msg.Keys {
			if r, ok := m.rooms[key]; ok {
				delete(m.rooms, key)
				m.Remove(r.app, r.name, msg.Reason)
			}
		}
	case *SnapshotEnd:
		if !m.next(msg.Rev, &resync) {
			return resync, nil
		}
		if m.snapshot {
			m.snapshot, m.complete = false, true
			m.sweep()
		}
	case *UserDelta:
		if !msg.Master && !m.next(msg.Rev, &resync) {
			return resync, nil
		}
		if m.Users != nil {
			m.Users(msg)
		}
	}
	return false, nil
}

// next says whether a message of this revision is the next one; otherwise it
// is not to be applied, and resync is set once per gap.
func (m *Mirror) next(rev int64, resync *bool) bool {
	if m.synced && rev == m.rev+1 {
		m.rev = rev
		return true
	}
	*resync = m.synced
	m.synced, m.snapshot = false, false
	return false
}

func (m *Mirror) put(r lobby.Record) error {
	key := RoomKey(r.App, r.Name)
	if _, known := m.rooms[key]; !known {
		limit := m.MaxRooms
		if limit == 0 {
			limit = DefaultMirrorRooms
		}
		if len(m.rooms) >= limit {
			return ErrTooManyRooms
		}
		if m.rooms == nil {
			m.rooms = make(map[string]mirrored)
		}
	}
	m.rooms[key] = mirrored{r.App, r.Name, m.round}
	m.Upsert(r)
	return nil
}

// sweep removes what the last snapshot did not mention.
func (m *Mirror) sweep() {
	for key, r := range m.rooms {
		if r.round != m.round {
			delete(m.rooms, key)
			m.Remove(r.app, r.name, RemoveLost)
		}
	}
}

// Clear removes all rooms: the server said goodbye or is given up.
func (m *Mirror) Clear(reason RemoveReason) {
	m.Reset()
	for _, r := range m.rooms {
		m.Remove(r.app, r.name, reason)
	}
	clear(m.rooms)
}
