package lobby

import (
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby/sqlfilter"
	"github.com/boson-project/boson/pkg/photon"
)

// RandomRequest is operation JoinRandomGame (loadbalancing-operations.md 3.9).
type RandomRequest struct {
	User    string
	Session uint64 // of the asking client
	// Lobby is the one that the request names or else LobbyFor says.
	Lobby ID
	Mode  photon.MatchmakingMode
	// Filter is parameter 248: custom properties that the room must have, and
	// MaxPlayers as byte key 255 or 243; may be nil.
	Filter *gpbinary.Hashtable
	// ByValue compares numbers of different types: for askers whose protocol has
	// no number types, JSON (websocket-json.md 4.6). See Record.ByValue.
	ByValue bool
	// SQL is parameter 245. It matters in SQL lobbies only, and replaces the
	// custom properties of Filter there.
	SQL      string
	Expected []string

	// Create makes it JoinRandomOrCreate: Name and Options are those of the room
	// to create, "" and nil if the request has none.
	Create  bool
	Name    string
	Options *gpbinary.Hashtable
}

// JoinRandom chooses a room, or reserves one if the request says so and none
// fits (loadbalancing-matchmaking.md 4). Codes: NoRandomMatchFound,
// GameIdAlreadyExists, SlotError, InvalidOperation.
func (a *App) JoinRandom(now time.Time, q RandomRequest) (Match, error) {
	a.expire(now)
	if q.Mode > photon.RandomMatching {
		return Match{}, fail(photon.ReturnInvalidOperation, "matchmaking mode %d is unknown", q.Mode)
	}
	expected, err := a.expectedUsers(q.User, q.Expected)
	if err != nil {
		return Match{}, err
	}
	s := search{user: q.User, session: q.Session, expected: expected, byValue: q.ByValue}
	if u := a.users[q.User]; u != nil {
		s.seats = u.seats
	}
	s.limit, s.limited = maxPlayers(q.Filter)
	chain := []*sqlfilter.Filter{nil}
	if q.Lobby.Type == SQL {
		q.Mode = photon.FillRoom
		s.matcher.Budget = a.cfg.SearchSteps
		if q.SQL != "" {
			if chain, err = sqlfilter.ParseChain(q.SQL); err != nil {
				return Match{}, fail(photon.ReturnInvalidOperation, "%v", err)
			}
		}
	} else {
		for _, p := range q.Filter.Pairs() {
			if isCustom(p.Key) {
				s.conditions = append(s.conditions, p)
			}
		}
	}
	if l := a.lobbies[q.Lobby]; l != nil {
		for _, f := range chain {
			s.filter = f
			r := a.choose(l, &s, q.Mode)
			if s.matcher.Exhausted() {
				return Match{}, fail(photon.ReturnInvalidOperation, "the filter takes too much work")
			}
			if r != nil {
				return a.sendRandom(now, r, q.User, expected), nil
			}
		}
	}
	if !q.Create {
		return Match{}, fail(photon.ReturnNoRandomMatchFound, "no room matches")
	}
	return a.createRandom(now, q, expected)
}

// sendRandom holds a slot, which joins by name don't get: their users chose the
// room themselves and may come from other ids again and again.
func (a *App) sendRandom(now time.Time, r *room, user string, expected []string) Match {
	var m Match
	if r.state == kept {
		m = a.loadKept(now, r, user, expected)
	} else {
		m = a.send(now, r, user, expected, false)
	}
	a.hold(now, r, user, false)
	return m
}

func (a *App) createRandom(now time.Time, q RandomRequest, expected []string) (Match, error) {
	if q.Name == "" {
		q.Name = a.newName()
	}
	if a.taken(q.Name) {
		return Match{}, fail(photon.ReturnGameIDAlreadyExists, "a room with this name exists")
	}
	if err := a.CheckLobby(q.Lobby); err != nil {
		return Match{}, err
	}
	rec := assume(q.Name, q.Lobby, expected, q.Options, q.Filter)
	if q.ByValue {
		for _, p := range rec.Properties.Pairs() {
			if key, ok := p.Key.(string); ok {
				rec.ByValue = append(rec.ByValue, key)
			}
		}
	}
	if err := slotError(rec.MaxPlayers, expected); err != nil {
		return Match{}, err
	}
	if r := a.rooms[q.Name]; r != nil {
		a.unkeep(r)
		a.update(now, r)
	}
	r := a.reserve(now, rec, true)
	m := a.send(now, r, q.User, expected, true)
	a.hold(now, r, q.User, false)
	return m, nil
}

