package lobby

import (
	"math"
	"slices"

	"github.com/boson-project/boson/pkg/lobby/sqlfilter"
	"github.com/boson-project/boson/pkg/photon"
)

// indexKey is one property value by which a lobby finds its open rooms. Values
// that are equal, by type or as numbers, have the same key; others may share
// one, so what is found is compared again.
type indexKey struct {
	property string
	text     string
	number   uint64 // bits of the value as a float
	kind     indexKind
}

type indexKind uint8

const (
	indexNumber indexKind = iota
	indexText
	indexBool
	indexMaxPlayers
)

func maxPlayersKey(n int32) indexKey { return indexKey{number: uint64(n), kind: indexMaxPlayers} }

func numberKey(property string, f float64) (indexKey, bool) {
	if f == 0 {
		f = 0 // one zero only
	}
	return indexKey{property: property, number: math.Float64bits(f)}, f == f
}

// propertyKey returns the key of a property's value, or false when values of
// its type are not indexed.
func propertyKey(property, value any) (indexKey, bool) {
	name, ok := property.(string)
	if !ok {
		return indexKey{}, false
	}
	switch v := value.(type) {
	case string:
		return indexKey{property: name, text: v, kind: indexText}, true
	case bool:
		k := indexKey{property: name, kind: indexBool}
		if v {
			k.number = 1
		}
		return k, true
	case uint8:
		return numberKey(name, float64(v))
	case int16:
		return numberKey(name, float64(v))
	case int32:
		return numberKey(name, float64(v))
	case int64:
		return numberKey(name, float64(v))
	case float32:
		return numberKey(name, float64(v))
	case float64:
		return numberKey(name, v)
	}
	return indexKey{}, false
}

// appendKeys appends the keys of a room's record. In SQL lobbies only the
// columns can be asked for.
func appendKeys(keys []indexKey, rec *Record) []indexKey {
	keys = append(keys, maxPlayersKey(rec.MaxPlayers))
	for _, p := range rec.Properties.Pairs() {
		if rec.Lobby.Type == SQL && columnOf(p.Key) < 0 {
			continue
		}
		if k, ok := propertyKey(p.Key, p.Value); ok {
			keys = append(keys, k)
		}
	}
	return keys
}

var columnNames = [sqlfilter.Columns]string{"C0", "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9"}

// columnOf returns the number of the SQL column that a property fills, or -1.
func columnOf(property any) int {
	if s, ok := property.(string); ok && len(s) == 2 && s[0] == 'C' && '0' <= s[1] && s[1] <= '9' {
		return int(s[1] - '0')
	}
	return -1
}

// fillColumns reads a room's columns. The first value in a column decides the
// column's type for the whole lobby; values of other types are NULL. With lock
// off, nothing is decided (loadbalancing-matchmaking.md 5.1). Whole numbers of
// JavaScript come as float64 when they need more than 32 bits.
func (l *lobby) fillColumns(row *sqlfilter.Row, rec *Record, lock bool) {
	*row = sqlfilter.Row{}
	for _, p := range rec.Properties.Pairs() {
		col := columnOf(p.Key)
		if col < 0 {
			continue
		}
		var v sqlfilter.Value
		switch x := p.Value.(type) {
		case string:
			v = sqlfilter.TextValue(x)
		case uint8:
			v = sqlfilter.IntValue(int64(x))
		case int16:
			v = sqlfilter.IntValue(int64(x))
		case int32:
			v = sqlfilter.IntValue(int64(x))
		case int64:
			v = sqlfilter.IntValue(x)
		case float64:
			if n, ok := photon.AsInt(x); ok && slices.Contains(rec.ByValue, columnNames[col]) {
				v = sqlfilter.IntValue(n)
			}
		}
		if v.Kind() == sqlfilter.Null {
			continue
		}
		if l.columns[col] == sqlfilter.Null && lock {
			l.columns[col] = v.Kind()
		}
		if l.columns[col] == v.Kind() || l.columns[col] == sqlfilter.Null {
			row[col] = v
		}
	}
}

// manyKeys is the number of keys up to which reindex looks for what stayed.
const manyKeys = 64

// reindex replaces the keys under which an open room is found.
func (l *lobby) reindex(r *room, keys []indexKey) {
	few := len(keys) <= manyKeys && len(r.keys) <= manyKeys
	for _, k := range r.keys {
		if few && slices.Contains(keys, k) {
			continue
		}
		bucket := l.index[k]
		bucket.remove(r)
		if bucket.len == 0 {
			delete(l.index, k)
		}
	}
	for _, k := range keys {
		if few && slices.Contains(r.keys, k) {
			continue
		}
		bucket := l.index[k]
		if bucket == nil {
			bucket = &roomList{}
			l.index[k] = bucket
		}
		bucket.insert(r)
	}
	r.keys = keys
}
