package s2s

import (
	"errors"
	"fmt"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
)

// A room record is a Dictionary<byte,object> (cluster.md 12.3) of
//
//	1 application key   2 room name   3 lobby name   4 lobby type   5 flags
//	6 players   7 max players   8 inactive   9 properties   10 expected users
//	12 created   13 plugin   14 incarnation   15 users   16 inactive users
//	17 excluded users   18 sessions of the users   19 properties without number types
//
// 15 to 19 are ours. What is zero or empty is left out.
//
// Property values travel sealed, as byte[]: one byte that says the form, then
// the typed value. So they reach the master, and the clients of either
// serialization behind it, exactly as the room holds them, and the link's V16
// need not be able to express them.
const (
	recordApp         = 1
	recordName        = 2
	recordLobbyName   = 3
	recordLobbyType   = 4
	recordFlags       = 5
	recordPlayers     = 6
	recordMaxPlayers  = 7
	recordInactive    = 8
	recordProperties  = 9
	recordExpected    = 10
	recordCreated     = 12
	recordPlugin      = 13
	recordIncarnation = 14
	recordUsers       = 15
	recordInactives   = 16
	recordExcluded    = 17
	recordSessions    = 18
	recordByValue     = 19
)

// Bits of recordFlags.
const (
	flagOpen       = 1 << 0
	flagVisible    = 1 << 1
	flagReserved   = 1 << 2
	flagClosing    = 1 << 3
	flagPersistent = 1 << 4
	flagCheckUser  = 1 << 5
)

// sealedValue marks a property that the sender held as a value, not as
// gpbinary.Raw; it is written in V18. Without the mark the byte is Raw's version.
const sealedValue = 0x80

var errRecord = errors.New("s2s: malformed room record")

// appendRecord appends r as a typed value of V16. The error is about names or
// user ids that are too long for it.
func appendRecord(b []byte, r *lobby.Record) ([]byte, error) {
	d := gpbinary.Dictionary{
		Key:   gpbinary.TypeDesc{Kind: gpbinary.KindByte},
		Val:   gpbinary.TypeDesc{Kind: gpbinary.KindObject},
		Pairs: make([]gpbinary.Pair, 0, 16),
	}
	add := func(key byte, value any) { d.Pairs = append(d.Pairs, gpbinary.Pair{Key: key, Value: value}) }
	text := func(key byte, s string) {
		if s != "" {
			add(key, s)
		}
	}
	count := func(key byte, n int32) {
		if n != 0 {
			add(key, n)
		}
	}
	long := func(key byte, n int64) {
		if n != 0 {
			add(key, n)
		}
	}
	list := func(key byte, s []string) {
		if len(s) > 0 {
			add(key, s)
		}
	}
	flags := byte(0)
	for i, on := range [...]bool{r.Open, r.Visible, r.Reserved, r.Closing, r.Persistent, r.CheckUser} {
		if on {
			flags |= 1 << i
		}
	}
	add(recordApp, r.App)
	add(recordName, r.Name)
	text(recordLobbyName, r.Lobby.Name)
	if r.Lobby.Type != 0 {
		add(recordLobbyType, byte(r.Lobby.Type))
	}
	add(recordFlags, flags)
	count(recordPlayers, r.Players)
	count(recordMaxPlayers, r.MaxPlayers)
	count(recordInactive, r.Inactive)
	if r.Properties.Len() > 0 {
		add(recordProperties, sealProperties(r.Properties))
	}
	list(recordByValue, r.ByValue)
	list(recordExpected, r.Expected)
	long(recordCreated, r.Created)
	text(recordPlugin, r.Plugin)
	long(recordIncarnation, r.Incarnation)
	list(recordUsers, r.Users)
	list(recordInactives, r.InactiveUsers)
	list(recordExcluded, r.Excluded)
	if len(r.Sessions) > 0 {
		sessions := make([]int64, len(r.Sessions))
		for i, s := range r.Sessions {
			sessions[i] = int64(s)
		}
		add(recordSessions, sessions)
	}
	b, err := gpbinary.Append(b, gpbinary.V16, &d)
	if err != nil {
		return b, fmt.Errorf("s2s: record of room %.64q: %w", r.Name, err)
	}
	return b, nil
}

