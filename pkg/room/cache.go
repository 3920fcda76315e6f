package room

import (
	"cmp"
	"slices"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// cache holds the events that joiners get (loadbalancing-rooms.md 7). The zero
// value is empty.
type cache struct {
	// keyed are the entries of MergeCache and ReplaceCache, one per actor and
	// code, in the order of their first creation.
	keyed []*entry
	index map[entryKey]*entry
	// slices hold the appended entries, by ascending number. Empty ones are
	// left out.
	slices  []slice
	current int32 // number of the slice that is appended to
	count   int   // entries
	bytes   int   // of their contents
}

type entryKey struct {
	owner int32
	code  photon.EventCode
}

type slice struct {
	number  int32
	entries []*entry
}

// entry is one cached event. Owner 0 is the room.
type entry struct {
	entryKey
	content    photon.Content
	hasContent bool
	merged     *properties // MergeCache, in place of content
	json       bool        // came from a JavaScript client
	encrypt    bool        // was raised encrypted

	// The event as joiners of each protocol get it, made on first need.
	tried [forms]bool
	msgs  [forms][]byte
	// The decoded content, kept for filters if it is small.
	value   any
	decoded bool
}

func (e *entry) size() int {
	if e.merged != nil {
		return e.merged.bytes
	}
	return len(e.content.Bytes)
}

// changedContent forgets what was derived from an earlier content.
func (e *entry) changedContent() {
	e.tried, e.msgs = [forms]bool{}, [forms][]byte{}
	e.value, e.decoded = nil, false
}

// cacheResult says what became of an event that was to be cached.
type cacheResult uint8

const (
	cacheUnchanged cacheResult = iota
	cacheStored
	cacheOverflow
)

// cacheEvent applies caching options 1 to 5. An error means that the event is
// refused and the cache unchanged.
func (r *Room) cacheEvent(from source, ev *Raised) (cacheResult, error) {
	key := entryKey{owner: from.nr, code: ev.Code}
	switch ev.Caching {
	case photon.RemoveCache:
		if e := r.cache.index[key]; e != nil {
			r.cache.removeIf(func(x *entry) bool { return x == e })
		}
		return cacheUnchanged, nil
	case photon.MergeCache:
		return r.mergeEvent(key, from, ev)
	case photon.ReplaceCache:
		e := r.cache.index[key]
		if !r.cacheHasRoom(e, len(ev.Content.Bytes)) {
			return cacheOverflow, nil
		}
		if e == nil {
			r.cache.addKeyed(newEntry(key, from, ev))
			return cacheStored, nil
		}
		r.cache.bytes -= e.size()
		*e = *newEntry(key, from, ev)
		r.cache.bytes += e.size()
		return cacheStored, nil
	case photon.AddToRoomCacheGlobal:
		key.owner = 0
	}
	if !r.cacheHasRoom(nil, len(ev.Content.Bytes)) {
		return cacheOverflow, nil
	}
	r.cache.append(newEntry(key, from, ev))
	return cacheStored, nil
}

func newEntry(key entryKey, from source, ev *Raised) *entry {
	e := &entry{entryKey: key, hasContent: ev.HasContent, json: from.json, encrypt: from.delivery.Encrypt}
	if ev.HasContent {
		e.content = ev.Content.Clone()
	}
	return e
}

// cacheHasRoom says whether an entry of that size fits, in place of old if that
// is not nil.
func (r *Room) cacheHasRoom(old *entry, size int) bool {
	count, bytes := r.cache.count+1, r.cache.bytes+size
	if old != nil {
		count, bytes = count-1, bytes-old.size()
	}
	return count <= r.cfg.MaxCachedEvents && bytes <= r.cfg.MaxCachedBytes
}

// mergeEvent is option 1: the keys of the content are merged into the stored
// table, a null removes its key.
func (r *Room) mergeEvent(key entryKey, from source, ev *Raised) (cacheResult, error) {
	var content any
	if ev.HasContent {
		var err error
		if content, err = ev.Content.Value(); err != nil {
			return cacheUnchanged, photon.BadParam(photon.ParamData, "can't be read: %v", err)
		}
	}
	table, _ := content.(*gpbinary.Hashtable)
	if table == nil {
		return cacheUnchanged, photon.BadParam(photon.ParamData, "is not a table, so it can't be merged into the cache")
	}
	for _, pair := range table.Pairs() {
		if !isPropertyKey(pair.Key) {
			return cacheUnchanged, photon.BadParam(photon.ParamData, "has a key that is neither string nor integer, so it can't be merged into the cache")
		}
	}
	json := from.json
	old := r.cache.index[key]
	var merged *properties
	if old != nil {
		merged = r.mergedTable(old)
	}
	if merged == nil {
		merged = &properties{}
	}
	var u update
	u, r.scratch = merged.measure(table.Pairs(), true, json, r.scratch)
	// A joiner gets the table as one message: it is bounded like properties.
	size := merged.bytes + u.bytes
	if size > r.cfg.MaxPropertyBytes || merged.len()+u.keys > r.cfg.MaxProperties || !r.cacheHasRoom(old, size) {
		return cacheOverflow, nil
	}
	if old == nil {
		merged.set(u)
		r.cache.addKeyed(&entry{entryKey: key, merged: merged, json: json, encrypt: from.delivery.Encrypt})
		return cacheStored, nil
	}
	r.cache.bytes += size - old.size()
	merged.set(u) // merged may be old's own table
	old.content, old.hasContent, old.merged = photon.Content{}, false, merged
	old.json = old.json || json
	old.encrypt = old.encrypt || from.delivery.Encrypt
	old.changedContent()
	return cacheStored, nil
}

// mergedTable returns the table that an entry holds, as one to merge into, or
// nil if it holds none.
func (r *Room) mergedTable(e *entry) *properties {
	if e.merged != nil {
		return e.merged
	}
	table, ok := e.decode().(*gpbinary.Hashtable)
	if !ok {
		return nil
	}
	for _, pair := range table.Pairs() {
		if !isPropertyKey(pair.Key) {
			return nil
		}
	}
	merged := &properties{}
	var u update
	u, r.scratch = merged.measure(table.Pairs(), true, e.json, r.scratch)
	merged.set(u)
	return merged
}

// cacheOverflowed tells the room, once, that an event did not fit into the
// cache, and closes it for newcomers: they would miss the event
// (loadbalancing-rooms.md 7.7).
func (r *Room) cacheOverflowed() {
	if r.cacheFull {
		return
	}
	r.cacheFull = true
	r.changed = true
	r.ErrorInfo("the room's event cache is full: the room is closed for new players")
}

func (c *cache) addKeyed(e *entry) {
	if c.index == nil {
		c.index = make(map[entryKey]*entry)
	}
	c.keyed = append(c.keyed, e)
	c.index[e.entryKey] = e
	c.count++
	c.bytes += e.size()
}

// append adds an entry to the current slice.
func (c *cache) append(e *entry) {
	i, ok := slices.BinarySearchFunc(c.slices, c.current, func(s slice, n int32) int { return cmp.Compare(s.number, n) })
	if !ok {
		c.slices = slices.Insert(c.slices, i, slice{number: c.current})
	}
	c.slices[i].entries = append(c.slices[i].entries, e)
	c.count++
	c.bytes += e.size()
}

// removeIf removes the entries that match.
func (c *cache) removeIf(match func(*entry) bool) {
	gone := func(e *entry) bool {
		if !match(e) {
			return false
		}
		c.count--
		c.bytes -= e.size()
		return true
	}
	c.keyed = slices.DeleteFunc(c.keyed, func(e *entry) bool {
		if !gone(e) {
			return false
		}
		delete(c.index, e.entryKey)
		return true
	})
	for i := range c.slices {
		c.slices[i].entries = slices.DeleteFunc(c.slices[i].entries, gone)
	}
	c.slices = slices.DeleteFunc(c.slices, func(s slice) bool { return len(s.entries) == 0 })
}

// removeOwner removes the entries of an actor that left for good.
func (c *cache) removeOwner(nr int32) {
	if c.count > 0 {
		c.removeIf(func(e *entry) bool { return e.owner == nr })
	}
}

// purge drops the slices that match.
func (c *cache) purge(match func(number int32) bool) {
	c.slices = slices.DeleteFunc(c.slices, func(s slice) bool {
		if !match(s.number) {
			return false
		}
		for _, e := range s.entries {
			c.count--
			c.bytes -= e.size()
		}
		return true
	})
}

// changeCache applies the caching options that send no event.
func (r *Room) changeCache(ev *Raised) error {
	switch ev.Caching {
	case photon.RemoveFromRoomCache:
		f, err := newFilter(ev)
		if err != nil {
			return err
		}
		r.cache.removeIf(f.matches)
	case photon.RemoveFromRoomCacheForActorsLeft:
		r.cache.removeIf(func(e *entry) bool { return e.owner != 0 && r.find(e.owner) == nil })
	case photon.SliceIncreaseIndex:
		r.setSlice(r.cache.current + 1)
	case photon.SliceSetIndex:
		r.setSlice(ev.Slice)
	case photon.SlicePurgeIndex:
		r.cache.purge(func(n int32) bool { return n == ev.Slice })
	case photon.SlicePurgeUpToIndex:
		r.cache.purge(func(n int32) bool { return n <= ev.Slice })
	}
	return nil
}

func (r *Room) setSlice(n int32) {
	r.cache.current = n
	r.broadcast(photon.EventCacheSliceChanged, sliceParams(n), reliable, nil)
}

func sliceParams(n int32) photon.Params {
	return photon.Params{photon.Param(photon.ParamCacheSliceIndex, n)}
}

// sendCache sends the cached events to an actor that has just entered, but not
// its own (loadbalancing-rooms.md 7.4).
func (r *Room) sendCache(a *actor) {
	for _, e := range r.cache.keyed {
		r.sendCached(a, e)
	}
	for i := range r.cache.slices {
		s := &r.cache.slices[i]
		if s.number > 0 {
			r.tellOne(a, photon.EventCacheSliceChanged, sliceParams(s.number))
		}
		for _, e := range s.entries {
			r.sendCached(a, e)
		}
	}
}

func (r *Room) sendCached(a *actor, e *entry) {
	if e.owner == a.nr {
		return
	}
	if !e.tried[a.form] {
		e.tried[a.form] = true
		msg, err := e.encode(a.form)
		if err != nil {
			r.stats.Undeliverable++
		}
		e.msgs[a.form] = msg
	}
	if msg := e.msgs[a.form]; msg != nil {
		a.send(msg, photon.Delivery{Mode: photon.Reliable, Encrypt: e.encrypt})
	}
}

// encode returns the event for joiners of one protocol; see contentEvent for
// errors. The bytes have memory of their own: the cache keeps them for long.
func (e *entry) encode(f form) ([]byte, error) {
	if e.merged != nil {
		return photon.AppendEvent(nil, f.protocol(), e.code, photon.Params{
			photon.Param(photon.ParamData, &e.merged.table),
			photon.Param(photon.ParamActorNr, e.owner),
		})
	}
	content := &e.content
	if !e.hasContent {
		content = nil
	}
	return contentEvent(make([]byte, 0, len(e.content.Bytes)+eventOverhead), f, e.code, content, e.owner)
}
