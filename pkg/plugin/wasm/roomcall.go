package wasm

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// serveRoom does what concerns the room.
func (r *room) serveRoom(op abi.Op, q *abi.Reader, t *abi.Table) error {
	switch op {
	case abi.OpBroadcastEvent:
		e, err := readEvent(q)
		if err != nil {
			return err
		}
		return r.host.BroadcastEvent(e)
	case abi.OpErrorInfo:
		text := q.Text(abi.KeyMessage)
		if q.Err != nil {
			return q.Err
		}
		return r.host.BroadcastErrorInfo(text)
	case abi.OpSetProperties:
		actor, props := q.Number(photon.ParamActorNr), q.Table(photon.ParamProperties)
		opt := plugin.SetOptions{Expected: q.Table(photon.ParamExpectedValues), Broadcast: q.Flag(photon.ParamBroadcast)}
		if q.Err != nil {
			return q.Err
		}
		done, err := r.host.SetProperties(actor, props, opt)
		t.Bool(abi.KeyDone, done)
		return err
	case abi.OpRemoveActor:
		actor, reason, detail := q.Number(photon.ParamActorNr), plugin.RemoveReason(q.Small(abi.KeyReason)), cut(q.Text(abi.KeyDetails), maxText)
		if q.Err != nil {
			return q.Err
		}
		done := r.host.RemoveActor(actor, reason, detail)
		t.Bool(abi.KeyDone, done)
		return nil
	case abi.OpCloseRoom:
		text := cut(q.Text(abi.KeyMessage), maxText)
		if q.Err != nil {
			return q.Err
		}
		t.Bool(abi.KeyDone, r.host.CloseRoom(text))
		return nil
	case abi.OpCacheOperation:
		c := plugin.CacheOperation{
			Op: plugin.CacheOption(q.Small(photon.ParamCache)), Actors: q.Numbers(photon.ParamActorList), SliceIndex: q.Number(photon.ParamCacheSliceIndex),
			Data: raw(q, photon.ParamData), ActorNr: q.Number(photon.ParamActorNr), EventCode: q.Small(photon.ParamEventCode),
		}
		if q.Err != nil {
			return q.Err
		}
		return r.host.ExecuteCacheOperation(c)
	case abi.OpUpdateAuthCookie:
		actor, key, value := q.Number(photon.ParamActorNr), q.Text(abi.KeyKey), abi.ToJSON(q.Any(abi.KeyValue))
		if q.Err != nil {
			return q.Err
		}
		return r.host.UpdateAuthCookie(actor, key, value)
	case abi.OpProperties:
		t.Table(photon.ParamProperties, r.host.Properties())
	case abi.OpLobbyProperties:
		t.Map(photon.ParamProperties, r.host.LobbyProperties())
	case abi.OpActors:
		actors := r.actors(q)
		if q.Err != nil {
			return q.Err
		}
		t.Value(abi.KeyActors, actors)
	case abi.OpInfo:
		t.Number(photon.ParamMasterClientID, r.host.MasterClientID())
		t.Bool(abi.KeySuspended, r.host.Suspended())
	default:
		return badArgument("no operation %d", op)
	}
	return nil
}

// raw returns a copy of a typed value, undecoded, as a plugin may use it for a
// value; nil if it is absent.
func raw(q *abi.Reader, k photon.ParamCode) any {
	b, ok := q.Raw(k)
	if !ok {
		return nil
	}
	return gpbinary.Raw{Version: gpbinary.V18, Bytes: slices.Clone(b)}
}

