package lobby

import (
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby/sqlfilter"
	"github.com/boson-project/boson/pkg/photon"
)

// row is one entry of a room list.
type row struct {
	name  string
	table *gpbinary.Hashtable
}

var removedTable = gpbinary.NewHashtable(gpbinary.Pair{Key: photon.PropRemoved, Value: true})

// entry is a room's table in lists (loadbalancing-matchmaking.md 3). It is made
// once per change of what it shows and must not be changed.
func (r *room) entry() row {
	if r.row == nil {
		rec := r.rec
		pairs := make([]gpbinary.Pair, 0, 4+rec.Properties.Len())
		switch limit := max(rec.MaxPlayers, 0); {
		case limit > 255:
			pairs = append(pairs, gpbinary.Pair{Key: photon.PropMaxPlayers, Value: byte(0)},
				gpbinary.Pair{Key: photon.PropMaxPlayersInt, Value: limit})
		default:
			pairs = append(pairs, gpbinary.Pair{Key: photon.PropMaxPlayers, Value: byte(limit)})
		}
		var players any = rec.Players
		if 0 <= rec.Players && rec.Players <= 255 {
			players = byte(rec.Players)
		}
		pairs = append(pairs, gpbinary.Pair{Key: photon.PropPlayerCount, Value: players},
			gpbinary.Pair{Key: photon.PropIsOpen, Value: rec.Open})
		for _, p := range rec.Properties.Pairs() {
			if isCustom(p.Key) {
				pairs = append(pairs, p)
			}
		}
		r.row = gpbinary.NewHashtable(pairs...)
	}
	return row{r.name, r.row}
}

func tableOf(rows []row) *gpbinary.Hashtable {
	pairs := make([]gpbinary.Pair, len(rows))
	for i, r := range rows {
		pairs[i] = gpbinary.Pair{Key: r.name, Value: r.table}
	}
	return gpbinary.NewHashtable(pairs...)
}

// allowance is the room left in a list: how many rooms, and how many bytes of them, may still
// be put in.
type allowance struct{ rooms, bytes int }

func (a *App) listAllowance() allowance { return allowance{a.cfg.ListLimit, a.cfg.ListBytes} }

// take says whether one more room fits. The first always does.
func (n *allowance) take(size int, first bool) bool {
	if n.rooms == 0 || n.bytes < size && !first {
		return false
	}
	n.rooms--
	n.bytes -= size
	return true
}

// message is an event with a room list, encoded once for each protocol.
type message struct {
	code  photon.EventCode
	rows  []row
	bytes []encoded
}

type encoded struct {
	protocol photon.Protocol
	bytes    []byte
}

// encode returns the event, or nil if there is nothing that p can express.
func (m *message) encode(p photon.Protocol) []byte {
	for _, e := range m.bytes {
		if e.protocol == p {
			return e.bytes
		}
	}
	b, err := m.append(p, m.rows)
	if err != nil {
		// A room has what this protocol can't express. The others must be seen.
		rows := m.expressible(p)
		if b, err = m.append(p, rows); err != nil || len(rows) == 0 && m.code == photon.EventGameListUpdate {
			b = nil
		}
	}
	m.bytes = append(m.bytes, encoded{p, b})
	return b
}

func (m *message) append(p photon.Protocol, rows []row) ([]byte, error) {
	return photon.AppendEvent(nil, p, m.code, photon.Params{photon.Param(photon.ParamGameList, tableOf(rows))})
}

// expressible leaves out properties, and then rooms, that p has no form for.
func (m *message) expressible(p photon.Protocol) []row {
	var rows []row
	for _, r := range m.rows {
		if _, err := m.append(p, []row{r}); err != nil {
			plain := gpbinary.NewHashtable()
			for _, pair := range r.table.Pairs() {
				if !isCustom(pair.Key) {
					plain.Set(pair.Key, pair.Value)
				}
			}
			r.table = plain
			if _, err := m.append(p, []row{r}); err != nil {
				continue
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// GameList answers operation GetGameList: rooms of an SQL lobby that match a
// filter, are visible, open and not full, oldest first; a table of room name to
// entry (loadbalancing-matchmaking.md 5.4). Code: InvalidOperation.
func (a *App) GameList(id ID, filter string) (*gpbinary.Hashtable, error) {
	if id.Type != SQL || id.Name == "" {
		return nil, fail(photon.ReturnInvalidOperation, "the lobby is not an SQL lobby")
	}
	if filter == "" {
		return nil, fail(photon.ReturnInvalidOperation, "the filter is empty")
	}
	f, err := sqlfilter.Parse(filter)
	if err != nil {
		return nil, fail(photon.ReturnInvalidOperation, "%v", err)
	}
	var rows []row
	if l := a.lobbies[id]; l != nil {
		s := search{filter: f, matcher: sqlfilter.Matcher{Budget: a.cfg.SearchSteps}}
		left := allowance{a.cfg.GameListLimit, a.cfg.ListBytes}
		for r := range l.passing(&s) {
			if r.state != live || !f.Match(&s.matcher, r.columns) {
				continue
			}
			if !left.take(r.size, len(rows) == 0) {
				break
			}
			rows = append(rows, r.entry())
		}
		if s.matcher.Exhausted() {
			return nil, fail(photon.ReturnInvalidOperation, "the filter takes too much work")
		}
	}
	return tableOf(rows), nil
}
