package lobby

import (
	"slices"
	"sort"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// Watcher is a client in a lobby. Implementations are comparable (pointers).
// Send must not block, nor change or reuse msg: watchers share it.
type Watcher interface {
	Protocol() photon.Protocol
	Send(msg []byte, d photon.Delivery)
}

// watch is one watcher's place in a lobby.
type watch struct {
	watcher Watcher
	lobby   *lobby
	joined  uint64 // on the lobby's clock
	// partial is the initial list, if it did not have all rooms of the lobby.
	partial *initialList
}

// listing is a room name that the watchers of a lobby know, or soon will. It
// exists while the room is listed, and until watchers are told that it is gone.
//
// The rest is to find out who knows it: the SDK of JavaScript takes the removal
// of a room that it was not told of for a new room (websocket-json.md 6.2).
type listing struct {
	name  string
	room  *room // nil: gone
	dirty bool
	told  uint64 // when an update last had it; 0: never
	// spans are the times during which it was in initial lists, since it was last
	// told; telling makes it known to everybody before.
	spans []span
}

type span struct{ from, to uint64 }

const always = ^uint64(0)

// initialList is an event GameList and what is needed to use it again.
type initialList struct {
	message
	changes, flushes uint64
	partial          map[*listing]struct{} // what it has, if not everything
}

// LobbyOf returns the lobby that a watcher is in.
func (a *App) LobbyOf(w Watcher) (ID, bool) {
	if x := a.watches[w]; x != nil {
		return x.lobby.id, true
	}
	return ID{}, false
}

// LobbyFor returns the lobby that an operation of a client uses, which names
// one or not (loadbalancing-matchmaking.md 1.1).
func (a *App) LobbyFor(w Watcher, named ID) ID {
	if named.Name == "" {
		named, _ = a.LobbyOf(w)
	}
	return named
}

// JoinLobby puts a client into a lobby, out of the one it is in, and sends it the
// room list if the lobby has one. The caller sends the response before; it asks
// CheckLobby before that. Code: InvalidOperation.
func (a *App) JoinLobby(now time.Time, w Watcher, id ID) error {
	a.expire(now)
	if err := a.CheckLobby(id); err != nil {
		return err
	}
	l := a.lobbies[id]
	if l == nil {
		l = newLobby(id)
		a.lobbies[id] = l
	}
	if x := a.watches[w]; x != nil && x.lobby == l {
		l.unwatch(x) // and in again, at the end
	} else {
		a.LeaveLobby(w)
	}
	l.clock++
	x := &watch{watcher: w, lobby: l, joined: l.clock}
	a.watches[w] = x
	l.watches = append(l.watches, x)
	if id.Type != Default {
		return nil
	}
	list := a.initialList(l)
	if list.partial != nil {
		x.partial = list
	}
	send(w, &list.message)
	return nil
}

// LeaveLobby takes a client out of its lobby, if it is in one. It must be called
// when the client's connection ends.
func (a *App) LeaveLobby(w Watcher) {
	x := a.watches[w]
	if x == nil {
		return
	}
	delete(a.watches, w)
	x.lobby.unwatch(x)
	a.dropIfIdle(x.lobby)
}

// unwatch takes a watcher out. When nobody is left to be told of changes, they
// are forgotten.
func (l *lobby) unwatch(x *watch) {
	i := sort.Search(len(l.watches), func(i int) bool { return l.watches[i].joined >= x.joined })
	l.watches = slices.Delete(l.watches, i, i+1)
	if len(l.watches) > 0 {
		return
	}
	for _, t := range l.dirty {
		t.dirty = false
		if t.room == nil {
			delete(l.listings, t.name)
		}
	}
	l.dirty, l.initial = nil, nil
}

func send(w Watcher, m *message) {
	if b := m.encode(w.Protocol()); b != nil {
		w.Send(b, photon.Delivery{Mode: photon.Reliable})
	}
}

// show, changed and hide note what happened to a room that may be listed.
func (a *App) show(now time.Time, r *room) {
	l := r.lobby
	l.clock++
	t := l.listings[r.name]
	if t == nil {
		t = &listing{name: r.name}
		l.listings[r.name] = t
	}
	t.spans = append(t.spans, span{l.clock, always})
	t.room, r.listing = r, t
	l.shown++
	a.mark(now, l, t)
}

func (a *App) changed(now time.Time, t *listing) { a.mark(now, t.room.lobby, t) }

func (a *App) hide(now time.Time, r *room) {
	l, t := r.lobby, r.listing
	l.clock++
	t.spans[len(t.spans)-1].to = l.clock
	t.room, r.listing = nil, nil
	l.shown--
	a.mark(now, l, t)
	if len(l.watches) == 0 {
		delete(l.listings, t.name)
	}
}

func (a *App) mark(now time.Time, l *lobby, t *listing) {
	l.changes++
	if len(l.watches) == 0 || t.dirty {
		return
	}
	t.dirty = true
	l.dirty = append(l.dirty, t)
	if a.listAt.IsZero() {
		a.listAt = now.Add(a.cfg.ListInterval)
	}
}

// initialList returns the list for one who joins now: joinable rooms, then full,
// then closed ones. A list that had to leave rooms out is used until the next
// update, as far as that changes in between reach everybody; a complete one
// until something changes.
func (a *App) initialList(l *lobby) *initialList {
	if list := l.initial; list != nil &&
		(list.partial == nil && list.changes == l.changes || list.partial != nil && list.flushes == l.flushes) {
		return list
	}
	list := &initialList{message: message{code: photon.EventGameList}, changes: l.changes, flushes: l.flushes}
	left := a.listAllowance()
	var listed []*listing
fill:
	for c := open; c <= closed; c++ {
		at := cursor{}
		for r := l.lists[c].next(&at); r != nil; r = l.lists[c].next(&at) {
			if r.listing == nil {
				continue
			}
			if !left.take(r.size, len(listed) == 0) {
				break fill
			}
			list.rows = append(list.rows, r.entry())
			listed = append(listed, r.listing)
		}
	}
	if len(listed) < l.shown {
		list.partial = make(map[*listing]struct{}, len(listed))
		for _, t := range listed {
			list.partial[t] = struct{}{}
		}
	}
	l.initial = list
	return list
}

// flush sends a lobby's update: changed rooms, joinable ones first, as many as
// one event may have, and all removals (loadbalancing-matchmaking.md 3). What
// does not fit waits for the next update.
func (a *App) flush(now time.Time, l *lobby) {
	l.clock++
	l.flushes++
	var changed [closed + 1][]*listing
	var gone []*listing
	for _, t := range l.dirty {
		if t.room != nil {
			changed[t.room.class] = append(changed[t.room.class], t)
			continue
		}
		t.dirty = false
		delete(l.listings, t.name)
		if l.anybodyKnows(t) {
			gone = append(gone, t)
		}
	}
	clear(l.dirty)
	l.dirty = l.dirty[:0]
	left := a.listAllowance()
	var rows []row
	for _, class := range changed {
		for i, t := range class {
			if !left.take(t.room.size, len(rows) == 0) {
				left.rooms = 0
				l.dirty = append(l.dirty, class[i:]...)
				break
			}
			rows = append(rows, t.room.entry())
			t.dirty = false
			t.told = l.clock
			t.spans = append(t.spans[:0], span{0, always})
		}
	}
	if len(l.dirty) > 0 && a.listAt.IsZero() {
		a.listAt = now.Add(a.cfg.ListInterval)
	}
	l.publish(rows, gone)
}

// anybodyKnows is false for a room that came and went between two updates
// without a watcher who joined in between.
func (l *lobby) anybodyKnows(t *listing) bool {
	return t.told > 0 || len(l.watches) > 0 && t.spans[0].from < l.watches[len(l.watches)-1].joined
}

// publish sends the changes to everybody, and each removal to those who may know
// the room. Binary clients get all removals, which are harmless to them.
func (l *lobby) publish(rows []row, gone []*listing) {
	if len(rows) == 0 && len(gone) == 0 {
		return
	}
	all := update(rows, gone)
	p := publisher{rows: rows, gone: gone, all: all, to: always}
	for _, t := range gone {
		s := t.spans[len(t.spans)-1]
		p.from, p.to = max(p.from, s.from), min(p.to, s.to)
	}
	for _, x := range l.watches {
		m := all
		if len(gone) > 0 && x.watcher.Protocol() == photon.JSON {
			m = p.messageFor(x)
		}
		if m != nil {
			send(x.watcher, m)
		}
	}
}

func update(rows []row, gone []*listing) *message {
	m := &message{code: photon.EventGameListUpdate, rows: slices.Clip(rows)}
	for _, t := range gone {
		m.rows = append(m.rows, row{t.name, removedTable})
	}
	return m
}

// publisher makes the messages of one update, few for many watchers.
type publisher struct {
	rows []row
	gone []*listing
	all  *message
	// Who joined from from on and before to, with a complete list, knows all that
	// is gone.
	from, to uint64
	partial  map[*initialList]*message
	subsets  map[string]*message // by the set of gone rooms that are known
}

// messageFor returns the update for one watcher; nil: there is nothing to tell.
func (p *publisher) messageFor(x *watch) *message {
	if x.partial == nil && p.from <= x.joined && x.joined < p.to {
		return p.all
	}
	// Those who joined with the same partial list joined between the same updates,
	// so that they know the same rooms.
	if m, ok := p.partial[x.partial]; ok && x.partial != nil {
		return m
	}
	known := make([]*listing, 0, len(p.gone))
	set := make([]byte, (len(p.gone)+7)/8)
	for i, t := range p.gone {
		if x.knows(t) {
			known = append(known, t)
			set[i/8] |= 1 << (i % 8)
		}
	}
	m, ok := p.subsets[string(set)]
	switch {
	case ok:
	case len(known) == len(p.gone):
		m = p.all
	case len(known) > 0 || len(p.rows) > 0:
		m = update(p.rows, known)
	}
	if p.subsets == nil {
		p.subsets, p.partial = make(map[string]*message), make(map[*initialList]*message)
	}
	p.subsets[string(set)] = m
	if x.partial != nil {
		p.partial[x.partial] = m
	}
	return m
}

// knows says whether the watcher was told of the room since it joined.
func (x *watch) knows(t *listing) bool {
	if x.joined < t.told {
		return true
	}
	if x.partial != nil {
		_, ok := x.partial.partial[t]
		return ok
	}
	return slices.ContainsFunc(t.spans, func(s span) bool { return s.from <= x.joined && x.joined < s.to })
}
