package room

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
)

// Type codes of format 1.6 that a saved state is built of (plugins.md 10).
const (
	codeDictionary  = 0x44
	codeByte        = 0x62
	codeInt         = 0x69
	codeObjectArray = 0x7A
	codeNull        = 0x2A
)

// maxCount is the number of elements that format 1.6 can state.
const maxCount = 32767

// StateTable is a table that JSON shows to readers and that is never read back.
type StateTable struct{ table *gpbinary.Hashtable }

// MarshalJSON writes the table as an object, as web services get values. A table
// with a value that JSON has no form for is an empty one: it is only for
// information.
func (t StateTable) MarshalJSON() ([]byte, error) {
	if t.table != nil {
		if b, err := gpjson.AppendWeb(nil, t.table); err == nil && json.Valid(b) {
			return b, nil
		}
	}
	return []byte("{}"), nil
}

// UnmarshalJSON accepts whatever is there: a service may strip or change it.
func (t *StateTable) UnmarshalJSON([]byte) error {
	t.table = nil
	return nil
}

// stateWriter encodes the binary parts of a state. What doesn't fit the format is
// left out and counted.
type stateWriter struct{ lost int }

// put appends one typed value, or nothing and false.
func put(b []byte, v any) ([]byte, bool) {
	v, _ = gpbinary.Convert(gpbinary.V16, v)
	b, err := gpbinary.Append(b, gpbinary.V16, v)
	return b, err == nil
}

// dictionary encodes a dictionary object->object.
func (w *stateWriter) dictionary(pairs []gpbinary.Pair) []byte {
	b := []byte{codeDictionary, 0, 0, 0, 0}
	n := 0
	for _, p := range pairs {
		start := len(b)
		var ok bool
		if b, ok = put(b, p.Key); ok {
			b, ok = put(b, p.Value)
		}
		if !ok || n == maxCount {
			b = b[:start]
			w.lost++
			continue
		}
		n++
	}
	binary.BigEndian.PutUint16(b[3:], uint16(n))
	return b
}

// events encodes a dictionary int->object[] of the cache's slices, or nothing for
// an empty cache.
func (w *stateWriter) events(all []slice) []byte {
	if len(all) == 0 {
		return nil
	}
	for len(all) > maxCount {
		w.lost += len(all[0].entries)
		all = all[1:]
	}
	b := []byte{codeDictionary, codeInt, codeObjectArray}
	b = binary.BigEndian.AppendUint16(b, uint16(len(all)))
	for _, s := range all {
		b = binary.BigEndian.AppendUint32(b, uint32(s.number))
		b = w.eventArray(b, s.entries, false)
	}
	return b
}

// eventArray appends an object[] of events.
func (w *stateWriter) eventArray(b []byte, entries []*entry, typed bool) []byte {
	if typed {
		b = append(b, codeObjectArray)
	}
	count := len(b)
	b = append(b, 0, 0)
	n := 0
	for _, e := range entries {
		if n == maxCount {
			w.lost++
			continue
		}
		start := len(b)
		b = append(b, codeObjectArray, 0, 3, codeInt)
		b = binary.BigEndian.AppendUint32(b, uint32(e.owner))
		b = append(b, codeByte, byte(e.code))
		ok := true
		switch {
		case e.merged != nil:
			b, ok = put(b, &e.merged.table)
		case e.hasContent:
			var err error
			b, err = e.content.AppendTo(b, photon.GpBinaryV16)
			ok = err == nil
		default:
			b = append(b, codeNull)
		}
		if !ok {
			b = b[:start]
			w.lost++
			continue
		}
		n++
	}
	binary.BigEndian.PutUint16(b[count:], uint16(n))
	return b
}

// errState is the cause of every error about the form of a state's binary parts.
var errState = errors.New("malformed")

// stateReader takes the binary parts of a state apart. Values of clients stay
// undecoded: each must be a legal message's content for itself, not all of them
// together.
type stateReader struct {
	b  []byte
	at int
}

func (s *stateReader) fail(what string) error {
	return fmt.Errorf("%w: no %s at offset %d", errState, what, s.at)
}

// expect reads exactly these bytes.
func (s *stateReader) expect(what string, want ...byte) error {
	if len(s.b)-s.at < len(want) || string(s.b[s.at:s.at+len(want)]) != string(want) {
		return s.fail(what)
	}
	s.at += len(want)
	return nil
}

func (s *stateReader) count(what string) (int, error) {
	if len(s.b)-s.at < 2 || s.b[s.at] > 0x7F {
		return 0, s.fail("count of " + what)
	}
	n := int(binary.BigEndian.Uint16(s.b[s.at:]))
	s.at += 2
	return n, nil
}

func (s *stateReader) byte(what string) (byte, error) {
	if s.at == len(s.b) {
		return 0, s.fail(what)
	}
	s.at++
	return s.b[s.at-1], nil
}

// value returns the bytes of one typed value.
func (s *stateReader) value(what string) ([]byte, error) {
	n, err := gpbinary.Skip(gpbinary.V16, s.b[s.at:])
	if err != nil {
		return nil, fmt.Errorf("%w: %s at offset %d: %v", errState, what, s.at, err)
	}
	s.at += n
	return s.b[s.at-n : s.at], nil
}

