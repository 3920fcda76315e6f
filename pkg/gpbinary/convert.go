package gpbinary

// Transcode appends a typed value in the format to, as clients of that format
// read it (serialization.md 14). lossless is false when its type had to change,
// for example from int[][] to object[]. An error says that the other format
// can't hold the value: then a receiver must get no value rather than a mutilated
// one. A raw of version to is pasted. On error dst is returned unchanged.
func Transcode(dst []byte, to Version, raw Raw) (out []byte, lossless bool, err error) {
	if raw.Version == to {
		return append(dst, raw.Bytes...), true, nil
	}
	value, err := decodeAll(raw.Version, raw.Bytes)
	if err != nil {
		return dst, false, err
	}
	value, lossless = Convert(to, value)
	out, err = Append(dst, to, value)
	return out, lossless && err == nil, err
}

// Convert returns value with the types changed that the format to does not have
// or that its clients don't read, so that Append can write it (serialization.md
// 10, 14). A value that needs no change is returned itself, else the result
// shares its unchanged parts. lossless is false when a type changed that a client
// sees. Limits, for example on counts, are left to Append.
func Convert(to Version, value any) (converted any, lossless bool) {
	c := converter{to: to, lossless: true}
	converted, _ = c.value(value, 0)
	return converted, c.lossless
}

type converter struct {
	to       Version
	lossless bool
	static   describer
}

// value converts a value. changed is false when it is returned as it was.
func (c *converter) value(value any, depth int) (out any, changed bool) {
	if depth > MaxDepth {
		return value, false // Append refuses it
	}
	switch x := value.(type) {
	case ObjectArray:
		if items, changed := c.items(x, depth+1); changed {
			return ObjectArray(items), true
		}
	case *ArrayArray:
		if x != nil {
			return c.arrayArray(x, depth+1)
		}
	case *Hashtable:
		if x != nil {
			return c.hashtable(x, depth+1)
		}
	case []*Hashtable:
		return sliceOf(c, x, depth+1)
	case *Dictionary:
		if x != nil {
			return c.dictionary(x, depth+1)
		}
	case *DictionaryArray:
		if x != nil {
			return c.dictionaryArray(x, depth+1)
		}
	case *OperationRequest:
		if x != nil {
			if p, changed := c.params(x.Params, depth+1); changed {
				return &OperationRequest{Code: x.Code, Params: p}, true
			}
		}
	case *OperationResponse:
		if x != nil {
			if p, changed := c.params(x.Params, depth+1); changed {
				return &OperationResponse{Code: x.Code, ReturnCode: x.ReturnCode, Debug: x.Debug, Params: p}, true
			}
		}
	case *EventData:
		if x != nil {
			if p, changed := c.params(x.Params, depth+1); changed {
				return &EventData{Code: x.Code, Params: p}, true
			}
		}
	case []*OperationRequest:
		return messages(c, x, depth+1)
	case []*OperationResponse:
		return messages(c, x, depth+1)
	case []*EventData:
		return messages(c, x, depth+1)
	case Raw:
		if x.Version != c.to {
			if v, err := decodeAll(x.Version, x.Bytes); err == nil {
				v, _ = c.value(v, depth)
				return v, true
			}
		}
	}
	return value, false
}

// items converts the elements of an array. The slice is copied when one changes.
func (c *converter) items(items []any, depth int) (out []any, changed bool) {
	out = items
	for i, item := range items {
		v, ch := c.value(item, depth)
		if !ch {
			continue
		}
		if !changed {
			out, changed = append([]any(nil), items...), true
		}
		out[i] = v
	}
	return out, changed
}

// sliceOf converts the elements of an array of one Go type, which they keep.
func sliceOf[T any](c *converter, items []T, depth int) (out any, changed bool) {
	copied := items
	for i, item := range items {
		v, ch := c.value(item, depth)
		if !ch {
			continue
		}
		if !changed {
			copied, changed = append([]T(nil), items...), true
		}
		copied[i], _ = v.(T)
	}
	return copied, changed
}

// messages converts an array of messages, a type that V18 lacks.
func messages[T any](c *converter, items []T, depth int) (out any, changed bool) {
	if c.to == V16 {
		return sliceOf(c, items, depth)
	}
	c.lossless = false
	a := make(ObjectArray, len(items))
	for i, item := range items {
		a[i], _ = c.value(item, depth)
	}
	return a, true
}

// arrayArray converts an array of arrays, which becomes an object[] when clients
// could not tell the type of its elements.
func (c *converter) arrayArray(a *ArrayArray, depth int) (out any, changed bool) {
	items, changed := c.items(a.Items, depth)
	for i := range items {
		_, was := a.Items[i].(*ArrayArray)
		_, is := items[i].(*ArrayArray)
		if was && !is {
			c.lossless = false
			return ObjectArray(items), true
		}
	}
	// V18 states the types of dictionaries, which for V16 may all become
	// "object": arrays of different types stay different. V16 can leave them
	// vague, so only the result tells.
	probe := a.Items
	if c.to == V18 {
		probe = items
	}
	if _, ok := c.static.common(probe); !ok && !(c.to == V18 && c.nullsBehindFirst(items)) {
		c.lossless = false
		return ObjectArray(items), true
	}
	if !changed {
		return a, false
	}
	return &ArrayArray{Items: items}, true
}

// nullsBehindFirst tells whether items are arrays of one type, some of them null
// but not the first: what V18 clients read although describer finds no one type.
func (c *converter) nullsBehindFirst(items []any) bool {
	if len(items) == 0 || items[0] == nil {
		return false
	}
	first, ok := c.static.array(items[0])
	if !ok {
		return false
	}
	for _, item := range items[1:] {
		if item == nil {
			continue
		}
		if t, ok := c.static.array(item); !ok || !t.Equal(first) {
			return false
		}
	}
	return true
}

