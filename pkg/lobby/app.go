package lobby

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// Error is why an operation failed: its response's return code and debug message.
type Error struct {
	Code photon.ReturnCode
	Text string
}

// Error returns the debug message.
func (e *Error) Error() string { return e.Text }

func fail(code photon.ReturnCode, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// App is one virtual application's rooms, lobbies and users on a master. See
// the package comment for who may call its methods. Errors that they return are
// *Error.
type App struct {
	cfg Config
	rng *rand.Rand

	rooms   map[string]*room
	lobbies map[ID]*lobby
	servers map[string]*server
	users   map[string]*user
	masters map[string]map[string]int // connections by master and user
	watches map[Watcher]*watch
	awaits  map[awaitKey]map[*await]struct{}
	// elsewhere are other masters' clients in lobbies, by lobby and master.
	elsewhere map[ID]map[string]int32

	seq         uint64 // of rooms
	reservation uint64 // the last id
	live        int    // rooms confirmed by game servers
	players     int    // active actors in them
	duplicates  int
	peers       int // connections to masters

	reserved queue[reservedName]
	promised queue[promisedSlot]
	kept     queue[keptRoom]
	keptNow  int
	graced   queue[*user]
	scratch  map[string]bool

	listAt time.Time // when changed lists are due; zero: nothing changed
}

// New returns an App without rooms. The randomness chooses rooms and, unless
// cfg.NewName does, their names; for names it should be unpredictable.
func New(cfg Config, random rand.Source) *App {
	return &App{
		cfg:     cfg.withDefaults(),
		rng:     rand.New(random),
		rooms:   make(map[string]*room),
		lobbies: make(map[ID]*lobby),
		servers: make(map[string]*server),
		users:   make(map[string]*user),
		masters: make(map[string]map[string]int),
		watches: make(map[Watcher]*watch),
		awaits:  make(map[awaitKey]map[*await]struct{}),
		scratch: make(map[string]bool),

		elsewhere: make(map[ID]map[string]int32),
	}
}

// Deadline is when Tick must be called next, or zero: when nothing happens, never.
// Every other method may change it.
func (a *App) Deadline() time.Time {
	t := a.listAt
	t = a.reserved.sooner(t)
	t = a.promised.sooner(t)
	t = a.kept.sooner(t)
	return a.graced.sooner(t)
}

// Tick lets go of what is overdue and sends the list updates that are due.
func (a *App) Tick(now time.Time) {
	a.expire(now)
	if a.listAt.IsZero() || a.listAt.After(now) {
		return
	}
	a.listAt = time.Time{}
	for _, l := range a.lobbies {
		if len(l.dirty) > 0 {
			a.flush(now, l)
		}
	}
}

// expire comes before anything that an overdue promise could change.
func (a *App) expire(now time.Time) {
	for {
		e, ok := a.reserved.pop(now)
		if !ok {
			break
		}
		if e.room.resv.id == e.id {
			a.endReservation(e.room)
			a.update(now, e.room)
		}
	}
	for {
		p, ok := a.promised.pop(now)
		if !ok {
			break
		}
		a.expirePromise(now, p)
	}
	for {
		k, ok := a.kept.pop(now)
		if !ok {
			break
		}
		a.forgetKept(now, k)
	}
	for {
		u, ok := a.graced.pop(now)
		if !ok {
			break
		}
		a.tidy(now, u)
	}
}

// Stats is an application's counts (loadbalancing-matchmaking.md 7.1).
type Stats struct {
	Players int32 // active actors in rooms
	Rooms   int32 // rooms confirmed by game servers
	Peers   int32 // clients connected to masters, as UserConnected told
}

// Stats returns the counts for event AppStats.
func (a *App) Stats() Stats {
	return Stats{Players: int32(a.players), Rooms: int32(a.live), Peers: int32(a.peers)}
}

// Names returns how many rooms there are together with names that are only reserved.
func (a *App) Names() int { return len(a.rooms) - a.keptNow }

// Duplicates returns how many rooms are open on more than one game server
// (cluster.md 14.3). Of such a room only the oldest is known to lists and joins.
func (a *App) Duplicates() int { return a.duplicates }
