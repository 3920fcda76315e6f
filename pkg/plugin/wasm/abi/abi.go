// Package abi is what plugins in WebAssembly and the server say to each other,
// boson_v1 (docs/wasm-plugins.md): numbers, and the forms of arguments and results.
// The server (package wasm) and the Go SDK (package guest) share it.
//
// Every structured argument and result is a parameter table of GpBinary V18, the
// body of a Photon message: a byte with the number of entries, then for each a byte
// as key and a typed value. V18 because today's clients speak it, so that the
// content of their events passes as it came, and because it has more types than
// V16. Keys are those of Photon's parameters where there is one for the purpose;
// numbers below 100 are ours.
package abi

import (
	"errors"
	"fmt"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
)

// Version is what the guest's export boson_abi returns.
const Version = 1

// Module is the module from which guests import host_call, result, log and now_ms.
const Module = "boson_v1"

// Names of the guest's exports.
const (
	ExportABI   = "boson_abi"   // () i32: Version
	ExportAlloc = "boson_alloc" // (n i32) i32: a buffer for arguments, kept until boson_free or for good
	ExportFree  = "boson_free"  // (ptr i32): optional
	ExportHook  = "boson_hook"  // (hook i32, room i64, call i64, ptr i32, len i32) i32: an Action
)

// Hook says why the guest is called.
type Hook int32

// The hooks. The callbacks are asked with a call that is to be decided, the others
// with call 0.
const (
	OnCreateGame         Hook = 1
	BeforeJoin           Hook = 2
	OnJoin               Hook = 3
	OnLeave              Hook = 4
	OnRaiseEvent         Hook = 5
	BeforeSetProperties  Hook = 6
	OnSetProperties      Hook = 7
	BeforeCloseGame      Hook = 8
	OnCloseGame          Hook = 9
	OnTimer              Hook = 20 // KeyID
	OnHTTP               Hook = 21 // KeyID and the response
	OnEnqueued           Hook = 22 // KeyID
	OnMasterClientChange Hook = 23 // KeyOld, KeyNew
	OnReportError        Hook = 24 // KeyErrorCode, KeyMessage; call is the one in question, or 0
	Setup                Hook = 30 // KeyName, KeyConfig, the room's id and environment
	Dispose              Hook = 31 // the room is gone
)

// Action is what the guest wants done with a call that it did not decide by a
// host call.
type Action int32

// The actions.
const (
	None     Action = 0  // nothing, or it was decided by a host call; the answer of hooks without a call
	Continue Action = 1  // with the request as it came
	Cancel   Action = 2  // where the call allows it
	Defer    Action = 3  // where the call allows it
	Trouble  Action = -1 // the plugin failed; OpTrouble said why
)

// Op is what the guest wants from the host: host_call(op i32, room i64, call i64,
// ptr i32, len i32, out i32, cap i32) i64. The arguments are at ptr. Up to cap
// bytes of the result go to out; the return value is the result's whole length,
// and result(out i32, cap i32) fetches a result that was longer. A negative value
// is an ErrorCode with the opposite sign; then the result is a text, of Refused
// a table.
type Op int32

// The operations.
const (
	// Of a call. Errors: those of plugin.Call.
	OpContinue   Op = 1 // what changed in the request; null: removed
	OpFail       Op = 2 // KeyReturnCode (absent: 32752), KeyMessage, ParamData: Hashtable with byte keys
	OpCancel     Op = 3
	OpDefer      Op = 4
	OpMisused    Op = 5 // the guest noticed a second decision
	OpAuthCookie Op = 6 // result: KeyAuthCookie
	OpOperation  Op = 7 // result: the client's parameters as they came

	// Of the room.
	OpBroadcastEvent   Op = 10
	OpSetProperties    Op = 11 // result: KeyDone
	OpRemoveActor      Op = 12 // result: KeyDone
	OpCacheOperation   Op = 13
	OpErrorInfo        Op = 14 // KeyMessage
	OpUpdateAuthCookie Op = 15
	OpCloseRoom        Op = 16 // KeyMessage; result: KeyDone
	OpProperties       Op = 20 // result: ParamProperties
	OpActors           Op = 21 // ParamActorNr for one; result: KeyActors
	OpInfo             Op = 22 // result: ParamMasterClientID, KeySuspended
	OpLobbyProperties  Op = 23 // result: ParamProperties

	// Callbacks. KeyID is the guest's own number for one, and comes back with it.
	OpTimer     Op = 30 // KeyDelay, KeyInterval; with a call: deferred
	OpStopTimer Op = 31
	OpHTTP      Op = 40 // with a call: deferred
	OpEnqueue   Op = 41 // the only one that may name a room other than the current

	// State: argument or result is JSON, not a table.
	OpState    Op = 50
	OpSetState Op = 51

	// Of the guest.
	OpDescribe Op = 60 // inside Setup: KeyName, KeyVersion, KeyFlags, KeyHooks, KeyEvents
	OpTrouble  Op = 61 // KeyMessage: why the hook returns Trouble
)

