package guest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/abi"
)

// keep remembers a function, and returns the number by which the server asks for it.
func (h *host) keep(f func(*abi.Reader)) int64 {
	h.lastID++
	if h.later == nil {
		h.later = map[int64]func(*abi.Reader){}
	}
	h.later[h.lastID] = f
	return h.lastID
}

func (h *host) AfterFunc(d time.Duration, f func()) *plugin.Timer { return h.timer(nil, d, 0, f) }

func (h *host) Every(first, interval time.Duration, f func()) *plugin.Timer {
	return h.timer(nil, first, max(interval, time.Millisecond), f)
}

func (h *host) DeferAfter(c plugin.Deferrable, d time.Duration, f func()) *plugin.Timer {
	own, err := h.postpone(c)
	if err != nil {
		return nil
	}
	return h.timer(own, d, 0, f)
}

// postpone marks a call as deferred, in the guest.
func (h *host) postpone(c plugin.Deferrable) (*call, error) {
	own := h.room.find(c)
	if own == nil {
		return nil, errors.New("plugin: the call is not this room's, or over")
	}
	own.postponed = true
	return own, plugin.Postpone(c)
}

// find returns the guest's side of a plugin's call.
func (r *room) find(c plugin.Deferrable) *call {
	core := plugin.CallOf(c)
	for n := len(r.open) - 1; n >= 0; n-- {
		if o := r.open[n]; o.call != nil && plugin.CallOf(o.call) == core {
			return o
		}
	}
	for _, o := range r.deferred {
		if plugin.CallOf(o.call) == core {
			return o
		}
	}
	return nil
}

func (h *host) timer(c *call, d, interval time.Duration, f func()) *plugin.Timer {
	var id int64
	id = h.keep(func(*abi.Reader) {
		if interval == 0 {
			delete(h.later, id)
		}
		f()
	})
	t := h.table()
	t.Value(abi.KeyID, id)
	t.Value(abi.KeyDelay, millis(d))
	t.Value(abi.KeyInterval, millis(interval))
	if err := h.do(abi.OpTimer, c, t); err != nil {
		delete(h.later, id)
		return nil
	}
	return plugin.NewTimer(func() {
		if h.later[id] == nil {
			return
		}
		delete(h.later, id)
		t := h.table()
		t.Value(abi.KeyID, id)
		_ = h.do(abi.OpStopTimer, nil, t)
	})
}

// millis rounds up, so that nothing comes too early.
func millis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

func (h *host) HTTP(req *plugin.HTTPRequest) error { return h.http(nil, req, nil) }

func (h *host) HTTPFor(c plugin.Deferrable, req *plugin.HTTPRequest) error {
	own, err := h.postpone(c)
	if err != nil {
		return err
	}
	return h.http(own, req, c)
}

func (h *host) http(c *call, req *plugin.HTTPRequest, asked plugin.Deferrable) error {
	var id int64
	id = h.keep(func(q *abi.Reader) {
		delete(h.later, id)
		if req.Callback != nil {
			req.Callback(response(q, req, asked), req.UserState)
		}
	})
	t := h.table()
	t.Value(abi.KeyID, id)
	t.String(abi.KeyURL, req.URL)
	t.Text(abi.KeyMethod, req.Method)
	t.Text(abi.KeyAccept, req.Accept)
	t.Text(abi.KeyContentType, req.ContentType)
	t.TextMap(abi.KeyHeaders, req.Headers)
	if req.Body != nil {
		t.Value(abi.KeyBody, req.Body)
	}
	t.Bool(abi.KeyAsync, req.Async)
	err := h.do(abi.OpHTTP, c, t)
	if err != nil {
		delete(h.later, id)
	}
	return err
}

