package room

import (
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// properties is a property table as the room stores it: exact types, in the
// order in which keys came. The zero value is empty.
type properties struct {
	table gpbinary.Hashtable
	meta  map[any]propertyMeta
	bytes int // of all keys and values, encoded
}

type propertyMeta struct {
	bytes int
	// json says that a JavaScript client wrote the value: its numbers have no
	// width, so they compare by value (loadbalancing-rooms.md 4.3).
	json bool
}

func (t *properties) len() int { return t.table.Len() }

func (t *properties) pairs() []gpbinary.Pair { return t.table.Pairs() }

func (t *properties) get(key any) (value any, ok bool) { return t.table.Get(key) }

// isPropertyKey says whether a table of properties may have that key: strings
// for games, bytes for the protocol, and other integers for whoever sends them.
// Tables and arrays as keys would cost a search per access.
func isPropertyKey(key any) bool {
	switch key.(type) {
	case string, uint8, int16, int32, int64:
		return true
	}
	return false
}

// update is a set of pairs to be stored, with what that will do to the table's
// size.
type update struct {
	pairs       []gpbinary.Pair
	sizes       []int
	deleteNulls bool
	json        bool
	keys, bytes int // difference
}

// measure prepares pairs, whose keys are unique, for set. scratch is memory for
// encoding; it is returned, perhaps grown.
func (t *properties) measure(pairs []gpbinary.Pair, deleteNulls, json bool, scratch []byte) (update, []byte) {
	u := update{pairs: pairs, sizes: make([]int, len(pairs)), deleteNulls: deleteNulls, json: json}
	for i, p := range pairs {
		old, had := t.meta[p.Key]
		u.bytes -= old.bytes
		if p.Value == nil && deleteNulls {
			if had {
				u.keys--
			}
			continue
		}
		if !had {
			u.keys++
		}
		u.sizes[i], scratch = encodedSize(p, scratch)
		u.bytes += u.sizes[i]
	}
	return u, scratch
}

func encodedSize(p gpbinary.Pair, scratch []byte) (int, []byte) {
	b := scratch[:0]
	for _, v := range [2]any{p.Key, p.Value} {
		grown, err := gpbinary.Append(b, gpbinary.V18, v)
		if err != nil {
			// What only the old format can express still counts.
			if grown, err = gpbinary.Append(b, gpbinary.V16, v); err != nil {
				continue
			}
		}
		b = grown
	}
	return len(b), b
}

// set stores what measure prepared. A null removes its key, or is stored.
func (t *properties) set(u update) {
	if t.meta == nil {
		t.meta = make(map[any]propertyMeta, len(u.pairs))
	}
	var gone []any
	for i, p := range u.pairs {
		if p.Value == nil && u.deleteNulls {
			if _, had := t.meta[p.Key]; had {
				delete(t.meta, p.Key)
				gone = append(gone, p.Key)
			}
			continue
		}
		t.table.Set(p.Key, p.Value)
		t.meta[p.Key] = propertyMeta{bytes: u.sizes[i], json: u.json}
	}
	t.bytes += u.bytes
	if len(gone) == 1 {
		t.table.Delete(gone[0])
		return
	}
	if len(gone) > 1 { // one pass: each Delete costs as much
		kept := make([]gpbinary.Pair, 0, len(t.meta))
		for _, p := range t.table.Pairs() {
			if _, has := t.meta[p.Key]; has {
				kept = append(kept, p)
			}
		}
		t.table = *gpbinary.NewHashtable(kept...)
	}
}

// fits checks an update of t, which is one of the room's tables, against the
// limits (loadbalancing-rooms.md 4.6).
func (r *Room) fits(t *properties, u *update) error {
	if n := t.len() + u.keys; u.keys > 0 && n > r.cfg.MaxProperties {
		return refuse(photon.ReturnOperationLimitReached, "%d properties, at most %d", n, r.cfg.MaxProperties)
	}
	if n := r.bytes + u.bytes; u.bytes > 0 && n > r.cfg.MaxPropertyBytes {
		return refuse(photon.ReturnOperationLimitReached, "properties of %d bytes in the room, at most %d", n, r.cfg.MaxPropertyBytes)
	}
	return nil
}

// prepare measures and checks an update of t.
func (r *Room) prepare(t *properties, pairs []gpbinary.Pair, json bool) (update, error) {
	deleteNulls := r.flags&photon.FlagDeleteNullProperties != 0
	var u update
	u, r.scratch = t.measure(pairs, deleteNulls, json, r.scratch)
	if cap(r.scratch) > maxScratch {
		r.scratch = nil
	}
	return u, r.fits(t, &u)
}

// maxScratch is what a room keeps between operations, in bytes.
const maxScratch = 4 << 10

// store applies what prepare returned.
func (r *Room) store(t *properties, u update) {
	t.set(u)
	r.bytes += u.bytes
}

// actorPairs returns the properties of an actor that a client may set, out of
// what it sent; 254 and 253 belong to the server (loadbalancing-rooms.md 4.5).
func actorPairs(p photon.ParamCode, t *gpbinary.Hashtable) ([]gpbinary.Pair, error) {
	pairs := make([]gpbinary.Pair, 0, t.Len())
	for _, pair := range t.Pairs() {
		if !isPropertyKey(pair.Key) {
			return nil, photon.BadParam(p, "has a key that is neither string nor integer")
		}
		switch pair.Key {
		case photon.ActorPropIsInactive, photon.ActorPropUserID:
			continue
		case photon.ActorPropNickName:
			if _, ok := pair.Value.(string); !ok && pair.Value != nil {
				return nil, photon.BadParam(p, "has in property 255 (nickname) no string")
			}
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}
