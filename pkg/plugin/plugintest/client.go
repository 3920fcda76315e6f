package plugintest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/transport"
)

// Client is a client in memory. Its methods are for one goroutine.
type Client struct {
	s        *Server
	t        testing.TB
	UserID   string
	protocol photon.Protocol
	link     link
	receiver transport.Receiver
	arrived  chan struct{} // something did

	mu       sync.Mutex
	messages []message
	gone     bool
	reason   string // the server's words, or those of the transport
}

// Response is an operation's response.
type Response struct {
	Code       photon.OpCode
	ReturnCode photon.ReturnCode
	Debug      string
	Params     gpbinary.Params
}

// Get returns a parameter, nil if it is absent.
func (r *Response) Get(p photon.ParamCode) any { v, _ := r.Params.Get(byte(p)); return v }

// Event is an event that a client got.
type Event struct {
	Code     photon.EventCode
	Params   gpbinary.Params
	Delivery photon.Delivery
}

// Get returns a parameter, nil if it is absent.
func (e *Event) Get(p photon.ParamCode) any { v, _ := e.Params.Get(byte(p)); return v }

// Data is the event's content.
func (e *Event) Data() any { return e.Get(photon.ParamData) }

// Sender is the number of the actor that raised the event, -1 if it says none.
func (e *Event) Sender() int32 {
	if n, ok := photon.AsInt(e.Get(photon.ParamActorNr)); ok {
		return int32(n)
	}
	return -1
}

// String shows the event as tests compare it: code, sender, content.
func (e *Event) String() string { return fmt.Sprintf("%d from %d: %v", e.Code, e.Sender(), e.Data()) }

type message struct {
	response *Response
	event    *Event
}

// link is the client's connection as the server sees it.
type link struct {
	c    *Client
	info transport.Info
	once sync.Once
}

func (l *link) ID() uint64            { return 1 }
func (l *link) Info() *transport.Info { return &l.info }
func (l *link) RTT() time.Duration    { return 0 }

func (l *link) Close(r transport.Reason) {
	c := l.c
	l.once.Do(func() {
		c.end(r.String())
		c.receiver.Closed(r)
	})
}

func (c *Client) end(reason string) {
	c.mu.Lock()
	if !c.gone {
		c.gone, c.reason = true, reason
	}
	c.mu.Unlock()
	c.notify()
}

func (l *link) Send(msg []byte, d photon.Delivery) {
	m, ok := l.c.decode(msg, d)
	if !ok {
		return
	}
	l.c.mu.Lock()
	l.c.messages = append(l.c.messages, m)
	l.c.mu.Unlock()
	l.c.notify()
}

func (c *Client) notify() {
	select {
	case c.arrived <- struct{}{}:
	default:
	}
}

func (c *Client) decode(msg []byte, d photon.Delivery) (m message, ok bool) {
	if c.protocol == photon.JSON {
		payload, _, _, err := gpjson.NextFrame(msg)
		if err != nil {
			c.t.Errorf("bad frame %q: %v", msg, err)
			return m, false
		}
		j, err := gpjson.ParseMessage(payload, nil)
		if err != nil {
			c.t.Errorf("bad message %s: %v", payload, err)
			return m, false
		}
		var params gpbinary.Params
		for _, f := range j.Fields {
			v, _ := gpjson.DecodeValue(f.Bytes)
			params = append(params, gpbinary.Param{Key: f.Key, Value: v})
		}
		if j.Kind == gpjson.Event {
			return message{event: &Event{photon.EventCode(j.Code), params, d}}, true
		}
		return message{response: &Response{photon.OpCode(j.Code), photon.ReturnCode(j.ReturnCode), j.Debug, params}}, true
	}
	v := gpbinary.Version(c.protocol)
	t, _, err := photon.Type(msg)
	if err == nil {
		switch t {
		case photon.TypeEvent:
			var e *gpbinary.EventData
			if e, _, err = gpbinary.DecodeEvent(v, msg[2:]); err == nil {
				return message{event: &Event{photon.EventCode(e.Code), e.Params, d}}, true
			}
		case photon.TypeResponse:
			var r *gpbinary.OperationResponse
			if r, _, err = gpbinary.DecodeResponse(v, msg[2:]); err == nil {
				return message{response: &Response{photon.OpCode(r.Code), photon.ReturnCode(r.ReturnCode), r.Debug, r.Params}}, true
			}
		case photon.TypeDisconnect:
			var text string
			if _, text, _, _, err = gpbinary.DecodeDisconnect(v, msg[2:]); err == nil {
				c.end(text)
				return m, false
			}
		}
	}
	c.t.Errorf("bad message % x: %v", msg, err)
	return m, false
}

