package gpbinary

// Version names one of the two binary value formats. A connection uses one of
// them for its whole life (serialization.md, introduction).
type Version uint8

// The numbers are the protocol minor versions that the binary init request
// carries (wire.md 4.2).
const (
	V16 Version = 6
	V18 Version = 8
)

// String returns the name that clients use for the format, for example as the
// WebSocket sub-protocol.
func (v Version) String() string {
	switch v {
	case V16:
		return "GpBinaryV16"
	case V18:
		return "GpBinaryV18"
	default:
		return "unknown"
	}
}

// The Go types of values (serialization.md 12):
//
//	null                                nil
//	bool byte short int long            bool uint8 int16 int32 int64
//	float double string                 float32 float64 string
//	byte[] bool[] short[] int[] long[]  []byte []bool []int16 []int32 []int64
//	float[] double[] string[]           []float32 []float64 []string
//	object[]                            ObjectArray
//	array[] (arrays of arrays)          *ArrayArray
//	hashtable, hashtable[]              *Hashtable, []*Hashtable
//	dict<K,V>, dict<K,V>[]              *Dictionary, *DictionaryArray
//	custom, custom[]                    Custom, *CustomArray
//	opreq opresp event                  *OperationRequest *OperationResponse *EventData
//	arrays of those (V16 only)          []*OperationRequest []*OperationResponse []*EventData
//	an undecoded typed value            Raw

// ObjectArray is an object[]: each element has its own type and may be nil.
type ObjectArray []any

// ArrayArray is an array whose elements are arrays, or nil (V18 only).
type ArrayArray struct {
	Items []any
	// Empty is the kind of element that V16 states even for an array without
	// any: KindByteArray, KindObjectArray, or the zero Kind for all others. It
	// has no meaning for arrays with elements.
	Empty Kind
}

// Pair is one entry of a Hashtable or Dictionary.
type Pair struct{ Key, Value any }

// Custom is a value of a type that a game registered with its clients. The
// server carries code and bytes unchanged (serialization.md 9).
type Custom struct {
	Code byte
	Data []byte
}

// CustomArray is an array of one custom type.
type CustomArray struct {
	Code  byte
	Items [][]byte
}

// Raw is one typed value (type code and body) that is kept undecoded. Bytes
// must have passed Skip. Append pastes it when the versions agree and
// transcodes it when they do not.
type Raw struct {
	Version Version
	Bytes   []byte
}

// Param is one entry of a message's parameter table.
type Param struct {
	Key   byte
	Value any
}

// Params is a message's parameter table in wire order. Keys are unique.
type Params []Param

// Get returns the value of key.
func (p Params) Get(key byte) (value any, ok bool) {
	for i := range p {
		if p[i].Key == key {
			return p[i].Value, true
		}
	}
	return nil, false
}

// OperationRequest is the body of an operation request, or such a request used
// as a value.
type OperationRequest struct {
	Code   byte
	Params Params
}

// OperationResponse is the body of an operation response. An empty Debug is
// written as null.
type OperationResponse struct {
	Code       byte
	ReturnCode int16
	Debug      string
	Params     Params
}

// EventData is the body of an event.
type EventData struct {
	Code   byte
	Params Params
}

// Field is one entry of a parameter table, its typed value undecoded. Bytes
// aliases the message.
type Field struct {
	Key   byte
	Bytes []byte
}