// sealProperties leaves out what no format can express: a lobby can't show it either.
func sealProperties(h *gpbinary.Hashtable) *gpbinary.Hashtable {
	out := gpbinary.NewHashtable()
	for _, p := range h.Pairs() {
		if raw, ok := p.Value.(gpbinary.Raw); ok {
			out.Set(p.Key, append([]byte{byte(raw.Version)}, raw.Bytes...))
			continue
		}
		if b, err := gpbinary.Append([]byte{sealedValue | byte(gpbinary.V18)}, gpbinary.V18, p.Value); err == nil {
			out.Set(p.Key, b)
		}
	}
	return out
}

func openProperties(h *gpbinary.Hashtable) (*gpbinary.Hashtable, error) {
	pairs := make([]gpbinary.Pair, 0, h.Len())
	for _, p := range h.Pairs() {
		b, ok := p.Value.([]byte)
		if !ok || len(b) < 2 {
			return nil, errRecord
		}
		v := gpbinary.Version(b[0] &^ sealedValue)
		if v != gpbinary.V16 && v != gpbinary.V18 {
			return nil, errRecord
		}
		n, err := gpbinary.Skip(v, b[1:])
		if err != nil || n != len(b)-1 {
			return nil, errRecord
		}
		value := any(gpbinary.Raw{Version: v, Bytes: b[1:]})
		if b[0]&sealedValue != 0 {
			if value, _, err = gpbinary.Decode(v, b[1:]); err != nil {
				return nil, errRecord
			}
		}
		pairs = append(pairs, gpbinary.Pair{Key: p.Key, Value: value})
	}
	return gpbinary.NewHashtable(pairs...), nil
}

// parseRecord reads the pairs of a record. A record without room name is an error.
func parseRecord(pairs []gpbinary.Pair) (r lobby.Record, err error) {
	p := make(gpbinary.Params, 0, len(pairs))
	for _, pair := range pairs {
		if k, ok := pair.Key.(byte); ok {
			p = append(p, param(k, pair.Value))
		}
	}
	f := &fields{params: p}
	flags := field[byte](f, recordFlags)
	r = lobby.Record{
		App: field[string](f, recordApp), Name: field[string](f, recordName),
		Lobby:      lobby.ID{Name: field[string](f, recordLobbyName), Type: lobby.Type(field[byte](f, recordLobbyType))},
		Open:       flags&flagOpen != 0,
		Visible:    flags&flagVisible != 0,
		Reserved:   flags&flagReserved != 0,
		Closing:    flags&flagClosing != 0,
		Persistent: flags&flagPersistent != 0,
		CheckUser:  flags&flagCheckUser != 0,
		MaxPlayers: field[int32](f, recordMaxPlayers), Players: field[int32](f, recordPlayers), Inactive: field[int32](f, recordInactive),
		ByValue: field[[]string](f, recordByValue),
		Users:   field[[]string](f, recordUsers), InactiveUsers: field[[]string](f, recordInactives),
		Expected: field[[]string](f, recordExpected), Excluded: field[[]string](f, recordExcluded),
		Created: field[int64](f, recordCreated), Incarnation: field[int64](f, recordIncarnation), Plugin: field[string](f, recordPlugin),
	}
	for _, s := range field[[]int64](f, recordSessions) {
		r.Sessions = append(r.Sessions, uint64(s))
	}
	if h := field[*gpbinary.Hashtable](f, recordProperties); h != nil && f.err == nil {
		r.Properties, f.err = openProperties(h)
	}
	if f.err == nil && r.Name == "" {
		f.err = errRecord
	}
	return r, f.err
}

// records reads an array of room records, as object[] or dictionary[].
func (f *fields) records(key byte) []lobby.Record {
	var rooms []lobby.Record
	add := func(pairs []gpbinary.Pair) {
		r, err := parseRecord(pairs)
		if err != nil && f.err == nil {
			f.err = err
		}
		rooms = append(rooms, r)
	}
	raw, _ := f.params.Get(key)
	switch a := raw.(type) {
	case nil:
	case *gpbinary.DictionaryArray:
		for _, pairs := range a.Items {
			add(pairs)
		}
	case gpbinary.ObjectArray:
		for _, v := range a {
			d, ok := v.(*gpbinary.Dictionary)
			if !ok {
				f.err = errRecord
				return nil
			}
			add(d.Pairs)
		}
	default:
		f.err = errRecord
	}
	return rooms
}
