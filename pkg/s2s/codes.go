package s2s

import "time"

// AppName is the application that the init request of a link names (cluster.md 12.1).
const AppName = "BosonS2S"

// DefaultPort is the TCP port of the listener.
const DefaultPort = 4520

// ProtocolVersion is spoken by this software: major.minor. Links need the same
// major; parameters and operations that one side does not know are ignored.
const ProtocolVersion = "1.0"

// Op is the code of an operation on a link (cluster.md 12.2 to 12.5).
type Op byte

// Operations.
const (
	OpHello            Op = 1
	OpLoadReport       Op = 2
	OpSnapshotBegin    Op = 3
	OpRoomBatch        Op = 4
	OpRoomRemove       Op = 5
	OpSnapshotEnd      Op = 6
	OpUserDelta        Op = 7
	OpRequestPlacement Op = 8
	OpGoodbye          Op = 9
	OpAuth             Op = 10
	OpForward          Op = 22
	OpPeerStats        Op = 23
	OpMasterUserDelta  Op = 24
	OpReserveRoom      Op = 25
	// OpClaim and OpClaimResult are ours: masters agree on names (docs/architecture.md).
	OpClaim       Op = 26
	OpClaimResult Op = 27
)

// EventCode is the code of an event on a link (cluster.md 12.4).
type EventCode byte

// Events.
const (
	EventRoomReleased EventCode = 101
	EventResync       EventCode = 102
	EventSetState     EventCode = 103
	EventCloseRoom    EventCode = 104
	EventKickUser     EventCode = 105
	EventMasters      EventCode = 106
	EventConfig       EventCode = 107
)

// Return codes of Hello and Auth (cluster.md 12.2).
const (
	ReturnOk           int16 = 0
	ReturnAuthFailed   int16 = 1
	ReturnIncompatible int16 = 2
	ReturnDuplicate    int16 = 3
	ReturnWrongCluster int16 = 4
	ReturnShuttingDown int16 = 5
	// ReturnSelf: a server has reached itself. ReturnOtherDials: of two masters it
	// is the other that dials. Neither is a mistake where all masters share one list
	// of addresses. They are ours.
	ReturnSelf       int16 = 6
	ReturnOtherDials int16 = 7
)

// ReturnUnknown is the answer to an operation that nobody handles, and to one
// with parameters that do not fit.
const ReturnUnknown int16 = -2

// Return codes of ReserveRoom (cluster.md 12.4).
const (
	ReserveOk      int16 = 0
	ReserveRefused int16 = 1
	ReserveExists  int16 = 2
)

// Return codes of Claim.
const (
	ClaimGranted int16 = 0
	ClaimTaken   int16 = 1
)

// requestID is the parameter by which a response finds its request, an int. The
// protocol of clients has no such thing, its responses are told apart by their
// operation. Operations without it expect no response (see Link.Send).
const requestID = 255

// Limits of a link.
const (
	// MaxFrame is the largest frame in bytes (cluster.md 12.1).
	MaxFrame = 4 << 20
	// MaxQueue is how many bytes may wait to be sent; more drop the connection
	// (cluster.md 15, "slow master").
	MaxQueue = 8 << 20
	// maxEarlyFrame is the largest frame before authentication.
	maxEarlyFrame = 8 << 10
	// maxRequests is how many requests of one link may wait for their response.
	maxRequests = 10_000

	pingInterval     = time.Second
	silenceTimeout   = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	writeTimeout     = 5 * time.Second // per writeChunk
	closeTimeout     = time.Second     // for the other side to close after we did
	writeChunk       = 64 << 10
)
