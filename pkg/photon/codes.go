package photon

import "strconv"

// OpCode is the code of an operation (loadbalancing-operations.md 1).
type OpCode byte

// Operation codes.
const (
	OpJoin             OpCode = 255 // Lite, obsolete
	OpLeave            OpCode = 254
	OpRaiseEvent       OpCode = 253
	OpSetProperties    OpCode = 252
	OpGetProperties    OpCode = 251
	OpChangeGroups     OpCode = 248
	OpAuthenticateOnce OpCode = 231
	OpAuthenticate     OpCode = 230
	OpJoinLobby        OpCode = 229
	OpLeaveLobby       OpCode = 228
	OpCreateGame       OpCode = 227
	OpJoinGame         OpCode = 226
	OpJoinRandomGame   OpCode = 225
	OpFindFriends      OpCode = 222
	OpGetLobbyStats    OpCode = 221
	OpGetRegions       OpCode = 220
	OpWebRPC           OpCode = 219
	OpServerSettings   OpCode = 218
	OpGetGameList      OpCode = 217
)

// Internal operation codes, message types 6 and 7 (wire.md 4.7).
const (
	InternalInitEncryption OpCode = 0
	InternalPing           OpCode = 1
)

// EventCode is the code of an event (loadbalancing-operations.md 4). Codes
// below 200 belong to games.
type EventCode byte

// Event codes that servers send.
const (
	EventAuth              EventCode = 223
	EventLobbyStats        EventCode = 224
	EventAppStats          EventCode = 226
	EventGameListUpdate    EventCode = 229
	EventGameList          EventCode = 230
	EventCacheSliceChanged EventCode = 250
	EventErrorInfo         EventCode = 251
	EventDisconnect        EventCode = 252 // old form of "became inactive"; never sent
	EventPropertiesChanged EventCode = 253
	EventLeave             EventCode = 254
	EventJoin              EventCode = 255
)

// ReservedEvent says whether clients take an event of this code for the
// server's own word, so that no client may raise it (loadbalancing-rooms.md 6.1).
func ReservedEvent(c EventCode) bool {
	switch c {
	case EventAuth, EventLobbyStats, EventAppStats, EventGameListUpdate, EventGameList:
		return true
	}
	return c >= EventCacheSliceChanged
}

// ParamCode is the key of a parameter. A number can mean different things in
// different messages (loadbalancing-operations.md 2).
type ParamCode byte

// Parameter codes.
const (
	ParamRoomName                   ParamCode = 255
	ParamActorNr                    ParamCode = 254
	ParamTargetActorNr              ParamCode = 253
	ParamActorList                  ParamCode = 252
	ParamProperties                 ParamCode = 251
	ParamBroadcast                  ParamCode = 250
	ParamPlayerProperties           ParamCode = 249
	ParamGameProperties             ParamCode = 248
	ParamCache                      ParamCode = 247
	ParamReceiverGroup              ParamCode = 246
	ParamData                       ParamCode = 245
	ParamEventCode                  ParamCode = 244 // Code: RaiseEvent event code
	ParamCleanupCacheOnLeave        ParamCode = 241
	ParamGroup                      ParamCode = 240
	ParamRemove                     ParamCode = 239 // ChangeGroups
	ParamPublishUserID              ParamCode = 239 // room option
	ParamAdd                        ParamCode = 238 // ChangeGroups
	ParamExpectedUsers              ParamCode = 238
	ParamSuppressRoomEvents         ParamCode = 237
	ParamEmptyRoomTTL               ParamCode = 236
	ParamPlayerTTL                  ParamCode = 235
	ParamWebFlags                   ParamCode = 234
	ParamIsInactive                 ParamCode = 233
	ParamCheckUserOnJoin            ParamCode = 232
	ParamExpectedValues             ParamCode = 231
	ParamAddress                    ParamCode = 230
	ParamPeerCount                  ParamCode = 229
	ParamGameCount                  ParamCode = 228
	ParamMasterPeerCount            ParamCode = 227
	ParamUserID                     ParamCode = 225
	ParamApplicationID              ParamCode = 224
	ParamMatchMakingType            ParamCode = 223
	ParamGameList                   ParamCode = 222
	ParamToken                      ParamCode = 221
	ParamAppVersion                 ParamCode = 220
	ParamInfo                       ParamCode = 218
	ParamClientAuthenticationType   ParamCode = 217
	ParamClientAuthenticationParams ParamCode = 216
	ParamJoinMode                   ParamCode = 215
	ParamClientAuthenticationData   ParamCode = 214
	ParamLobbyName                  ParamCode = 213
	ParamLobbyType                  ParamCode = 212
	ParamLobbyStats                 ParamCode = 211
	ParamRegion                     ParamCode = 210
	ParamURIPath                    ParamCode = 209
	ParamWebRPCParameters           ParamCode = 208
	ParamWebRPCReturnCode           ParamCode = 207
	ParamWebRPCReturnMessage        ParamCode = 206
	ParamCacheSliceIndex            ParamCode = 205
	ParamPlugins                    ParamCode = 204
	ParamMasterClientID             ParamCode = 203
	ParamNickName                   ParamCode = 202
	ParamPluginName                 ParamCode = 201
	ParamPluginVersion              ParamCode = 200
	ParamCluster                    ParamCode = 196
	ParamExpectedProtocol           ParamCode = 195
	ParamEncryptionMode             ParamCode = 193
	ParamEncryptionData             ParamCode = 192
	ParamRoomOptionFlags            ParamCode = 191
	ParamTicket                     ParamCode = 190
	ParamAllowRepeats               ParamCode = 188
	ParamFindFriendsOptions         ParamCode = 2
	ParamFindFriendsRoomIDs         ParamCode = 2
	ParamFindFriendsUsers           ParamCode = 1
	ParamFindFriendsOnline          ParamCode = 1
	ParamReceiveLobbyStats          ParamCode = 0
)