// search is what one random join looks for.
type search struct {
	user     string
	session  uint64
	expected []string
	seats    []seat // rooms that the user is in

	limited    bool // MaxPlayers must be limit
	limit      int32
	conditions []gpbinary.Pair
	byValue    bool

	filter  *sqlfilter.Filter // nil: none
	matcher sqlfilter.Matcher
}

// choose finds a room by the rule of the mode (loadbalancing-matchmaking.md 4.2).
func (a *App) choose(l *lobby, s *search, mode photon.MatchmakingMode) *room {
	if l.id.Type == SQL {
		return l.oldest(s)
	}
	list := l.candidates(s)
	if list == nil || list.len == 0 {
		return nil
	}
	switch mode {
	case photon.SerialMatching:
		after := l.last
		after.seq++
		start := list.find(after)
		r := s.first(list, start, nil)
		if r == nil {
			r = s.first(list, cursor{}, list.peek(start))
		}
		if r != nil {
			l.last = r.order
		}
		return r
	case photon.RandomMatching:
		return a.chooseAny(list, s)
	default:
		return s.first(list, cursor{}, nil)
	}
}

// chooseAny first tries rooms at random, which is uniform among those that
// match and cheap where many do; then it looks at all of them.
func (a *App) chooseAny(list *roomList, s *search) *room {
	for range min(16, list.len) {
		if r := list.at(a.rng.IntN(list.len)); s.matches(r) {
			return r
		}
	}
	var chosen *room
	n := 0
	c := cursor{}
	for r := list.next(&c); r != nil; r = list.next(&c) {
		if s.matches(r) {
			n++
			if a.rng.IntN(n) == 0 {
				chosen = r
			}
		}
	}
	return chosen
}

// first returns the first match from a place on, up to the room end.
func (s *search) first(list *roomList, from cursor, end *room) *room {
	for r := list.next(&from); r != nil && r != end; r = list.next(&from) {
		if s.matches(r) {
			return r
		}
		if s.matcher.Exhausted() {
			return nil
		}
	}
	return nil
}

// candidates returns the shortest list of open rooms among which all matches
// are; nil: there are none.
func (l *lobby) candidates(s *search) *roomList {
	best := &l.lists[open]
	try := func(k indexKey) bool {
		bucket := l.index[k]
		if bucket == nil {
			return false
		}
		if bucket.len < best.len {
			best = bucket
		}
		return true
	}
	if s.limited && !try(maxPlayersKey(s.limit)) {
		return nil
	}
	for _, p := range s.conditions {
		if k, ok := propertyKey(p.Key, p.Value); ok && !try(k) {
			return nil
		}
	}
	if s.filter != nil {
		for _, e := range s.filter.Equalities() {
			var value any = e.Value.Text()
			if e.Value.Kind() == sqlfilter.Int {
				value = e.Value.Int()
			}
			if k, ok := propertyKey(columnNames[e.Column], value); ok && !try(k) {
				return nil
			}
		}
	}
	return best
}

// matches says whether an open room is a candidate (loadbalancing-matchmaking.md 4.1).
func (s *search) matches(r *room) bool {
	if s.limited && r.rec.MaxPlayers != s.limit {
		return false
	}
	if s.filter != nil && !s.filter.Match(&s.matcher, r.columns) {
		return false
	}
	for _, c := range s.conditions {
		v, ok := r.rec.Properties.Get(c.Key)
		if !ok {
			return false
		}
		if key, _ := c.Key.(string); s.byValue || slices.Contains(r.rec.ByValue, key) {
			ok = gpbinary.EqualValues(v, c.Value)
		} else {
			ok = gpbinary.Equal(v, c.Value)
		}
		if !ok {
			return false
		}
	}
	if !r.fits(s.user, s.expected) {
		return false
	}
	for i := range s.seats {
		if s.seats[i].room == r && (r.state != live || r.lone() || r.waitsFor(s.user) || r.activeBy(s.user, s.session)) {
			return false
		}
	}
	return !slices.Contains(r.rec.Excluded, s.user)
}
