package gpbinary

import "fmt"

// Class sorts decoding errors into few kinds, for counters and rate-limited
// logs (serialization.md 11).
type Class uint8

// The classes of decoding errors.
const (
	// Truncated: the data ends inside a value, or a length promises more than is there.
	Truncated Class = iota
	// BadCount: a negative or too large length or count.
	BadCount
	// BadVarint: a variable-length integer that is too long or out of range.
	BadVarint
	// UnknownType: no such type code, or not in this place.
	UnknownType
	// TypeMismatch: content that differs from the type declared for it.
	TypeMismatch
	// NullKey: null as a key.
	NullKey
	// DuplicateKey: the same key twice in one table.
	DuplicateKey
	// TooDeep: containers nested deeper than MaxDepth.
	TooDeep
	// TooManyNodes: more than MaxNodes values in one message.
	TooManyNodes
	// Trailing: bytes left over after a complete value.
	Trailing
)

var classNames = [...]string{
	Truncated:    "truncated",
	BadCount:     "bad_count",
	BadVarint:    "bad_varint",
	UnknownType:  "unknown_type",
	TypeMismatch: "type_mismatch",
	NullKey:      "null_key",
	DuplicateKey: "duplicate_key",
	TooDeep:      "too_deep",
	TooManyNodes: "too_many_nodes",
	Trailing:     "trailing",
}

// String returns the name of the class in the form of a metric label.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "unknown"
}

// Error says where and why bytes are not a legal value. Every decoding function
// of this package returns errors of type *Error.
type Error struct {
	// Offset in bytes from the start of the slice given to the function.
	Offset int
	Class  Class
	// Code is the type code in question for UnknownType, else 0.
	Code byte
}

// Error implements the error interface.
func (e *Error) Error() string {
	if e.Class == UnknownType {
		return fmt.Sprintf("gpbinary: unknown_type 0x%02x at offset %d", e.Code, e.Offset)
	}
	return fmt.Sprintf("gpbinary: %s at offset %d", e.Class, e.Offset)
}

// ValueError says that a Go value can't be written in a format: its type does
// not exist there, it is too large, or it has a null where none is possible
// (serialization.md 8, 15). Every encoding function returns errors of this type,
// or an *Error when the value is a Raw whose bytes are malformed.
type ValueError struct {
	Version Version
	Reason  string
}

// Error implements the error interface.
func (e *ValueError) Error() string {
	return "gpbinary: " + e.Version.String() + " can't hold the value: " + e.Reason
}
