package host

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/room"
)

var _ plugin.Host = (*Host)(nil)

// GameID implements plugin.Host.
func (h *Host) GameID() string { return h.opt.GameID }

// Environment implements plugin.Host.
func (h *Host) Environment() plugin.Environment { return h.opt.Environment }

// Context implements plugin.Host.
func (h *Host) Context() context.Context { return h.ctx }

// Suspended implements plugin.Host.
func (h *Host) Suspended() bool { return h.suspended.Load() }

// initialised says whether the room is one that a plugin can work with.
func (h *Host) initialised() error {
	if err := h.check(); err != nil {
		return err
	}
	if h.room == nil || !h.room.Open() && !h.room.Ending() || h.creating != nil {
		return plugin.ErrNotInitialised
	}
	return nil
}

// Properties implements plugin.Host.
func (h *Host) Properties() *plugin.Table {
	if h.initialised() != nil {
		return plugin.NewTable()
	}
	return h.shownTable(h.room.Properties())
}

// LobbyProperties implements plugin.Host.
func (h *Host) LobbyProperties() map[string]any {
	all := map[string]any{}
	if h.initialised() != nil {
		return all
	}
	for _, p := range h.room.LobbyProperties() {
		if key, ok := p.Key.(string); ok {
			all[key] = p.Value
		}
	}
	return all
}

// Actors implements plugin.Host.
func (h *Host) Actors() []plugin.Actor {
	return h.actors(func(*room.ActorInfo) bool { return true })
}

// ActiveActors implements plugin.Host.
func (h *Host) ActiveActors() []plugin.Actor {
	return h.actors(func(a *room.ActorInfo) bool { return a.Active })
}

// InactiveActors implements plugin.Host.
func (h *Host) InactiveActors() []plugin.Actor {
	return h.actors(func(a *room.ActorInfo) bool { return !a.Active })
}

func (h *Host) actors(wanted func(*room.ActorInfo) bool) []plugin.Actor {
	if h.initialised() != nil {
		return nil
	}
	var list []plugin.Actor
	for _, a := range h.room.Actors() {
		if wanted(&a) {
			list = append(list, h.actor(&a))
		}
	}
	return list
}

// Actor implements plugin.Host.
func (h *Host) Actor(nr int32) (plugin.Actor, bool) {
	if h.initialised() != nil {
		return plugin.Actor{}, false
	}
	a, ok := h.room.Actor(nr)
	if !ok {
		return plugin.Actor{}, false
	}
	return h.actor(&a), true
}

func (h *Host) actor(a *room.ActorInfo) plugin.Actor {
	out := plugin.Actor{
		ActorNr: a.Nr, UserID: a.UserID, Nickname: a.Nickname, IsActive: a.Active,
		Properties: h.shownTable(plugin.NewTable(a.Properties...)), AuthCookie: h.cookies[a.Nr].values(),
	}
	if !a.Active {
		out.DeactivationTime = time.Now().Add(a.Inactive - h.opt.Now()).UTC()
	}
	return out
}

// MasterClientID implements plugin.Host.
func (h *Host) MasterClientID() int32 {
	if h.initialised() != nil {
		return 0
	}
	return h.room.MasterClientID()
}

// BroadcastEvent implements plugin.Host.
func (h *Host) BroadcastEvent(e plugin.Event) error {
	if err := h.initialised(); err != nil {
		return err
	}
	if _, ok := h.room.Actor(e.Sender); !ok && e.Sender != 0 {
		h.log().Error().Int32("sender", e.Sender).Uint8("code", e.Code).Msg("plugin's event has a sender that is not in the room; it is not sent")
		return plugin.ErrNoSuchActor
	}
	out := &room.Emission{Sender: e.Sender, Delivery: photon.Delivery{Channel: e.Send.Channel, Mode: mode(e.Send), Encrypt: e.Send.Encrypt}}
	out.Code, out.Caching, out.Group = photon.EventCode(e.Code), e.Cache, e.Group
	switch e.Target {
	case plugin.Others:
		out.Receivers = photon.ReceiverOthers
	case plugin.MasterClient:
		out.Receivers = photon.ReceiverMasterClient
	default:
		out.Receivers = photon.ReceiverAll
	}
	if e.To != nil {
		out.Actors, out.HasActors = slices.Clone(e.To), true
	}
	data := e.Data
	if e.Params != nil {
		data = e.Params[byte(photon.ParamData)]
		if sender, ok := e.Params[byte(photon.ParamActorNr)]; !ok || sender != any(e.Sender) || len(e.Params) != 2 {
			for _, code := range slices.Sorted(maps.Keys(e.Params)) {
				v, err := h.wire(e.Params[code])
				if err != nil {
					return err
				}
				out.Params = append(out.Params, photon.Param(photon.ParamCode(code), v))
			}
			if out.Params == nil {
				out.Params = photon.Params{}
			}
		}
	}
	if data != nil {
		v, err := plugin.ToWire(data, h.unknown)
		if err != nil {
			return err
		}
		if out.Content, err = photon.ContentOf(v); err != nil {
			return err
		}
		out.HasContent = true
	}
	return outcome(h.room.Emit(out))
}