func response(q *abi.Reader, req *plugin.HTTPRequest, asked plugin.Deferrable) *plugin.HTTPResponse {
	a := &plugin.HTTPResponse{
		Status: plugin.HTTPStatus(q.Small(abi.KeyStatus)), HTTPCode: int(q.Number(abi.KeyHTTPCode)), Reason: q.Text(abi.KeyReason),
		Body: q.Blob(abi.KeyBody), Request: req, Call: asked,
	}
	if m := q.Map(abi.KeyHeaders); m != nil {
		a.Headers = make(map[string][]string, len(m))
		for k, v := range m {
			a.Headers[k], _ = v.([]string)
		}
	}
	return a
}

func (h *host) Enqueue(f func()) bool {
	var id int64
	id = h.keep(func(*abi.Reader) {
		delete(h.later, id)
		f()
	})
	// Not the room's table: another room of this instance may be running.
	t := &abi.Table{}
	t.Value(abi.KeyID, id)
	if err := h.do(abi.OpEnqueue, nil, t); err != nil {
		delete(h.later, id)
		return false
	}
	return true
}

// tell runs what needs no decision.
func (r *room) tell(hook abi.Hook, id int64, q *abi.Reader) {
	switch hook {
	case abi.OnTimer, abi.OnHTTP, abi.OnEnqueued:
		if f := r.later[q.Long(abi.KeyID)]; f != nil {
			f(q)
		}
	case abi.OnMasterClientChange:
		if x, ok := r.plugin.(plugin.MasterClientObserver); ok {
			x.OnMasterClientChanged(q.Number(abi.KeyOld), q.Number(abi.KeyNew))
		}
	case abi.OnReportError:
		if x, ok := r.plugin.(plugin.ErrorReporter); ok {
			code := plugin.ErrorCode(q.Number(abi.KeyErrorCode))
			err := reported(code, q.Text(abi.KeyMessage))
			if c := r.byID(id); c != nil {
				x.ReportError(code, err, c.call)
			} else {
				x.ReportError(code, err, nil)
			}
		}
	}
}

func reported(code plugin.ErrorCode, text string) error {
	if code == plugin.AlreadyProcessed {
		return abi.ErrorOf(abi.Processed, text)
	}
	return errors.New(text)
}

func (r *room) byID(id int64) *call {
	if id == 0 {
		return nil
	}
	for _, c := range r.open {
		if c.id == id {
			return c
		}
	}
	if r.last != nil && r.last.id == id {
		return r.last
	}
	return r.deferred[id]
}

// newLogger returns a logger that writes to the room's, in the server.
func newLogger(handle int64) *slog.Logger { return slog.New(&logHandler{handle: handle}) }

// logHandler is a slog.Handler.
type logHandler struct {
	handle int64
	prefix string
	attrs  []plugin.Pair
}

// Enabled leaves it to the server to choose.
func (l *logHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle sends a record.
func (l *logHandler) Handle(_ context.Context, r slog.Record) error {
	d := &gpbinary.Dictionary{Key: gpbinary.TypeDesc{Kind: gpbinary.KindString}, Val: gpbinary.TypeDesc{Kind: gpbinary.KindString}}
	d.Pairs = append(d.Pairs, l.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		d.Pairs = appendAttr(d.Pairs, l.prefix, a)
		return true
	})
	var attrs []byte
	if len(d.Pairs) > 0 {
		attrs, _ = abi.AppendValue(nil, d) // without them if a name occurs twice
	}
	hostLog(l.handle, int32(r.Level), cut(r.Message), attrs)
	return nil
}

func appendAttr(pairs []plugin.Pair, prefix string, a slog.Attr) []plugin.Pair {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			pairs = appendAttr(pairs, prefix, inner)
		}
		return pairs
	}
	return append(pairs, plugin.Pair{Key: prefix + a.Key, Value: cut(v.String())})
}

// WithAttrs implements slog.Handler.
func (l *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *l
	c.attrs = c.attrs[:len(c.attrs):len(c.attrs)]
	for _, a := range attrs {
		c.attrs = appendAttr(c.attrs, c.prefix, a)
	}
	return &c
}

// WithGroup implements slog.Handler.
func (l *logHandler) WithGroup(name string) slog.Handler {
	c := *l
	c.prefix += name + "."
	return &c
}

var _ plugin.Host = (*host)(nil)