// Send sends an operation and waits for nothing.
func (c *Client) Send(op photon.OpCode, params ...gpbinary.Param) {
	c.send(photon.Reliable, op, params)
}

// SendUnreliable sends an operation as UDP clients may.
func (c *Client) SendUnreliable(op photon.OpCode, params ...gpbinary.Param) {
	c.send(photon.Unreliable, op, params)
}

func (c *Client) send(mode photon.DeliveryMode, op photon.OpCode, params []gpbinary.Param) {
	c.t.Helper()
	msg, err := photon.AppendRequest(nil, c.protocol, op, params)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.protocol == photon.JSON {
		if msg, _, _, err = gpjson.NextFrame(msg); err != nil {
			c.t.Fatal(err)
		}
	}
	c.receiver.Receive(msg, photon.Delivery{Mode: mode})
}

// Call sends an operation and waits for its response. Events that came
// meanwhile stay.
func (c *Client) Call(op photon.OpCode, params ...gpbinary.Param) *Response {
	c.t.Helper()
	c.Send(op, params...)
	return c.WaitResponse(op)
}

// WaitResponse waits for the next response to an operation.
func (c *Client) WaitResponse(op photon.OpCode) *Response {
	c.t.Helper()
	m := c.wait(fmt.Sprintf("the response to %s", op), func(m message) bool { return m.response != nil && m.response.Code == op })
	return m.response
}

// WaitEvent waits for the next event of a code. Others stay.
func (c *Client) WaitEvent(code photon.EventCode) *Event {
	c.t.Helper()
	m := c.wait(fmt.Sprintf("event %d", code), func(m message) bool { return m.event != nil && m.event.Code == code })
	return m.event
}

func (c *Client) wait(what string, wanted func(message) bool) message {
	c.t.Helper()
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	for {
		c.mu.Lock()
		if i := slices.IndexFunc(c.messages, wanted); i >= 0 {
			m := c.messages[i]
			c.messages = slices.Delete(c.messages, i, i+1)
			c.mu.Unlock()
			return m
		}
		gone, reason := c.gone, c.reason
		c.mu.Unlock()
		if gone {
			c.t.Fatalf("%s was disconnected (%s) and did not get %s", c.UserID, reason, what)
		}
		select {
		case <-c.arrived:
		case <-limit.C:
			c.t.Fatalf("%s did not get %s; it has %s", c.UserID, what, c.Rest())
		}
	}
}

// Rest returns what is there as text, without waiting for anything.
func (c *Client) Rest() (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.messages {
		if m.event != nil {
			list = append(list, "event "+m.event.String())
		} else {
			list = append(list, fmt.Sprintf("response %d rc %d %s", m.response.Code, m.response.ReturnCode, m.response.Debug))
		}
	}
	return list
}

// Events waits until the room has done all that this client asked for before,
// and returns the events that are there, but Join, Leave and PropertiesChanged.
func (c *Client) Events() []*Event {
	c.t.Helper()
	c.Sync()
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*Event
	c.messages = slices.DeleteFunc(c.messages, func(m message) bool {
		if m.event == nil {
			return false
		}
		switch m.event.Code {
		case photon.EventJoin, photon.EventLeave, photon.EventPropertiesChanged:
		default:
			list = append(list, m.event)
		}
		return true
	})
	return list
}