// Keys of our own, beside Photon's parameters.
const (
	KeyIsJoin            photon.ParamCode = 1
	KeyCreateIfNotExists photon.ParamCode = 2
	KeyCreateOptions     photon.ParamCode = 3
	KeyReason            photon.ParamCode = 5
	KeyDetails           photon.ParamCode = 6
	KeyFailedOnCreate    photon.ParamCode = 7
	KeyActorCount        photon.ParamCode = 8
	KeyPublishCache      photon.ParamCode = 9
	KeyPublishJoinEvents photon.ParamCode = 10
	KeyExtraParameters   photon.ParamCode = 11
	KeyOperation         photon.ParamCode = 12 // code of the operation of the client that waits
	KeyAuthCookie        photon.ParamCode = 13
	KeyIsLeave           photon.ParamCode = 14 // the client asked to leave: there is a request

	KeyActorNr photon.ParamCode = 15 // the actor that a call is about; ParamActorNr is in its request

	KeyName        photon.ParamCode = 20
	KeyVersion     photon.ParamCode = 21
	KeyConfig      photon.ParamCode = 22
	KeyFlags       photon.ParamCode = 23
	KeyHooks       photon.ParamCode = 24
	KeyEvents      photon.ParamCode = 25 // byte[]: from, to, from, to
	KeyEnvironment photon.ParamCode = 26 // dictionary string to string
	KeyCloud       photon.ParamCode = 27

	KeyMessage    photon.ParamCode = 30
	KeyReturnCode photon.ParamCode = 31
	KeyErrorCode  photon.ParamCode = 32
	KeyDone       photon.ParamCode = 33
	KeyOld        photon.ParamCode = 34
	KeyNew        photon.ParamCode = 35
	KeySuspended  photon.ParamCode = 36
	KeyActors     photon.ParamCode = 37

	KeyParams      photon.ParamCode = 41 // Hashtable with byte keys
	KeyChannel     photon.ParamCode = 42
	KeyUnreliable  photon.ParamCode = 43
	KeyUnsequenced photon.ParamCode = 44
	KeyEncrypt     photon.ParamCode = 45
	KeyCacheOption photon.ParamCode = 46

	KeyID       photon.ParamCode = 50
	KeyDelay    photon.ParamCode = 51 // ms
	KeyInterval photon.ParamCode = 52 // ms

	KeyURL         photon.ParamCode = 60
	KeyMethod      photon.ParamCode = 61
	KeyAccept      photon.ParamCode = 62
	KeyContentType photon.ParamCode = 63
	KeyHeaders     photon.ParamCode = 64
	KeyBody        photon.ParamCode = 65
	KeyAsync       photon.ParamCode = 66
	KeyStatus      photon.ParamCode = 67
	KeyHTTPCode    photon.ParamCode = 68

	KeyKey      photon.ParamCode = 70
	KeyValue    photon.ParamCode = 71
	KeyInactive photon.ParamCode = 72 // ms since 1970 at which an actor became inactive
)

// Flags of OpDescribe.
const (
	FlagPersistent = 1 // IsPersistent
	FlagLax        = 2 // StrictMode says false
	FlagStrict     = 4 // StrictMode says true; neither: the configuration decides
	FlagErrors     = 8 // wants OnReportError
	FlagMaster     = 16
)

// ErrorCode says why a host call failed.
type ErrorCode int64

// The error codes.
const (
	Processed      ErrorCode = 1
	NotAllowed     ErrorCode = 2
	WrongRoom      ErrorCode = 3
	RoomClosed     ErrorCode = 4
	NotInitialised ErrorCode = 5
	BadState       ErrorCode = 6
	NoSuchActor    ErrorCode = 7
	TooManyTimers  ErrorCode = 8
	Refused        ErrorCode = 9 // result: KeyReturnCode, KeyMessage
	Failed         ErrorCode = 10
	BadArgument    ErrorCode = 11
	NoSuchCall     ErrorCode = 12
)

// ErrArgument says that an argument can't be read.
var ErrArgument = errors.New("plugin: bad argument")

var codes = []struct {
	code ErrorCode
	err  error
}{
	{Processed, plugin.ErrProcessed},
	{NotAllowed, plugin.ErrNotAllowed},
	{WrongRoom, plugin.ErrGoroutine},
	{RoomClosed, plugin.ErrRoomClosed},
	{NotInitialised, plugin.ErrNotInitialised},
	{BadState, plugin.ErrBadState},
	{NoSuchActor, plugin.ErrNoSuchActor},
	{TooManyTimers, plugin.ErrTooManyTimers},
	{BadArgument, ErrArgument},
}

// CodeOf returns an error's code.
func CodeOf(err error) ErrorCode {
	if refused := (*plugin.RefusedError)(nil); errors.As(err, &refused) {
		return Refused
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return Failed
}

// ErrorOf returns the error of a code and the text that came with it.
func ErrorOf(code ErrorCode, text string) error {
	for _, c := range codes {
		if c.code != code {
			continue
		}
		if text == "" || text == c.err.Error() {
			return c.err
		}
		return &hostError{text, c.err}
	}
	if text == "" {
		return fmt.Errorf("plugin: host error %d", code)
	}
	return errors.New(text)
}

// hostError keeps the host's words and what they mean.
type hostError struct {
	text string
	is   error
}

func (e *hostError) Error() string { return e.text }
func (e *hostError) Unwrap() error { return e.is }