func readEvent(q *abi.Reader) (plugin.Event, error) {
	e := plugin.Event{
		Code:   q.Small(photon.ParamEventCode),
		Data:   raw(q, photon.ParamData),
		Params: q.Params(abi.KeyParams, true),
		Sender: q.Number(photon.ParamActorNr),
		To:     q.Numbers(photon.ParamActorList),
		Group:  q.Small(photon.ParamGroup),
		Cache:  plugin.CacheOption(q.Small(photon.ParamCache)),
		Send: plugin.SendOptions{
			Channel: q.Small(abi.KeyChannel), Unreliable: q.Flag(abi.KeyUnreliable), Unsequenced: q.Flag(abi.KeyUnsequenced), Encrypt: q.Flag(abi.KeyEncrypt),
		},
	}
	if wire, ok, err := q.Byte(photon.ParamReceiverGroup); err != nil {
		return e, badArgument("%v", err)
	} else if ok {
		if e.Target, ok = plugin.TargetOf(wire); !ok {
			return e, badArgument("no target %d", wire)
		}
	}
	return e, q.Err
}

// actors lists all actors, or one, as tables with Photon's parameter codes as keys.
func (r *room) actors(q *abi.Reader) gpbinary.ObjectArray {
	nr, one, err := q.Int32(photon.ParamActorNr)
	if err != nil {
		q.Err = badArgument("%v", err)
		return nil
	}
	list := gpbinary.ObjectArray{}
	add := func(a plugin.Actor) {
		entry := plugin.NewTable(
			plugin.Pair{Key: byte(photon.ParamActorNr), Value: a.ActorNr},
			plugin.Pair{Key: byte(photon.ParamUserID), Value: a.UserID},
			plugin.Pair{Key: byte(photon.ParamNickName), Value: a.Nickname},
			plugin.Pair{Key: byte(photon.ParamIsInactive), Value: !a.IsActive},
		)
		if a.Properties != nil {
			entry.Set(byte(photon.ParamPlayerProperties), a.Properties)
		}
		if a.AuthCookie != nil {
			entry.Set(byte(abi.KeyAuthCookie), abi.FromJSON(a.AuthCookie))
		}
		if !a.DeactivationTime.IsZero() {
			entry.Set(byte(abi.KeyInactive), a.DeactivationTime.UnixMilli())
		}
		list = append(list, entry)
	}
	if one {
		if a, ok := r.host.Actor(nr); ok {
			add(a)
		}
		return list
	}
	for _, a := range r.host.Actors() {
		add(a)
	}
	return list
}

// serveLater does what ends in a callback. id is the guest's own number for it.
func (r *room) serveLater(op abi.Op, call int64, q *abi.Reader) error {
	id, gen := q.Long(abi.KeyID), r.gen
	switch op {
	case abi.OpEnqueue:
		if q.Err != nil {
			return q.Err
		}
		if !r.host.Enqueue(func() { r.callback(gen, abi.OnEnqueued, id, nil) }) {
			return plugin.ErrRoomClosed
		}
		return nil
	case abi.OpStopTimer:
		if q.Err != nil {
			return q.Err
		}
		r.timers[id].Stop()
		delete(r.timers, id)
		return nil
	case abi.OpHTTP:
		return r.http(id, call, q)
	}
	delay, interval := millis(q.Long(abi.KeyDelay)), millis(q.Long(abi.KeyInterval))
	if q.Err != nil {
		return q.Err
	}
	if old, ok := r.timers[id]; ok {
		old.Stop() // its number now is another timer's
		delete(r.timers, id)
	}
	once := func() {
		if gen == r.gen {
			delete(r.timers, id)
		}
		r.callback(gen, abi.OnTimer, id, nil)
	}
	var timer *plugin.Timer
	switch {
	case call != 0:
		o, ok := r.find(call)
		if !ok {
			return badArgument("no call %d is open", call)
		}
		timer = r.host.DeferAfter(o.call, delay, once)
		r.keepDeferred(o)
	case interval > 0:
		timer = r.host.Every(delay, interval, func() { r.callback(gen, abi.OnTimer, id, nil) })
	default:
		timer = r.host.AfterFunc(delay, once)
	}
	if timer == nil {
		return plugin.ErrTooManyTimers
	}
	r.timers[id] = timer
	return nil
}