// Well-known room property keys: bytes in a Hashtable whose custom keys are
// strings (loadbalancing-operations.md 5).
const (
	PropMaxPlayers          byte = 255
	PropIsVisible           byte = 254
	PropIsOpen              byte = 253
	PropPlayerCount         byte = 252
	PropRemoved             byte = 251
	PropPropsListedInLobby  byte = 250
	PropCleanupCacheOnLeave byte = 249
	PropMasterClientID      byte = 248
	PropExpectedUsers       byte = 247
	PropPlayerTTL           byte = 246
	PropEmptyRoomTTL        byte = 245
	PropMaxPlayersInt       byte = 243
)

// Well-known actor property keys.
const (
	ActorPropNickName   byte = 255
	ActorPropIsInactive byte = 254
	ActorPropUserID     byte = 253
)

// ReturnCode is the result of an operation (loadbalancing-operations.md 7).
type ReturnCode int16

// Return codes.
const (
	ReturnOk                                ReturnCode = 0
	ReturnInternalServerError               ReturnCode = -1
	ReturnInvalidOperation                  ReturnCode = -2
	ReturnOperationNotAllowedInCurrentState ReturnCode = -3
	ReturnInvalidAuthentication             ReturnCode = 32767
	ReturnGameIDAlreadyExists               ReturnCode = 32766
	ReturnGameFull                          ReturnCode = 32765
	ReturnGameClosed                        ReturnCode = 32764
	ReturnServerFull                        ReturnCode = 32762
	ReturnUserBlocked                       ReturnCode = 32761
	ReturnNoRandomMatchFound                ReturnCode = 32760
	ReturnGameDoesNotExist                  ReturnCode = 32758
	ReturnMaxCcuReached                     ReturnCode = 32757
	ReturnInvalidRegion                     ReturnCode = 32756
	ReturnCustomAuthenticationFailed        ReturnCode = 32755
	ReturnAuthenticationTicketExpired       ReturnCode = 32753
	ReturnPluginReportedError               ReturnCode = 32752
	ReturnPluginMismatch                    ReturnCode = 32751
	ReturnJoinFailedPeerAlreadyJoined       ReturnCode = 32750
	ReturnJoinFailedFoundInactiveJoiner     ReturnCode = 32749
	ReturnJoinFailedWithRejoinerNotFound    ReturnCode = 32748
	ReturnJoinFailedFoundExcludedUserID     ReturnCode = 32747
	ReturnJoinFailedFoundActiveJoiner       ReturnCode = 32746
	ReturnHTTPLimitReached                  ReturnCode = 32745
	ReturnExternalHTTPCallFailed            ReturnCode = 32744
	ReturnOperationLimitReached             ReturnCode = 32743
	ReturnSlotError                         ReturnCode = 32742
	ReturnInvalidEncryptionParameters       ReturnCode = 32741
)

// JoinMode is parameter 215 of JoinGame (loadbalancing-operations.md 3.7).
type JoinMode byte

// Join modes.
const (
	JoinDefault       JoinMode = 0
	CreateIfNotExists JoinMode = 1
	JoinOrRejoin      JoinMode = 2
	RejoinOnly        JoinMode = 3
)

// MatchmakingMode is parameter 223 of JoinRandomGame.
type MatchmakingMode byte

// Matchmaking modes.
const (
	FillRoom       MatchmakingMode = 0
	SerialMatching MatchmakingMode = 1
	RandomMatching MatchmakingMode = 2
)

// ReceiverGroup is parameter 246 of RaiseEvent.
type ReceiverGroup byte