func (c *converter) hashtable(h *Hashtable, depth int) (out any, changed bool) {
	pairs, changed := c.pairs(h.pairs, depth)
	if !changed {
		return h, false
	}
	return tableOf(pairs), true
}

// pairs converts keys and values. The slice is copied when one changes.
func (c *converter) pairs(pairs []Pair, depth int) (out []Pair, changed bool) {
	out = pairs
	for i, p := range pairs {
		k, keyChanged := c.value(p.Key, depth)
		v, valueChanged := c.value(p.Value, depth)
		if !keyChanged && !valueChanged {
			continue
		}
		if !changed {
			out, changed = append([]Pair(nil), pairs...), true
		}
		out[i] = Pair{k, v}
	}
	return out, changed
}

func (c *converter) params(params Params, depth int) (out Params, changed bool) {
	out = params
	for i, p := range params {
		v, ch := c.value(p.Value, depth)
		if !ch {
			continue
		}
		if !changed {
			out, changed = append(Params(nil), params...), true
		}
		out[i].Value = v
	}
	return out, changed
}

func (c *converter) dictionary(d *Dictionary, depth int) (out any, changed bool) {
	pairs, changed := c.pairs(d.Pairs, depth)
	key, val := c.types(d.Key, d.Val, pairs)
	if !changed && key.Equal(d.Key) && val.Equal(d.Val) {
		return d, false
	}
	return &Dictionary{Key: key, Val: val, Pairs: pairs}, true
}

func (c *converter) dictionaryArray(a *DictionaryArray, depth int) (out any, changed bool) {
	items := a.Items
	var all []Pair
	for i, item := range a.Items {
		pairs, ch := c.pairs(item, depth+1)
		if ch {
			if !changed {
				items, changed = append([][]Pair(nil), a.Items...), true
			}
			items[i] = pairs
		}
		if a.Val.Kind.isVague() || a.Val.Kind == KindDictionary || a.Val.Depth > 0 {
			all = append(all, pairs...)
		}
	}
	key, val := c.types(a.Key, a.Val, all)
	if !changed && key.Equal(a.Key) && val.Equal(a.Val) {
		return a, false
	}
	return &DictionaryArray{Key: key, Val: val, Items: items}, true
}

// types returns the types to declare for a dictionary whose entries, already
// converted, are pairs.
func (c *converter) types(key, val TypeDesc, pairs []Pair) (TypeDesc, TypeDesc) {
	if c.to == V16 {
		return key, c.valueType16(val, pairs)
	}
	if key.Kind == KindBool { // clients write but don't read it
		c.lossless = false
		key = objectType
	}
	return key, c.valueType18(val, pairs)
}

// valueType16 returns the type that V16 clients read in place of val.
func (c *converter) valueType16(val TypeDesc, pairs []Pair) TypeDesc {
	if val.Kind == KindArray {
		if t, ok := c.commonValueType(pairs); ok && t.Depth == 0 {
			switch t.Kind {
			case KindIntArray, KindStringArray, KindByteArray, KindObjectArray:
				return t
			}
		}
	} else if val.Depth == 0 && val.Kind != KindAnyDictionary && kinds[val.Kind].v16 != noCode {
		return val
	}
	c.lossless = false
	return objectType
}

// valueType18 returns the type that V18 clients read in place of val.
func (c *converter) valueType18(val TypeDesc, pairs []Pair) TypeDesc {
	switch val.Kind {
	case KindArray:
		if t, ok := c.commonValueType(pairs); ok && t.Kind.isLeaf() {
			return t
		}
	case KindAnyDictionary, KindDictionary:
		if len(pairs) == 0 && val.Kind == KindDictionary && readable18(val) {
			return val
		}
		if t, ok := commonDictionaryType(pairs); ok && readable18(t) {
			return t
		}
	default:
		if val.Depth > 0 && !allNested(val, pairs) {
			break
		}
		return val
	}
	c.lossless = false
	return objectType
}

// allNested tells whether the values still have the type of arrays of arrays val
// after conversion.
func allNested(val TypeDesc, pairs []Pair) bool {
	for _, p := range pairs {
		if !isNested(val, p.Value) {
			return false
		}
	}
	return true
}

// readable18 tells whether V18 clients read nested dictionaries of type t: not
// those whose type ends in object[], nor those with bool keys.
func readable18(t TypeDesc) bool {
	for t.Kind == KindDictionary {
		if t.Key.Kind == KindBool {
			return false
		}
		t = *t.Val
	}
	return t.Kind != KindObjectArray
}

// commonValueType returns the static type that all values have in common.
func (c *converter) commonValueType(pairs []Pair) (TypeDesc, bool) {
	values := make([]any, len(pairs))
	for i := range pairs {
		values[i] = pairs[i].Value
	}
	return c.static.common(values)
}

// commonDictionaryType returns the type of the dictionaries that are the values.
func commonDictionaryType(pairs []Pair) (TypeDesc, bool) {
	var common TypeDesc
	for i, p := range pairs {
		d, ok := p.Value.(*Dictionary)
		if !ok {
			return TypeDesc{}, false
		}
		t := TypeDesc{Kind: KindDictionary, Key: &d.Key, Val: &d.Val}
		if i > 0 && !t.Equal(common) {
			return TypeDesc{}, false
		}
		common = t
	}
	return common, len(pairs) > 0
}
