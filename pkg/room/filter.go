package room

import (
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// filter selects the cached events that RemoveFromRoomCache removes: all
// conditions that are there must hold (loadbalancing-rooms.md 7.3).
type filter struct {
	code    photon.EventCode   // 0: any
	owners  map[int32]struct{} // nil: any
	content any                // nil: any
	json    bool
}

func newFilter(ev *Raised) (*filter, error) {
	f := &filter{code: ev.Code, json: ev.Content.Protocol == photon.JSON}
	if ev.HasActors {
		f.owners = make(map[int32]struct{}, len(ev.Actors))
		for _, nr := range ev.Actors {
			f.owners[nr] = struct{}{}
		}
	}
	if ev.HasContent {
		var err error
		if f.content, err = ev.Content.Value(); err != nil {
			return nil, photon.BadParam(photon.ParamData, "can't be read: %v", err)
		}
	}
	return f, nil
}

func (f *filter) matches(e *entry) bool {
	if f.code != 0 && f.code != e.code {
		return false
	}
	if f.owners != nil {
		if _, ok := f.owners[e.owner]; !ok {
			return false
		}
	}
	if f.content == nil {
		return true
	}
	return contains(e.decode(), f.content, f.json || e.json)
}

// contains says whether a table holds every pair of the wanted one, or another
// content equals the wanted one.
func contains(have, want any, json bool) bool {
	wanted := asTable(want)
	if wanted == nil {
		return equal(have, want, json)
	}
	table := asTable(have)
	if table == nil {
		return false
	}
	for _, pair := range wanted.Pairs() {
		v, ok := table.Get(pair.Key)
		if !ok || !equal(v, pair.Value, json) {
			return false
		}
	}
	return true
}

// asTable returns a table, or a dictionary as one; nil for other values.
func asTable(v any) *gpbinary.Hashtable {
	switch t := v.(type) {
	case *gpbinary.Hashtable:
		return t
	case *gpbinary.Dictionary:
		return gpbinary.NewHashtable(t.Pairs...)
	}
	return nil
}

// smallContent is the size in bytes up to which an entry keeps its decoded
// content: room clean-up asks for the same small tables again and again.
const smallContent = 512

// decode returns the entry's content as a value; nil if it has none, or one that
// can't be read.
func (e *entry) decode() any {
	switch {
	case e.merged != nil:
		return &e.merged.table
	case e.decoded:
		return e.value
	case !e.hasContent:
		return nil
	}
	v, err := e.content.Value()
	if err != nil {
		v = nil
	}
	if len(e.content.Bytes) <= smallContent {
		e.value, e.decoded = v, true
	}
	return v
}