// Receiver groups.
const (
	ReceiverOthers       ReceiverGroup = 0
	ReceiverAll          ReceiverGroup = 1
	ReceiverMasterClient ReceiverGroup = 2
)

// EventCaching is parameter 247 of RaiseEvent.
type EventCaching byte

// Caching options (loadbalancing-rooms.md 7.2).
const (
	DoNotCache                       EventCaching = 0
	MergeCache                       EventCaching = 1
	ReplaceCache                     EventCaching = 2
	RemoveCache                      EventCaching = 3
	AddToRoomCache                   EventCaching = 4
	AddToRoomCacheGlobal             EventCaching = 5
	RemoveFromRoomCache              EventCaching = 6
	RemoveFromRoomCacheForActorsLeft EventCaching = 7
	SliceIncreaseIndex               EventCaching = 10
	SliceSetIndex                    EventCaching = 11
	SlicePurgeIndex                  EventCaching = 12
	SlicePurgeUpToIndex              EventCaching = 13
)

// RoomOptionFlags is parameter 191 (loadbalancing-rooms.md 2.3).
type RoomOptionFlags int32

// Room option flags.
const (
	FlagCheckUserOnJoin                RoomOptionFlags = 0x01
	FlagDeleteCacheOnLeave             RoomOptionFlags = 0x02
	FlagSuppressRoomEvents             RoomOptionFlags = 0x04
	FlagPublishUserID                  RoomOptionFlags = 0x08
	FlagDeleteNullProperties           RoomOptionFlags = 0x10
	FlagBroadcastPropertiesChangeToAll RoomOptionFlags = 0x20
	FlagSuppressPlayerInfo             RoomOptionFlags = 0x40
)

// WebFlags is parameter 234.
type WebFlags byte

// Web flags.
const (
	WebHTTPForward    WebFlags = 0x01
	WebSendAuthCookie WebFlags = 0x02
	WebSendSync       WebFlags = 0x04
	WebSendState      WebFlags = 0x08
)

// Has says whether all of these flags are set.
func (f WebFlags) Has(flags WebFlags) bool { return f&flags == flags }

// FindFriendsOptions is parameter 2 of FindFriends.
type FindFriendsOptions int32

// Find-friends options; they hide the room's name, not the online state.
const (
	FriendsCreatedOnGs FindFriendsOptions = 0x01
	FriendsVisible     FindFriendsOptions = 0x02
	FriendsOpen        FindFriendsOptions = 0x04
)

// AuthNone is the ClientAuthenticationType (217) of an anonymous client.
const AuthNone byte = 255

func name[T ~byte | ~int16](names map[T]string, v T) string {
	if s, ok := names[v]; ok {
		return s
	}
	return strconv.Itoa(int(v))
}

// String returns the operation's name, or its number.
func (c OpCode) String() string { return name(opNames, c) }

// String returns the event's name, or its number.
func (c EventCode) String() string { return name(eventNames, c) }

// String returns the parameter's name, or its number.
func (c ParamCode) String() string { return name(paramNames, c) }

// String returns the return code's name, or its number.
func (c ReturnCode) String() string { return name(returnNames, c) }

var opNames = map[OpCode]string{
	OpJoin: "Join", OpLeave: "Leave", OpRaiseEvent: "RaiseEvent", OpSetProperties: "SetProperties",
	OpGetProperties: "GetProperties", OpChangeGroups: "ChangeGroups", OpAuthenticateOnce: "AuthenticateOnce",
	OpAuthenticate: "Authenticate", OpJoinLobby: "JoinLobby", OpLeaveLobby: "LeaveLobby", OpCreateGame: "CreateGame",
	OpJoinGame: "JoinGame", OpJoinRandomGame: "JoinRandomGame", OpFindFriends: "FindFriends",
	OpGetLobbyStats: "GetLobbyStats", OpGetRegions: "GetRegions", OpWebRPC: "WebRpc",
	OpServerSettings: "ServerSettings", OpGetGameList: "GetGameList",
}

var eventNames = map[EventCode]string{
	EventAuth: "AuthEvent", EventLobbyStats: "LobbyStats", EventAppStats: "AppStats",
	EventGameListUpdate: "GameListUpdate", EventGameList: "GameList", EventCacheSliceChanged: "CacheSliceChanged",
	EventErrorInfo: "ErrorInfo", EventDisconnect: "Disconnect", EventPropertiesChanged: "PropertiesChanged",
	EventLeave: "Leave", EventJoin: "Join",
}

