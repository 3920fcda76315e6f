package gpbinary

import "strings"

// Kind is the declared type of a dictionary's keys or values, without the
// details that TypeDesc adds.
type Kind uint8

// The kinds that dictionaries declare (serialization.md 3.4, 4.5).
const (
	KindObject Kind = iota // each item states its own type
	KindBool
	KindByte
	KindShort
	KindInt
	KindLong
	KindFloat
	KindDouble
	KindString
	KindHashtable
	KindObjectArray
	KindOperationRequest
	KindOperationResponse
	KindEvent
	KindBoolArray
	KindByteArray
	KindShortArray
	KindIntArray
	KindLongArray
	KindFloatArray
	KindDoubleArray
	KindStringArray
	KindHashtableArray
	KindDictionary
	// KindArray is V16's vague "some array": each value states its element type.
	KindArray
	// KindAnyDictionary is V16's vague "some dictionary": each value states its own types.
	KindAnyDictionary

	// Types of arrays that no dictionary declares but that an array of arrays
	// may hold; describer returns them.
	kindCustomArray
	kindDictionaryArray
	kindRequestArray
	kindResponseArray
	kindEventArray

	kindCount
)

// noCode stands in the code tables below for "does not exist in this format".
// 0xff is no type code in either.
const noCode = 0xff

// kinds is the one table of names and dictionary type codes.
var kinds = [kindCount]struct {
	name     string
	v16, v18 byte
}{
	KindObject:            {"object", 0, 0},
	KindBool:              {"bool", v16Bool, v18Bool},
	KindByte:              {"byte", v16Byte, v18Byte},
	KindShort:             {"short", v16Short, v18Short},
	KindInt:               {"int", v16Int, v18Int},
	KindLong:              {"long", v16Long, v18Long},
	KindFloat:             {"float", v16Float, v18Float},
	KindDouble:            {"double", v16Double, v18Double},
	KindString:            {"string", v16String, v18String},
	KindHashtable:         {"hashtable", v16Hashtable, v18Hashtable},
	KindObjectArray:       {"object[]", v16ObjectArray, v18ObjectArray},
	KindOperationRequest:  {"opreq", v16Request, v18Request},
	KindOperationResponse: {"opresp", v16Response, v18Response},
	KindEvent:             {"event", v16Event, v18Event},
	KindBoolArray:         {"bool[]", noCode, v18BoolArray},
	KindByteArray:         {"byte[]", v16ByteArray, v18ByteArray},
	KindShortArray:        {"short[]", noCode, v18ShortArray},
	KindIntArray:          {"int[]", v16IntArray, v18IntArray},
	KindLongArray:         {"long[]", noCode, v18LongArray},
	KindFloatArray:        {"float[]", noCode, v18FloatArray},
	KindDoubleArray:       {"double[]", noCode, v18DoubleArray},
	KindStringArray:       {"string[]", v16StringArray, v18StringArray},
	KindHashtableArray:    {"hashtable[]", noCode, v18HashtableArray},
	KindDictionary:        {"dict", noCode, v18Dictionary},
	KindArray:             {"array", v16Array, noCode},
	KindAnyDictionary:     {"dict", v16Dictionary, noCode},
	kindCustomArray:       {"custom[]", noCode, noCode},
	kindDictionaryArray:   {"dict[]", noCode, noCode},
	kindRequestArray:      {"opreq[]", noCode, noCode},
	kindResponseArray:     {"opresp[]", noCode, noCode},
	kindEventArray:        {"event[]", noCode, noCode},
}

// kindOf16 and kindOf18 map dictionary type codes to kinds; noKind is "no such type".
var kindOf16, kindOf18 = func() (a, b [256]Kind) {
	for i := range a {
		a[i], b[i] = noKind, noKind
	}
	for k, row := range kinds {
		if row.v16 != noCode {
			a[row.v16] = Kind(k)
		}
		if row.v18 != noCode {
			b[row.v18] = Kind(k)
		}
	}
	a[v16Null] = KindObject // readers accept it for "object"
	return a, b
}()

const noKind = kindCount

// isKey tells whether dictionaries may have keys of kind k.
func (k Kind) isKey() bool { return k <= KindString }

// isLeaf tells whether V18 can declare arrays of arrays whose innermost arrays are of kind k.
func (k Kind) isLeaf() bool { return k >= KindBoolArray && k <= KindHashtableArray }

// isVague tells whether k is one of V16's types that leave the details to each value.
func (k Kind) isVague() bool { return k == KindArray || k == KindAnyDictionary }

