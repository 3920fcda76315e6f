package guest

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// host is a room as its plugin sees it: a plugin.Host over host calls.
type host struct {
	room    *room
	handle  int64
	ctx     context.Context
	gameID  string
	env     plugin.Environment
	logger  *slog.Logger
	unknown func(any) (any, bool)

	lastID int64
	later  map[int64]func(*abi.Reader) // what runs when the server comes back with a number

	names map[int32]actorNames
}

// shared is memory for one host call or one event at a time: there is one thread
// here, and what is in it is over when the server has it. Rooms can be many.
var shared struct {
	args, now abi.Table
	fields    []gpbinary.Field
}

// call makes a host call about c, or about the room if c is nil. t may be nil.
func (h *host) call(op abi.Op, c *call, t *abi.Table) ([]byte, error) {
	var id int64
	if c != nil {
		id = c.id
	}
	return hostCall(op, h.handle, id, t)
}

// table returns an empty table for arguments.
func (h *host) table() *abi.Table {
	shared.args.Reset()
	shared.args.Unknown = h.unknown
	return &shared.args
}

// do is call where nothing comes back.
func (h *host) do(op abi.Op, c *call, t *abi.Table) error {
	_, err := h.call(op, c, t)
	return err
}

// query is call with a table as result.
func (h *host) query(op abi.Op, c *call, t *abi.Table) (*abi.Reader, error) {
	b, err := h.call(op, c, t)
	if err != nil {
		return nil, err
	}
	q := &abi.Reader{Request: &photon.Request{}}
	return q, abi.Parse(b, q.Request)
}

func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxText)], "?") }

// GameID implements plugin.Host, like all that follows.
func (h *host) GameID() string { return h.gameID }

func (h *host) Environment() plugin.Environment { return h.env }

func (h *host) Properties() *plugin.Table {
	q, err := h.query(abi.OpProperties, nil, nil)
	if err != nil {
		return plugin.NewTable()
	}
	if t := q.Table(photon.ParamProperties); t != nil {
		return t
	}
	return plugin.NewTable()
}

func (h *host) LobbyProperties() map[string]any {
	q, err := h.query(abi.OpLobbyProperties, nil, nil)
	if err != nil {
		return nil
	}
	return q.Map(photon.ParamProperties)
}

func (h *host) Actors() []plugin.Actor { return h.actors(nil) }

func (h *host) ActiveActors() []plugin.Actor { return h.some(true) }

func (h *host) InactiveActors() []plugin.Actor { return h.some(false) }

func (h *host) some(active bool) []plugin.Actor {
	var out []plugin.Actor
	for _, a := range h.Actors() {
		if a.IsActive == active {
			out = append(out, a)
		}
	}
	return out
}

func (h *host) Actor(actorNr int32) (plugin.Actor, bool) {
	t := h.table()
	t.Int(photon.ParamActorNr, actorNr)
	if list := h.actors(t); len(list) == 1 {
		return list[0], true
	}
	return plugin.Actor{}, false
}

func (h *host) actors(t *abi.Table) []plugin.Actor {
	q, err := h.query(abi.OpActors, nil, t)
	if err != nil {
		return nil
	}
	list, _ := q.Any(abi.KeyActors).(gpbinary.ObjectArray)
	out := make([]plugin.Actor, 0, len(list))
	for _, e := range list {
		entry, _ := e.(*plugin.Table)
		get := func(k photon.ParamCode) any { v, _ := entry.Get(byte(k)); return v }
		a := plugin.Actor{IsActive: true}
		a.ActorNr, _ = get(photon.ParamActorNr).(int32)
		a.UserID, _ = get(photon.ParamUserID).(string)
		a.Nickname, _ = get(photon.ParamNickName).(string)
		if inactive, _ := get(photon.ParamIsInactive).(bool); inactive {
			a.IsActive = false
		}
		a.Properties, _ = get(photon.ParamPlayerProperties).(*plugin.Table)
		a.AuthCookie, _ = abi.ToJSON(get(abi.KeyAuthCookie)).(map[string]any)
		if ms, ok := get(abi.KeyInactive).(int64); ok {
			a.DeactivationTime = time.UnixMilli(ms).UTC()
		}
		out = append(out, a)
	}
	return out
}

