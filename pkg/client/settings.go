package client

import (
	"crypto/tls"

	"github.com/boson-project/boson/pkg/photon"
)

// AuthMode is the way a client authenticates (loadbalancing.md 3.3).
type AuthMode uint8

// Modes.
const (
	// Auth authenticates on every server.
	Auth AuthMode = iota
	// AuthOnce authenticates on the name server only; its token travels in the
	// init requests to the others, and it hands out the key for encryption.
	AuthOnce
	// AuthOnceWss is AuthOnce with a name server that is reached by secure WebSocket.
	AuthOnceWss
)

// CustomAuth is what an authentication provider gets (loadbalancing-auth.md 3).
type CustomAuth struct {
	// Type of the provider: 0 is the generic web service.
	Type byte
	// Parameters is a URL-encoded query, "user=x&token=y".
	Parameters string
	// Data is posted: nil, string, []byte or a dictionary.
	Data any
}

// Settings say who a client is and where it connects.
type Settings struct {
	AppID      string
	AppVersion string
	// NameServer is an address: host or host:port; for WebSockets a URL works too.
	NameServer string
	// Region to ask the name server for: "eu", "eu/cluster". Empty: the one with
	// the shortest ping.
	Region string
	// Master is the address of a master to connect to directly, without a name
	// server. Mode Auth only.
	Master string
	// UserID identifies the player to friends and in rooms. Empty: the server
	// chooses one.
	UserID   string
	NickName string
	// PlayerProperties are the player's custom properties when entering a room.
	PlayerProperties map[string]any
	AuthMode         AuthMode
	// CustomAuth is nil for anonymous players.
	CustomAuth *CustomAuth

	Transport Transport
	Protocol  photon.Protocol // default GpBinaryV18
	// EnableLobbyStatistics asks masters for OnLobbyStatistics events.
	EnableLobbyStatistics bool
	// TLS is for secure WebSockets.
	TLS *tls.Config
	// RegionPingPort is the UDP port of region pings. Default 5055.
	RegionPingPort int
	// Peer has further options for the connections. What the client decides is
	// overwritten: transport, protocol, application, token, secret, callbacks.
	Peer Options
}

// Handler has a client's callbacks; all are optional. They run on the peer's
// goroutine, see the package comment. The client's model is up to date when they
// are called.
type Handler struct {
	// OnEvent gets the events that other players raised, and all others that have
	// no callback of their own. e is valid only during the call.
	OnEvent func(e *Event)
	// OnRawEvent is Options.OnRawEvent, for events of games only. When it
	// returns true OnEvent is not called.
	OnRawEvent func(code photon.EventCode, msg []byte, d photon.Delivery) bool
	// OnJoin gets every player that enters the room, this one included.
	OnJoin func(actor Actor)
	// OnLeave gets every player that leaves. An inactive one may come back.
	OnLeave func(actor Actor, inactive bool)
	// OnPropertiesChanged gets changed properties of the room or of an actor.
	OnPropertiesChanged    func(PropertiesChange)
	OnMasterClientSwitched func(actorNr int32)
	// OnRoomList gets the rooms of the lobby (full), or those that changed.
	OnRoomList        func(rooms []RoomInfo, full bool)
	OnAppStats        func(AppStats)
	OnLobbyStatistics func([]LobbyStatistics)
	// OnErrorInfo gets the server's words about something that went wrong.
	OnErrorInfo func(text string)
	// OnCacheSliceChanged gets the new index of the event cache's slice.
	OnCacheSliceChanged func(index int32)
	// OnResponse gets responses that no call waits for, such as that to a
	// RaiseEvent that failed.
	OnResponse func(*Response)
	// OnDisconnected is called when the connection is lost without the client's doing.
	OnDisconnected func(*DisconnectError)
}

// SendReliable and SendUnreliable are the usual ways to send an event, on channel 0.
var (
	SendReliable   = photon.Delivery{Mode: photon.Reliable}
	SendUnreliable = photon.Delivery{Mode: photon.Unreliable}
)