// sweepDeferred: at so many calls, and at each multiple, those are dropped that
// the host has decided because the guest did not.
const sweepDeferred = 1024

// keepDeferred keeps a call that was deferred where it is not open any more.
func (r *room) keepDeferred(o openCall) {
	if !plugin.CallOf(o.call).IsDeferred() {
		return
	}
	if len(r.deferred) > 0 && len(r.deferred)%sweepDeferred == 0 {
		maps.DeleteFunc(r.deferred, func(_ int64, o openCall) bool { return plugin.CallOf(o.call).IsProcessed() })
	}
	r.deferred[o.id] = o
}

// http sends a request.
func (r *room) http(id, call int64, q *abi.Reader) error {
	req := &plugin.HTTPRequest{
		URL: q.Text(abi.KeyURL), Method: q.Text(abi.KeyMethod), Accept: q.Text(abi.KeyAccept), ContentType: q.Text(abi.KeyContentType),
		Headers: q.TextMap(abi.KeyHeaders), Body: q.Blob(abi.KeyBody), Async: q.Flag(abi.KeyAsync),
	}
	if q.Err != nil {
		return q.Err
	}
	gen := r.gen
	req.Callback = func(a *plugin.HTTPResponse, _ any) {
		t := &r.args
		t.Reset()
		t.Number(abi.KeyStatus, int32(a.Status))
		t.Number(abi.KeyHTTPCode, int32(a.HTTPCode))
		t.Text(abi.KeyReason, cut(a.Reason, maxText))
		if a.Body != nil {
			t.Value(abi.KeyBody, a.Body)
		}
		t.Map(abi.KeyHeaders, headers(a.Headers))
		r.callback(gen, abi.OnHTTP, id, t)
	}
	if call != 0 {
		o, ok := r.find(call)
		if !ok {
			return badArgument("no call %d is open", call)
		}
		err := r.host.HTTPFor(o.call, req)
		r.keepDeferred(o)
		return err
	}
	if req.Async {
		return r.host.HTTP(req)
	}
	if r.module.opt.Shared {
		return errSyncShared
	}
	// The guest waits, but not on its own time. Its callback runs inside.
	begin := time.Now()
	err := r.host.HTTP(req)
	r.inst.paused(time.Since(begin))
	return err
}

var errSyncShared = sharedError{}

// sharedError says why a shared instance can't wait. It is ErrNotAllowed.
type sharedError struct{}

func (sharedError) Error() string {
	return "plugin: synchronous HTTP would hold up other rooms of a shared instance: use Async or HTTPFor, or instance: perRoom"
}

func (sharedError) Unwrap() error { return plugin.ErrNotAllowed }

func headers(h map[string][]string) map[string]any {
	if h == nil {
		return nil
	}
	m := make(map[string]any, len(h))
	for k, v := range h {
		m[k] = v
	}
	return m
}

// millis is a duration from a guest, without overflow.
func millis(v int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(v, 0), most)) * time.Millisecond
}

// maxAttributes bounds a log line.
const maxAttributes = 32

func slogLevel(v int32) slog.Level {
	return slog.Level(min(max(v, int32(slog.LevelDebug)), int32(slog.LevelError)))
}

// attributes decodes those of a log line: a dictionary with string keys, whose
// values are texts and numbers.
func (i *instance) attributes(ptr, size uint32) []any {
	b, ok := i.read(ptr, min(size, maxText))
	if !ok || len(b) == 0 {
		return nil
	}
	v, _, err := gpbinary.Decode(gpbinary.V18, b)
	if err != nil {
		return nil
	}
	d, ok := v.(*gpbinary.Dictionary)
	if !ok {
		return nil
	}
	var out []any
	for _, p := range d.Pairs {
		key, ok := p.Key.(string)
		if !ok || len(out) >= 2*maxAttributes {
			break
		}
		out = append(out, slog.Any(key, p.Value))
	}
	return out
}