// Got waits like Events and returns all that is there as text: events, and
// responses that nobody waited for.
func (c *Client) Got() []string {
	c.t.Helper()
	c.Sync()
	list := c.Rest()
	c.mu.Lock()
	c.messages = nil
	c.mu.Unlock()
	return list
}

// Sync waits until the room has done all that this client asked for before.
func (c *Client) Sync() {
	c.t.Helper()
	c.Call(photon.OpGetProperties, photon.Param(photon.ParamProperties, byte(0)))
}

// WaitGone waits for the end of the connection by the server, or for the message
// that announces it, and returns the reason in words.
func (c *Client) WaitGone() string {
	c.t.Helper()
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	for {
		c.mu.Lock()
		gone, reason := c.gone, c.reason
		c.mu.Unlock()
		if gone {
			return reason
		}
		select {
		case <-c.arrived:
		case <-limit.C:
			c.t.Fatalf("%s is still connected", c.UserID)
		}
	}
}

// Drop ends the connection, for example by transport.ReasonTimeout.
func (c *Client) Drop(r transport.Reason) { c.link.Close(r) }

// RoomProperties asks for the room's properties.
func (c *Client) RoomProperties() *plugin.Table {
	c.t.Helper()
	r := c.Call(photon.OpGetProperties, photon.Param(photon.ParamProperties, byte(1))) // the room's, and no actor's
	t, ok := r.Get(photon.ParamGameProperties).(*plugin.Table)
	if !ok {
		c.t.Fatalf("%s can't read the room's properties: %d %s", c.UserID, r.ReturnCode, r.Debug)
	}
	return t
}

func roomName(name string) gpbinary.Param { return photon.Param(photon.ParamRoomName, name) }

// Create calls CreateGame.
func (c *Client) Create(room string, params ...gpbinary.Param) *Response {
	c.t.Helper()
	return c.Call(photon.OpCreateGame, append([]gpbinary.Param{roomName(room)}, params...)...)
}

// Join calls JoinGame.
func (c *Client) Join(room string, params ...gpbinary.Param) *Response {
	c.t.Helper()
	return c.Call(photon.OpJoinGame, append([]gpbinary.Param{roomName(room)}, params...)...)
}

// JoinMode calls JoinGame with a join mode.
func (c *Client) JoinMode(room string, mode plugin.JoinMode, params ...gpbinary.Param) *Response {
	c.t.Helper()
	return c.Join(room, append([]gpbinary.Param{photon.Param(photon.ParamJoinMode, byte(mode))}, params...)...)
}

// Leave calls Leave.
func (c *Client) Leave(comesBack bool) *Response {
	c.t.Helper()
	return c.Call(photon.OpLeave, photon.Param(photon.ParamIsInactive, comesBack))
}

// Raise sends RaiseEvent, which has no response unless it fails.
func (c *Client) Raise(code byte, data any, params ...gpbinary.Param) {
	c.t.Helper()
	c.Send(photon.OpRaiseEvent, append([]gpbinary.Param{
		photon.Param(photon.ParamEventCode, code), photon.Param(photon.ParamData, data)}, params...)...)
}

// Set calls SetProperties of the room (actorNr 0) or an actor, with broadcast.
func (c *Client) Set(actorNr int32, t *plugin.Table, params ...gpbinary.Param) *Response {
	c.t.Helper()
	all := []gpbinary.Param{photon.Param(photon.ParamProperties, t), photon.Param(photon.ParamBroadcast, true)}
	if actorNr != 0 {
		all = append(all, photon.Param(photon.ParamActorNr, actorNr))
	}
	return c.Call(photon.OpSetProperties, append(all, params...)...)
}