var paramNames = map[ParamCode]string{
	ParamRoomName: "RoomName", ParamActorNr: "ActorNr", ParamTargetActorNr: "TargetActorNr", ParamActorList: "ActorList",
	ParamProperties: "Properties", ParamBroadcast: "Broadcast", ParamPlayerProperties: "PlayerProperties",
	ParamGameProperties: "GameProperties", ParamCache: "Cache", ParamReceiverGroup: "ReceiverGroup", ParamData: "Data",
	ParamEventCode: "Code", ParamCleanupCacheOnLeave: "CleanupCacheOnLeave", ParamGroup: "Group",
	ParamRemove: "Remove/PublishUserId", ParamAdd: "Add/ExpectedUsers", ParamSuppressRoomEvents: "SuppressRoomEvents",
	ParamEmptyRoomTTL: "EmptyRoomTTL", ParamPlayerTTL: "PlayerTTL", ParamWebFlags: "EventForward",
	ParamIsInactive: "IsInactive", ParamCheckUserOnJoin: "CheckUserOnJoin", ParamExpectedValues: "ExpectedValues",
	ParamAddress: "Address", ParamPeerCount: "PeerCount", ParamGameCount: "GameCount",
	ParamMasterPeerCount: "MasterPeerCount", ParamUserID: "UserId", ParamApplicationID: "ApplicationId",
	ParamMatchMakingType: "MatchMakingType", ParamGameList: "GameList", ParamToken: "Token", ParamAppVersion: "AppVersion",
	ParamInfo: "Info", ParamClientAuthenticationType: "ClientAuthenticationType",
	ParamClientAuthenticationParams: "ClientAuthenticationParams", ParamJoinMode: "JoinMode",
	ParamClientAuthenticationData: "ClientAuthenticationData", ParamLobbyName: "LobbyName", ParamLobbyType: "LobbyType",
	ParamLobbyStats: "LobbyStats", ParamRegion: "Region", ParamURIPath: "UriPath", ParamWebRPCParameters: "WebRpcParameters",
	ParamWebRPCReturnCode: "WebRpcReturnCode", ParamWebRPCReturnMessage: "WebRpcReturnMessage",
	ParamCacheSliceIndex: "CacheSliceIndex", ParamPlugins: "Plugins", ParamMasterClientID: "MasterClientId",
	ParamNickName: "NickName", ParamPluginName: "PluginName", ParamPluginVersion: "PluginVersion", ParamCluster: "Cluster",
	ParamExpectedProtocol: "ExpectedProtocol", ParamEncryptionMode: "EncryptionMode", ParamEncryptionData: "EncryptionData",
	ParamRoomOptionFlags: "RoomOptionFlags", ParamTicket: "Ticket", ParamAllowRepeats: "AllowRepeats",
	ParamFindFriendsOptions: "FindFriendsOptions", ParamFindFriendsUsers: "FindFriendsUsers",
	ParamReceiveLobbyStats: "ReceiveLobbyStats",
}

var returnNames = map[ReturnCode]string{
	ReturnOk: "Ok", ReturnInternalServerError: "InternalServerError", ReturnInvalidOperation: "InvalidOperation",
	ReturnOperationNotAllowedInCurrentState: "OperationNotAllowedInCurrentState",
	ReturnInvalidAuthentication:             "InvalidAuthentication", ReturnGameIDAlreadyExists: "GameIdAlreadyExists",
	ReturnGameFull: "GameFull", ReturnGameClosed: "GameClosed", ReturnServerFull: "ServerFull",
	ReturnUserBlocked: "UserBlocked", ReturnNoRandomMatchFound: "NoRandomMatchFound",
	ReturnGameDoesNotExist: "GameDoesNotExist", ReturnMaxCcuReached: "MaxCcuReached", ReturnInvalidRegion: "InvalidRegion",
	ReturnCustomAuthenticationFailed:     "CustomAuthenticationFailed",
	ReturnAuthenticationTicketExpired:    "AuthenticationTicketExpired",
	ReturnPluginReportedError:            "PluginReportedError",
	ReturnPluginMismatch:                 "PluginMismatch",
	ReturnJoinFailedPeerAlreadyJoined:    "JoinFailedPeerAlreadyJoined",
	ReturnJoinFailedFoundInactiveJoiner:  "JoinFailedFoundInactiveJoiner",
	ReturnJoinFailedWithRejoinerNotFound: "JoinFailedWithRejoinerNotFound",
	ReturnJoinFailedFoundExcludedUserID:  "JoinFailedFoundExcludedUserId",
	ReturnJoinFailedFoundActiveJoiner:    "JoinFailedFoundActiveJoiner",
	ReturnHTTPLimitReached:               "HttpLimitReached",
	ReturnExternalHTTPCallFailed:         "ExternalHttpCallFailed",
	ReturnOperationLimitReached:          "OperationLimitReached",
	ReturnSlotError:                      "SlotError",
	ReturnInvalidEncryptionParameters:    "InvalidEncryptionParameters",
}

// Known says whether some server has this operation.
func (c OpCode) Known() bool { _, ok := opNames[c]; return ok }