func mode(s plugin.SendOptions) photon.DeliveryMode {
	switch {
	case s.Unreliable && s.Unsequenced:
		return photon.UnreliableUnsequenced
	case s.Unreliable:
		return photon.Unreliable
	case s.Unsequenced:
		return photon.ReliableUnsequenced
	}
	return photon.Reliable
}

// BroadcastErrorInfo implements plugin.Host.
func (h *Host) BroadcastErrorInfo(message string) error {
	if err := h.initialised(); err != nil {
		return err
	}
	h.room.ErrorInfo(message)
	return nil
}

// SetProperties implements plugin.Host.
func (h *Host) SetProperties(actorNr int32, t *plugin.Table, opt plugin.SetOptions) (bool, error) {
	if err := h.initialised(); err != nil {
		return false, err
	}
	set := &room.PropertiesRequest{ActorNr: actorNr, Broadcast: opt.Broadcast}
	var err error
	if set.Properties, err = h.wireTable(t); err != nil {
		return false, err
	}
	if set.Expected, err = h.wireTable(opt.Expected); err != nil {
		return false, err
	}
	if set.Properties == nil {
		set.Properties = plugin.NewTable()
	}
	if _, ok := h.room.Actor(actorNr); !ok && actorNr != 0 {
		return false, plugin.ErrNoSuchActor
	}
	if err := h.room.Set(set); err != nil {
		return false, outcome(err)
	}
	return true, nil
}

// RemoveActor implements plugin.Host.
func (h *Host) RemoveActor(nr int32, reason plugin.RemoveReason, detail string) bool {
	if h.initialised() != nil {
		return false
	}
	text := detail
	if text == "" {
		text = "removed from the room by its plugin"
	}
	return h.room.Remove(h.opt.Now(), nr, room.Removal{Exclude: true, Reason: byte(reason), Code: photon.ReturnPluginReportedError, Text: text})
}

// CloseRoom implements plugin.Host. Not at once: what is under way in the room
// would find it closed in its middle.
func (h *Host) CloseRoom(text string) bool {
	if h.initialised() != nil || h.room.Ending() {
		return false
	}
	return h.Enqueue(func() {
		if h.room.Open() {
			h.room.Close(h.opt.Now(), photon.ReturnPluginReportedError, text)
		}
	})
}

// ExecuteCacheOperation implements plugin.Host.
func (h *Host) ExecuteCacheOperation(op plugin.CacheOperation) error {
	if err := h.initialised(); err != nil {
		return err
	}
	ev := &room.Raised{
		Code: photon.EventCode(op.EventCode), Caching: op.Op, Receivers: photon.ReceiverAll,
		Slice: op.SliceIndex, HasSlice: true,
	}
	if op.Op == photon.RemoveFromRoomCache && op.Actors != nil {
		ev.Actors, ev.HasActors = slices.Clone(op.Actors), true
	}
	if op.Data != nil {
		v, err := plugin.ToWire(op.Data, h.unknown)
		if err != nil {
			return err
		}
		if ev.Content, err = photon.ContentOf(v); err != nil {
			return err
		}
		ev.HasContent = true
	}
	return outcome(h.room.ChangeCache(op.ActorNr, ev))
}

// UpdateAuthCookie implements plugin.Host.
func (h *Host) UpdateAuthCookie(nr int32, key string, value any) error {
	if err := h.initialised(); err != nil {
		return err
	}
	if _, ok := h.room.Actor(nr); !ok {
		return plugin.ErrNoSuchActor
	}
	c := h.cookies[nr]
	if c == nil {
		c = &cookie{}
		if h.cookies == nil {
			h.cookies = map[int32]*cookie{}
		}
		h.cookies[nr] = c
	}
	m := c.values()
	switch {
	case value == nil:
		delete(m, key)
	case m == nil:
		c.m = map[string]any{key: value}
	default:
		m[key] = value
	}
	return nil
}

// State implements plugin.Host.
func (h *Host) State() (plugin.GameState, error) {
	if err := h.initialised(); err != nil {
		return nil, err
	}
	s, lost := h.room.State(h.opt.Now(), time.Now())
	if lost > 0 {
		h.log().Warn().Int("values", lost).Msg("the saved state lacks values that its format can't hold")
	}
	return json.Marshal(s)
}

// SetState implements plugin.Host.
func (h *Host) SetState(state plugin.GameState) error {
	if err := h.check(); err != nil {
		return err
	}
	if h.creating == nil || h.room == nil {
		return plugin.ErrNotAllowed
	}
	var s room.State
	err := json.Unmarshal(state, &s)
	if err == nil {
		err = h.room.SetState(h.opt.Now(), time.Now(), &s)
	}
	if err != nil {
		h.report(plugin.SetStateFailed, err, nil)
		return fmt.Errorf("%w: %s", plugin.ErrBadState, strings.TrimPrefix(err.Error(), "room: "))
	}
	return nil
}

// Enqueue implements plugin.Host.
func (h *Host) Enqueue(f func()) bool {
	if h.ctx.Err() != nil {
		return false
	}
	return h.opt.Post(f)
}
