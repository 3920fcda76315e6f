package plugin

import (
	"bytes"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// Names of the protocol that plugins use as they are.
type (
	// Table is a table of properties or of an event's content. Custom keys are
	// strings, well-known ones bytes.
	Table = gpbinary.Hashtable
	// Pair is one entry of a Table.
	Pair = gpbinary.Pair
	// CacheOption says what the event cache does, for example photon.AddToRoomCache.
	CacheOption = photon.EventCaching
	// ReceiverGroup is whom a client's event is for, in the client's numbers.
	ReceiverGroup = photon.ReceiverGroup
	// JoinMode is how a client wants to enter.
	JoinMode = photon.JoinMode
	// WebFlags say how an operation is forwarded to a web service, for example
	// photon.WebHTTPForward.
	WebFlags = photon.WebFlags
)

// NewTable returns a table of pairs.
func NewTable(pairs ...Pair) *Table { return gpbinary.NewHashtable(pairs...) }

// Operation is a client's operation as it came.
type Operation struct{ request *photon.Request }

// Request is the operation as hosts have it: undecoded.
func (o *Operation) Request() *photon.Request { return o.request }

// Code is the operation's code.
func (o *Operation) Code() byte { return byte(o.request.Code) }

// Param decodes one parameter. ok is false if it is absent or can't be read.
func (o *Operation) Param(code byte) (value any, ok bool) {
	value, ok, err := o.request.Value(photon.ParamCode(code))
	return value, ok && err == nil
}

// Params decodes all parameters.
func (o *Operation) Params() map[byte]any {
	all := make(map[byte]any, len(o.request.Fields))
	for _, f := range o.request.Fields {
		if v, ok := o.Param(f.Key); ok {
			all[f.Key] = v
		}
	}
	return all
}

// JoinGameRequest is CreateGame and JoinGame. Before the decision a plugin may
// change all but GameID, JoinMode, LobbyName, LobbyType and Plugins.
type JoinGameRequest struct {
	GameID   string
	JoinMode JoinMode
	// ActorNr is the number that a client wants back; 0 for none, -1 for "by my
	// user id".
	ActorNr         int32
	ActorProperties *Table
	// BroadcastActorProperties tells others of them in the Join event.
	BroadcastActorProperties bool
	ExpectedUsers            []string
	Plugins                  []string
	LobbyName                string
	LobbyType                byte

	// The room's options. They count where the room is created, and are empty
	// where one is joined.
	GameProperties    *Table
	EmptyRoomLiveTime int32 // ms
	PlayerTTL         int32 // ms
	// RoomFlags are the room option flags; the methods below read them.
	RoomFlags photon.RoomOptionFlags
}

// CreateIfNotExists says that a missing room is to be created.
func (r *JoinGameRequest) CreateIfNotExists() bool { return r.JoinMode == photon.CreateIfNotExists }

// CheckUserOnJoin says that a user can be in the room only once.
func (r *JoinGameRequest) CheckUserOnJoin() bool { return r.RoomFlags&photon.FlagCheckUserOnJoin != 0 }

// DeleteCacheOnLeave says that an actor's cached events go with it.
func (r *JoinGameRequest) DeleteCacheOnLeave() bool {
	return r.RoomFlags&photon.FlagDeleteCacheOnLeave != 0
}

// SuppressRoomEvents says that nobody is told of joins and leaves.
func (r *JoinGameRequest) SuppressRoomEvents() bool {
	return r.RoomFlags&photon.FlagSuppressRoomEvents != 0
}

// PublishUserID says that actors know each other's user ids.
func (r *JoinGameRequest) PublishUserID() bool { return r.RoomFlags&photon.FlagPublishUserID != 0 }

// LeaveGameRequest is Leave.
type LeaveGameRequest struct {
	// IsComingBack says that the client wants to rejoin.
	IsComingBack bool
	WebFlags     WebFlags
}

// SetPropertiesRequest is SetProperties. Before the decision a plugin may change it.
type SetPropertiesRequest struct {
	// ActorNumber is whose properties are set; 0 is the room.
	ActorNumber int32
	Properties  *Table
	// ExpectedValues is the condition of a compare-and-swap, nil for none.
	ExpectedValues *Table
	Broadcast      bool
	WebFlags       WebFlags
}

// CloseRequest is the room's own wish to end.
type CloseRequest struct {
	EmptyRoomTTL int32 // ms
}

// RaiseEventRequest is RaiseEvent. Before the decision a plugin may change it.
type RaiseEventRequest struct {
	EvCode byte
	// Actors are the receivers, if not nil, or whose cached events are removed.
	Actors        []int32
	Cache         CacheOption
	ReceiverGroup ReceiverGroup
	// Group is the interest group, 0 for everyone.
	Group byte
	// CacheSliceIndex is nil if the client gave none.
	CacheSliceIndex *int32
	WebFlags        WebFlags

	content    photon.Content
	hasContent bool
	value      any
	err        error
	read       bool
	written    bool
	unknown    func(any) (any, bool)
}

// SetContent gives the request the event's content as the client sent it, and
// what to ask for values without a serialization, or nil. It is for hosts.
func (r *RaiseEventRequest) SetContent(c photon.Content, ok bool, unknown func(any) (any, bool)) {
	r.content, r.hasContent, r.unknown = c, ok, unknown
	r.value, r.err, r.read, r.written = nil, nil, false, false
}

// Data is the event's content, decoded when first asked for; nil if there is
// none. What is changed in a table or array counts.
func (r *RaiseEventRequest) Data() (any, error) {
	if !r.read && !r.written {
		r.read = true
		if r.hasContent {
			if r.value, r.err = r.content.Value(); r.err == nil {
				r.value, r.err = FromWire(r.value)
			}
		}
	}
	return r.value, r.err
}

// SetData replaces the event's content.
func (r *RaiseEventRequest) SetData(v any) {
	r.value, r.err, r.written = v, nil, true
}

// Content returns the event's content to be relayed: the bytes that the client
// sent if the plugin changed nothing. ok is false if there is none. An error
// means that what the plugin put there can't be serialized.
func (r *RaiseEventRequest) Content() (c photon.Content, ok bool, err error) {
	if !r.written && (!r.read || r.err != nil || !changeable(r.value)) {
		return r.content, r.hasContent, nil
	}
	v, err := ToWire(r.value, r.unknown)
	if err != nil {
		return c, false, err
	}
	if c, err = photon.ContentOf(v); err != nil {
		return c, false, err
	}
	if !r.written {
		// It may have been changed in place. If not, the client's bytes are better:
		// they keep what they say about the client's language.
		if r.content.Protocol == c.Protocol && bytes.Equal(r.content.Bytes, c.Bytes) {
			return r.content, r.hasContent, nil
		}
		// There may be several ways to write down one value.
		if before, err := r.content.Value(); err == nil {
			if old, err := photon.ContentOf(before); err == nil && old.Protocol == c.Protocol && bytes.Equal(old.Bytes, c.Bytes) {
				return r.content, r.hasContent, nil
			}
		}
	}
	return c, true, nil
}

// changeable says whether a value can be changed in place.
func changeable(v any) bool {
	switch v.(type) {
	case nil, bool, uint8, int16, int32, int64, float32, float64, string:
		return false
	}
	return true
}
