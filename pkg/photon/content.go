package photon

import (
	"bytes"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
)

// Content is one value kept in the bytes it came in, with its serialization:
// the content of an event on its way through a room (serialization.md 13).
type Content struct {
	Protocol Protocol
	// Bytes is a typed value that has passed the parser; for JSON, JSON text.
	Bytes []byte
}

// Value decodes the content.
func (c Content) Value() (any, error) {
	if c.Protocol == JSON {
		return gpjson.DecodeValue(c.Bytes)
	}
	v, _, err := gpbinary.Decode(gpbinary.Version(c.Protocol), c.Bytes)
	return v, err
}

// Clone returns a copy that does not alias the message it came from.
func (c Content) Clone() Content {
	return Content{c.Protocol, bytes.Clone(c.Bytes)}
}

// AppendTo appends the content in the form of protocol to: untouched when the
// protocols agree, transcoded otherwise. An error means that the value can't be
// expressed there (serialization.md 14).
func (c Content) AppendTo(dst []byte, to Protocol) ([]byte, error) {
	switch {
	case c.Protocol == to:
		return append(dst, c.Bytes...), nil
	case c.Protocol == JSON || to == JSON:
		v, err := c.Value()
		if err != nil {
			return dst, err
		}
		if to == JSON {
			return gpjson.AppendValue(dst, v)
		}
		v, _ = gpbinary.Convert(gpbinary.Version(to), v)
		return gpbinary.AppendLong(dst, gpbinary.Version(to), v)
	default:
		dst, _, err := gpbinary.Transcode(dst, gpbinary.Version(to), gpbinary.Raw{Version: gpbinary.Version(c.Protocol), Bytes: c.Bytes})
		return dst, err
	}
}

// ContentOf serializes a value of the server's own, or of a plugin's: in V18, or
// in V16 what only that can express.
func ContentOf(v any) (Content, error) {
	b, err := gpbinary.Append(nil, gpbinary.V18, v)
	if err == nil {
		return Content{GpBinaryV18, b}, nil
	}
	if b, again := gpbinary.Append(nil, gpbinary.V16, v); again == nil {
		return Content{GpBinaryV16, b}, nil
	}
	return Content{}, err
}
