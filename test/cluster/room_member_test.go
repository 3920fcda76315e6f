package cluster

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// member is a client that writes down, in one order, all that its room tells it.
type member struct {
	*client.Client
	t    testing.TB
	user string

	mu     sync.Mutex
	log    []string
	more   chan struct{} // there is more in the log
	raised func(e *client.Event)
}

func newMember(t testing.TB, s client.Settings) *member {
	m := &member{t: t, user: s.UserID, more: make(chan struct{}, 1)}
	m.Client = client.New(s, client.Handler{
		OnEvent: func(e *client.Event) {
			if m.raised != nil {
				m.raised(e)
			}
			text := fmt.Sprintf("event %d from %d", e.Code, e.ActorNr())
			if v := e.CustomData(); v != nil {
				text += ": " + show(v)
			}
			m.write(text)
		},
		OnJoin: func(a client.Actor) { m.write(fmt.Sprintf("join %d %q", a.ActorNr, a.NickName)) },
		OnLeave: func(a client.Actor, inactive bool) {
			if inactive {
				m.write(fmt.Sprintf("inactive %d", a.ActorNr))
			} else {
				m.write(fmt.Sprintf("leave %d", a.ActorNr))
			}
		},
		OnPropertiesChanged: func(c client.PropertiesChange) {
			m.write(fmt.Sprintf("properties of %d by %d: %s", c.TargetActorNr, c.Sender, show(c.Properties)))
		},
		OnMasterClientSwitched: func(nr int32) { m.write(fmt.Sprintf("master client %d", nr)) },
		OnErrorInfo:            func(text string) { m.write("error info") },
		OnCacheSliceChanged:    func(n int32) { m.write(fmt.Sprintf("slice %d", n)) },
		OnResponse:             func(r *client.Response) { m.write(fmt.Sprintf("response %d rc %d", r.Op, r.ReturnCode)) },
		OnDisconnected:         func(*client.DisconnectError) { m.write("disconnected") },
	})
	t.Cleanup(m.Close)
	return m
}

func (m *member) write(text string) {
	m.mu.Lock()
	m.log = append(m.log, text)
	m.mu.Unlock()
	select {
	case m.more <- struct{}{}:
	default:
	}
}

// next returns what the room said next. Where it says nothing, skipped helps to
// see why.
func (m *member) next(skipped ...string) string {
	m.t.Helper()
	timeout := time.After(Timeout)
	for {
		m.mu.Lock()
		if len(m.log) > 0 {
			text := m.log[0]
			m.log = m.log[1:]
			m.mu.Unlock()
			return text
		}
		m.mu.Unlock()
		select {
		case <-m.more:
		case <-timeout:
			m.t.Fatalf("%s hears nothing more after %q", m.user, skipped)
		}
	}
}

// hears compares what the room said next, all of it in this order.
func (m *member) hears(want ...string) {
	m.t.Helper()
	for _, w := range want {
		if got := m.next(); got != w {
			m.t.Fatalf("%s heard %q, want %q of %q", m.user, got, w, want)
		}
	}
}

// until skips what the room says before that.
func (m *member) until(want string) {
	m.t.Helper()
	var skipped []string
	for {
		got := m.next(append(skipped, "waiting for "+want)...)
		if got == want {
			return
		}
		skipped = append(skipped, got)
	}
}

// forget drops what was heard so far.
func (m *member) forget() {
	m.mu.Lock()
	m.log = nil
	m.mu.Unlock()
}

func (m *member) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	m.t.Cleanup(cancel)
	return ctx
}

func (m *member) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("%s: %v", m.user, err)
	}
}

// fails checks a refusal, and that the client is on the master and usable.
func (m *member) fails(err error, want photon.ReturnCode) {
	m.t.Helper()
	if code(err) != want {
		m.t.Errorf("%s: got %v, want code %d", m.user, err, want)
	}
	if m.State() != client.ConnectedToMasterServer {
		m.t.Errorf("%s is %v after a refused join", m.user, m.State())
	}
}

// creates makes a room. A machine that is busy with other tests lets the load
// level of its game server rise until it takes no new room for a moment.
func (m *member) creates(room string, opt *client.RoomOptions) {
	m.t.Helper()
	eventually(m.t, func() bool {
		err := m.CreateRoom(m.ctx(), client.EnterRoomParams{RoomName: room, RoomOptions: opt})
		if code(err) != photon.ReturnServerFull {
			m.must(err)
		}
		return err == nil
	}, "a game server takes the room")
}

// raise sends an event to the others.
func (m *member) raise(code photon.EventCode, content any) {
	m.t.Helper()
	m.must(m.RaiseEvent(code, content, nil, client.SendReliable))
}

// cache sends an event with a caching option.
func (m *member) cache(code photon.EventCode, content any, option photon.EventCaching) {
	m.t.Helper()
	m.must(m.RaiseEvent(code, content, &client.RaiseEventOptions{CachingOption: option}, client.SendReliable))
}

// show writes a value without its type, so that all forms give one text.
func show(v any) string {
	switch x := v.(type) {
	case []byte:
		return fmt.Sprint(x)
	case gpbinary.ObjectArray:
		parts := make([]string, len(x))
		for i, e := range x {
			parts[i] = show(e)
		}
		return "[" + strings.Join(parts, " ") + "]"
	case *gpbinary.Hashtable:
		parts := make([]string, 0, x.Len())
		for _, p := range x.Pairs() {
			parts = append(parts, fmt.Sprintf("%v:%s", p.Key, show(p.Value)))
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, " ") + "}"
	}
	return fmt.Sprint(v)
}

// each runs a test with every form at the same time, on one cluster.
func each(t *testing.T, change func(*config.Config), test func(t *testing.T, up *daemon.Up, f Form)) {
	t.Helper()
	up := Start(t, change)
	for _, f := range Forms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			test(t, up, f)
		})
	}
}

// enters connects a user of one form; the name is unique for the form.
func enters(t testing.TB, up *daemon.Up, f Form, user string) *member {
	t.Helper()
	m := newMember(t, Settings(up, f, user+" "+f.String()))
	m.must(m.Connect(m.ctx()))
	return m
}

// pair returns two users in one room; both have heard of both.
func pair(t testing.TB, up *daemon.Up, f Form, opt *client.RoomOptions) (ann, bob *member, room string) {
	t.Helper()
	room = t.Name()
	ann, bob = enters(t, up, f, "ann"), enters(t, up, f, "bob")
	ann.creates(room, opt)
	bob.must(bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: room}))
	if opt == nil || !opt.SuppressRoomEvents && !opt.SuppressPlayerInfo {
		ann.hears(fmt.Sprintf("join 1 %q", ann.user), fmt.Sprintf("join 2 %q", bob.user))
		bob.hears(fmt.Sprintf("join 2 %q", bob.user))
	}
	return ann, bob, room
}
