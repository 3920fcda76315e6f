package gpbinary

// Dictionary is a C# Dictionary<K,V>. Its declared types are part of the value,
// also when it is empty (serialization.md 12).
type Dictionary struct {
	Key, Val TypeDesc
	// Pairs in wire order. Keys are unique and have type Key, values type Val.
	Pairs []Pair
}

// Get returns the value of key, whose Go type must be exact. It searches the
// pairs one by one.
func (d *Dictionary) Get(key any) (value any, ok bool) {
	if i := findPair(d.Pairs, key); i >= 0 {
		return d.Pairs[i].Value, true
	}
	return nil, false
}

// DictionaryArray is an array of dictionaries of one type.
type DictionaryArray struct {
	Key, Val TypeDesc
	// Items are the pairs of each dictionary. An empty one is not nil.
	Items [][]Pair
}