// LobbyType is the kind of a lobby.
type LobbyType byte

// Lobby types.
const (
	DefaultLobby     LobbyType = 0
	SQLLobby         LobbyType = 2
	AsyncRandomLobby LobbyType = 3
)

// TypedLobby names a lobby. One without a name is the default lobby.
type TypedLobby struct {
	Name string
	Type LobbyType
}

// RoomOptions are a new room's options. Start from NewRoomOptions, which has
// Photon's defaults.
type RoomOptions struct {
	// MaxPlayers; 0 is unlimited.
	MaxPlayers int
	IsVisible  bool
	IsOpen     bool
	// PlayerTTL and EmptyRoomTTL in ms. PlayerTTL -1 is unlimited.
	PlayerTTL    int32
	EmptyRoomTTL int32

	CleanupCacheOnLeave          bool
	CheckUserOnJoin              bool
	SuppressRoomEvents           bool
	SuppressPlayerInfo           bool
	PublishUserID                bool
	DeleteNullProperties         bool
	BroadcastPropsChangeToAll    bool
	CustomRoomProperties         map[string]any
	CustomRoomPropertiesForLobby []string
	// Plugins: nil makes no demand, an empty list demands the default plugin.
	Plugins []string
}

// NewRoomOptions returns the defaults of Photon's clients.
func NewRoomOptions() *RoomOptions {
	return &RoomOptions{
		IsVisible: true, IsOpen: true, CleanupCacheOnLeave: true, CheckUserOnJoin: true,
		BroadcastPropsChangeToAll: true,
	}
}

// flags is parameter 191.
func (o *RoomOptions) flags() photon.RoomOptionFlags {
	var f photon.RoomOptionFlags
	for _, bit := range []struct {
		set  bool
		flag photon.RoomOptionFlags
	}{
		{o.CheckUserOnJoin, photon.FlagCheckUserOnJoin},
		{o.CleanupCacheOnLeave, photon.FlagDeleteCacheOnLeave},
		{o.SuppressRoomEvents, photon.FlagSuppressRoomEvents},
		{o.PublishUserID, photon.FlagPublishUserID},
		{o.DeleteNullProperties, photon.FlagDeleteNullProperties},
		{o.BroadcastPropsChangeToAll, photon.FlagBroadcastPropertiesChangeToAll},
		{o.SuppressPlayerInfo, photon.FlagSuppressPlayerInfo},
	} {
		if bit.set {
			f |= bit.flag
		}
	}
	return f
}

// EnterRoomParams say which room to create or to join.
type EnterRoomParams struct {
	// RoomName; empty lets the server choose one for a new room.
	RoomName string
	// RoomOptions count if the room is created. nil is NewRoomOptions.
	RoomOptions *RoomOptions
	// Lobby of a new room. nil is the lobby that the client is in.
	Lobby *TypedLobby
	// ExpectedUsers get a slot reserved.
	ExpectedUsers []string
	// Ticket is a matchmaking ticket, or nil.
	Ticket any
}

// JoinRandomRoomParams say which rooms will do.
type JoinRandomRoomParams struct {
	ExpectedCustomRoomProperties map[string]any
	ExpectedMaxPlayers           int
	MatchingType                 photon.MatchmakingMode
	Lobby                        *TypedLobby
	// SQLLobbyFilter is for lobbies of type SQLLobby.
	SQLLobbyFilter string
	ExpectedUsers  []string
	Ticket         any
}

// RaiseEventOptions say who gets an event and whether it is cached. The zero
// value: all others, not cached. At most one of TargetActors, InterestGroup and
// Receivers counts, in this order.
type RaiseEventOptions struct {
	TargetActors  []int32
	InterestGroup byte
	Receivers     photon.ReceiverGroup
	CachingOption photon.EventCaching
	WebFlags      photon.WebFlags
	// CacheSliceIndex is for the slice options.
	CacheSliceIndex *int32
}