// String returns the name used in serialization.md, for example "int[]".
func (k Kind) String() string {
	if k < kindCount {
		return kinds[k].name
	}
	return "unknown"
}

// TypeDesc is the declared type of a dictionary's keys or values.
type TypeDesc struct {
	Kind Kind
	// Depth is the number of array levels around an array kind: int[] is
	// {Kind: KindIntArray}, int[][] is {Kind: KindIntArray, Depth: 1}. Only V18
	// declares such types.
	Depth uint8
	// Key and Val are the types of a KindDictionary, else nil.
	Key, Val *TypeDesc

	custom byte // of kindCustomArray
}

// Equal tells whether t and u declare the same type.
func (t TypeDesc) Equal(u TypeDesc) bool {
	if t.Kind != u.Kind || t.Depth != u.Depth || t.custom != u.custom {
		return false
	}
	if t.Key == nil || u.Key == nil || t.Val == nil || u.Val == nil {
		return t.Key == u.Key && t.Val == u.Val
	}
	return t.Key.Equal(*u.Key) && t.Val.Equal(*u.Val)
}

// String returns the name used in serialization.md, for example "dict<int,string[][]>".
func (t TypeDesc) String() string {
	s := t.Kind.String()
	if t.Key != nil && t.Val != nil {
		s = "dict<" + t.Key.String() + "," + t.Val.String() + ">"
		if t.Kind == kindDictionaryArray {
			s += "[]"
		}
	}
	return s + strings.Repeat("[]", int(t.Depth))
}

// keyTypes holds one TypeDesc per key kind, for nested descriptors to point to.
var keyTypes = func() (t [KindString + 1]TypeDesc) {
	for k := range t {
		t[k].Kind = Kind(k)
	}
	return t
}()

// arrayKind returns the kind of an array value, and false for other values and
// for arrays of arrays.
func arrayKind(value any) (Kind, bool) {
	switch value.(type) {
	case []byte:
		return KindByteArray, true
	case ObjectArray:
		return KindObjectArray, true
	case []bool:
		return KindBoolArray, true
	case []int16:
		return KindShortArray, true
	case []int32:
		return KindIntArray, true
	case []int64:
		return KindLongArray, true
	case []float32:
		return KindFloatArray, true
	case []float64:
		return KindDoubleArray, true
	case []string:
		return KindStringArray, true
	case []*Hashtable:
		return KindHashtableArray, true
	case *CustomArray:
		return kindCustomArray, true
	case *DictionaryArray:
		return kindDictionaryArray, true
	case []*OperationRequest:
		return kindRequestArray, true
	case []*OperationResponse:
		return kindResponseArray, true
	case []*EventData:
		return kindEventArray, true
	}
	return 0, false
}

// describer finds static types: what can be told of an array's C# type from the
// wire (serialization.md 14). It remembers the arrays of arrays it has seen, so
// that each is looked through once however deep they nest. The arrays must not
// change meanwhile.
type describer struct {
	seen map[*ArrayArray]staticType
}

type staticType struct {
	desc  TypeDesc
	known bool
}

// array returns the static type of an array. An array of arrays has none when it
// is empty, holds null or elements of different types.
func (d *describer) array(value any) (TypeDesc, bool) {
	switch x := value.(type) {
	case *ArrayArray:
		if x == nil {
			return TypeDesc{}, false
		}
		t, ok := d.seen[x]
		if !ok {
			t.desc, t.known = d.common(x.Items)
			t.known = t.known && t.desc.Depth < MaxDepth
			t.desc.Depth++
			if d.seen == nil {
				d.seen = make(map[*ArrayArray]staticType)
			}
			d.seen[x] = t
		}
		return t.desc, t.known
	case *CustomArray:
		return TypeDesc{Kind: kindCustomArray, custom: x.Code}, true
	case *DictionaryArray:
		return TypeDesc{Kind: kindDictionaryArray, Key: &x.Key, Val: &x.Val}, true
	}
	k, ok := arrayKind(value)
	return TypeDesc{Kind: k}, ok
}

// common returns the static type that all arrays have in common.
func (d *describer) common(arrays []any) (TypeDesc, bool) {
	var common TypeDesc
	for i, a := range arrays {
		t, ok := d.array(a)
		if !ok || i > 0 && !t.Equal(common) {
			return TypeDesc{}, false
		}
		common = t
	}
	return common, len(arrays) > 0
}