func (h *host) MasterClientID() int32 {
	q, err := h.query(abi.OpInfo, nil, nil)
	if err != nil {
		return 0
	}
	return q.Number(photon.ParamMasterClientID)
}

func (h *host) Suspended() bool {
	q, err := h.query(abi.OpInfo, nil, nil)
	return err == nil && q.Flag(abi.KeySuspended)
}

func (h *host) BroadcastEvent(e plugin.Event) error {
	t := h.table()
	t.Number(photon.ParamEventCode, int32(e.Code))
	if e.Params != nil {
		t.Params(abi.KeyParams, e.Params)
	} else if e.Data != nil {
		t.Value(photon.ParamData, e.Data)
	}
	t.Number(photon.ParamActorNr, e.Sender)
	if e.To != nil {
		t.Value(photon.ParamActorList, e.To)
	}
	t.Int(photon.ParamReceiverGroup, int32(e.Target.Wire()))
	t.Number(photon.ParamGroup, int32(e.Group))
	t.Number(photon.ParamCache, int32(e.Cache))
	t.Number(abi.KeyChannel, int32(e.Send.Channel))
	t.Bool(abi.KeyUnreliable, e.Send.Unreliable)
	t.Bool(abi.KeyUnsequenced, e.Send.Unsequenced)
	t.Bool(abi.KeyEncrypt, e.Send.Encrypt)
	return h.do(abi.OpBroadcastEvent, nil, t)
}

func (h *host) BroadcastErrorInfo(message string) error {
	t := h.table()
	t.String(abi.KeyMessage, message)
	return h.do(abi.OpErrorInfo, nil, t)
}

func (h *host) SetProperties(actorNr int32, properties *plugin.Table, opt plugin.SetOptions) (bool, error) {
	t := h.table()
	t.Number(photon.ParamActorNr, actorNr)
	t.Table(photon.ParamProperties, properties)
	t.Table(photon.ParamExpectedValues, opt.Expected)
	t.Bool(photon.ParamBroadcast, opt.Broadcast)
	q, err := h.query(abi.OpSetProperties, nil, t)
	return err == nil && q.Flag(abi.KeyDone), err
}

func (h *host) RemoveActor(actorNr int32, reason plugin.RemoveReason, detail string) bool {
	t := h.table()
	t.Number(photon.ParamActorNr, actorNr)
	t.Number(abi.KeyReason, int32(reason))
	t.Text(abi.KeyDetails, cut(detail))
	q, err := h.query(abi.OpRemoveActor, nil, t)
	return err == nil && q.Flag(abi.KeyDone)
}

func (h *host) CloseRoom(text string) bool {
	t := h.table()
	t.Text(abi.KeyMessage, cut(text))
	q, err := h.query(abi.OpCloseRoom, nil, t)
	return err == nil && q.Flag(abi.KeyDone)
}

func (h *host) ExecuteCacheOperation(op plugin.CacheOperation) error {
	t := h.table()
	t.Number(photon.ParamCache, int32(op.Op))
	if op.Actors != nil {
		t.Value(photon.ParamActorList, op.Actors)
	}
	t.Number(photon.ParamCacheSliceIndex, op.SliceIndex)
	if op.Data != nil {
		t.Value(photon.ParamData, op.Data)
	}
	t.Number(photon.ParamActorNr, op.ActorNr)
	t.Number(photon.ParamEventCode, int32(op.EventCode))
	return h.do(abi.OpCacheOperation, nil, t)
}

func (h *host) UpdateAuthCookie(actorNr int32, key string, value any) error {
	t := h.table()
	t.Number(photon.ParamActorNr, actorNr)
	t.String(abi.KeyKey, key)
	t.Value(abi.KeyValue, abi.FromJSON(value))
	return h.do(abi.OpUpdateAuthCookie, nil, t)
}

func (h *host) State() (plugin.GameState, error) { return h.call(abi.OpState, nil, nil) }

func (h *host) SetState(s plugin.GameState) error {
	_, err := hostCallBytes(abi.OpSetState, h.handle, 0, s)
	return err
}

func (h *host) Logger() *slog.Logger { return h.logger }

func (h *host) Context() context.Context { return h.ctx }