func (s *stateReader) integer(what string) (int64, error) {
	start := s.at
	v, err := s.value(what)
	if err != nil {
		return 0, err
	}
	n, ok := gpbinary.ReadInt(gpbinary.V16, v)
	if !ok {
		s.at = start
		return 0, s.fail(what)
	}
	return n, nil
}

func (s *stateReader) end() error {
	if s.at != len(s.b) {
		return fmt.Errorf("%w: %d bytes behind the value", errState, len(s.b)-s.at)
	}
	return nil
}

// dictionary reads a dictionary object->object into a table.
func (s *stateReader) dictionary(what string) (*gpbinary.Hashtable, error) {
	if err := s.expect(what, codeDictionary, 0, 0); err != nil {
		return nil, err
	}
	n, err := s.count(what)
	if err != nil {
		return nil, err
	}
	table := gpbinary.NewHashtable()
	for range n {
		var both [2]any
		for i := range both {
			b, err := s.value(what)
			if err != nil {
				return nil, err
			}
			if both[i], _, err = gpbinary.Decode(gpbinary.V16, b); err != nil {
				return nil, fmt.Errorf("%w: %s: %v", errState, what, err)
			}
			if i == 0 && !isPropertyKey(both[0]) {
				return nil, fmt.Errorf("%w: %s: a key is neither string nor integer", errState, what)
			}
		}
		table.Set(both[0], both[1])
	}
	return table, nil
}

// readProperties reads Binary "18".
func readProperties(b []byte) (*gpbinary.Hashtable, error) {
	if len(b) == 0 {
		return gpbinary.NewHashtable(), nil
	}
	s := stateReader{b: b}
	table, err := s.dictionary("room properties")
	if err != nil {
		return nil, err
	}
	return table, s.end()
}

// readActor reads an actor's Binary: of a dictionary byte->object the value of 1.
func readActor(b []byte) (*gpbinary.Hashtable, error) {
	table := gpbinary.NewHashtable()
	if len(b) == 0 {
		return table, nil
	}
	s := stateReader{b: b}
	if err := s.expect("actor", codeDictionary, codeByte, 0); err != nil {
		return nil, err
	}
	n, err := s.count("actor")
	if err != nil {
		return nil, err
	}
	for range n {
		key, err := s.byte("actor's key")
		if err != nil {
			return nil, err
		}
		if key == 1 {
			if table, err = s.dictionary("actor properties"); err != nil {
				return nil, err
			}
		} else if _, err := s.value("actor's value"); err != nil {
			return nil, err
		}
	}
	return table, s.end()
}

// readEvents calls add for each event of Binary "19", in order.
func readEvents(b []byte, add func(slice int32, e *entry) error) error {
	if len(b) == 0 {
		return nil
	}
	s := stateReader{b: b}
	if err := s.expect("events", codeDictionary, codeInt, codeObjectArray); err != nil {
		return err
	}
	n, err := s.count("slices")
	if err != nil {
		return err
	}
	last := int32(-1)
	for range n {
		if len(s.b)-s.at < 4 {
			return s.fail("slice number")
		}
		number := int32(binary.BigEndian.Uint32(s.b[s.at:]))
		s.at += 4
		if number <= last {
			return fmt.Errorf("%w: slice %d behind slice %d", errState, number, last)
		}
		last = number
		if err := s.events(func(e *entry) error { return add(number, e) }); err != nil {
			return err
		}
	}
	return s.end()
}

// readKeyed calls add for each event of Binary "21".
func readKeyed(b []byte, add func(e *entry) error) error {
	if len(b) == 0 {
		return nil
	}
	s := stateReader{b: b}
	if err := s.expect("keyed events", codeObjectArray); err != nil {
		return err
	}
	if err := s.events(add); err != nil {
		return err
	}
	return s.end()
}

// events reads the body of an object[] of events.
func (s *stateReader) events(add func(e *entry) error) error {
	n, err := s.count("events")
	if err != nil {
		return err
	}
	for range n {
		if err := s.expect("event", codeObjectArray, 0, 3); err != nil {
			return err
		}
		owner, err := s.integer("actor number")
		if err != nil {
			return err
		}
		code, err := s.integer("event code")
		if err != nil {
			return err
		}
		if owner != int64(int32(owner)) || owner < 0 || code < 0 || code > 255 {
			return fmt.Errorf("%w: event of actor %d with code %d", errState, owner, code)
		}
		content, err := s.value("event content")
		if err != nil {
			return err
		}
		// Nobody may read what was secret: the form doesn't tell.
		e := &entry{entryKey: entryKey{owner: int32(owner), code: photon.EventCode(code)}, encrypt: true}
		if content[0] != codeNull {
			e.hasContent = true
			e.content = photon.Content{Protocol: photon.GpBinaryV16, Bytes: content}.Clone()
		}
		if err := add(e); err != nil {
			return err
		}
	}
	return nil
}

// readGroups reads the group numbers of Binary "20". Subscriptions end with the
// connections that had them.
func readGroups(b []byte) (groups groupSet, err error) {
	if len(b) == 0 {
		return groups, nil
	}
	s := stateReader{b: b}
	if err := s.expect("groups", codeDictionary, codeByte, 0); err != nil {
		return groups, err
	}
	n, err := s.count("groups")
	if err != nil {
		return groups, err
	}
	for range n {
		g, err := s.byte("group number")
		if err != nil {
			return groups, err
		}
		if _, err := s.value("subscribers"); err != nil {
			return groups, err
		}
		groups.add(g)
	}
	return groups, s.end()
}
