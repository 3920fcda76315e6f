package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// echo answers every operation with its parameters, and tells what it got by
// event 1: operation code and whether it was encrypted.
func echo(c *serverConn, r *photon.Request) {
	c.event(1, photon.ParamCode(0), byte(r.Code), photon.ParamCode(1), r.Delivery.Encrypt)
	if !hasResponse(r.Code) {
		return
	}
	var params photon.Params
	for _, f := range r.Fields {
		params = append(params, gpbinary.Param{Key: f.Key, Value: photon.Content{Protocol: r.Protocol, Bytes: f.Bytes}})
	}
	c.respond(r.Code, 5, "echo", params)
}

// links are all combinations of transport and protocol.
var links = []struct {
	name      string
	transport Transport
	protocol  photon.Protocol
}{
	{"tcp 1.6", TCP, photon.GpBinaryV16},
	{"tcp 1.8", TCP, photon.GpBinaryV18},
	{"udp 1.6", UDP, photon.GpBinaryV16},
	{"udp 1.8", UDP, photon.GpBinaryV18},
	{"ws 1.6", WebSocket, photon.GpBinaryV16},
	{"ws 1.8", WebSocket, photon.GpBinaryV18},
	{"ws json", WebSocket, photon.JSON},
}

func TestPeerOperations(t *testing.T) {
	for _, l := range links {
		t.Run(l.name, func(t *testing.T) {
			ctx := testContext(t)
			s := start(t, l.transport, echo)
			type seen struct {
				op        int64
				encrypted bool
			}
			events := make(chan seen, 100)
			gone := make(chan *DisconnectError, 1)
			p, err := Dial(ctx, Options{
				Transport: l.transport, Protocol: l.protocol, AppID: "app",
				OnEvent: func(e *Event) {
					op, _ := e.Int(0)
					encrypted, _ := e.Bool(1)
					events <- seen{op, encrypted}
				},
				OnDisconnect: func(err *DisconnectError) { gone <- err },
			}, s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.EstablishEncryption(ctx); err != nil {
				t.Fatal(err)
			}
			for _, d := range []photon.Delivery{SendReliable, {Mode: photon.Reliable, Encrypt: true}} {
				r, err := p.OperationWith(ctx, 100, photon.Params{{Key: 9, Value: "value"}}, d)
				if err != nil {
					t.Fatal(err)
				}
				if v, _ := r.String(9); r.Op != 100 || r.ReturnCode != 5 || r.Debug != "echo" || v != "value" {
					t.Errorf("response %+v", r)
				}
				var op *OperationError
				if !errors.As(r.Err(), &op) || op.Code != 5 || !strings.Contains(op.Error(), "echo") {
					t.Errorf("error %v", r.Err())
				}
				want := seen{100, d.Encrypt && l.protocol != photon.JSON}
				if got := receive(t, events); got != want {
					t.Errorf("server saw %v, want %v", got, want)
				}
			}
			p.Close()
			if end := receive(t, gone); end.Cause != DisconnectByClientLogic {
				t.Errorf("cause %v", end)
			}
			receive(t, s.first().gone)
			if _, err := p.Operation(ctx, 1, nil); err == nil {
				t.Error("operation on a closed peer")
			}
		})
	}
}

// TestPeerLargeMessages sends messages that need fragments, growing buffers and
// long frame headers.
func TestPeerLargeMessages(t *testing.T) {
	for _, l := range links {
		t.Run(l.name, func(t *testing.T) {
			ctx := testContext(t)
			s := start(t, l.transport, echo)
			p, err := Dial(ctx, Options{Transport: l.transport, Protocol: l.protocol}, s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for _, size := range []int{0, 1, 125, 126, 1500, 20000, 65535, 200000} {
				data := bytes.Repeat([]byte{7}, size)
				r, err := p.Operation(ctx, 100, photon.Params{{Key: 9, Value: data}})
				if err != nil {
					t.Fatal(size, err)
				}
				if got, _ := r.Bytes(9); !bytes.Equal(got, data) {
					t.Errorf("%d bytes came back as %d", size, len(got))
				}
			}
		})
	}
}

// TestResponsesAreMatchedInOrder holds loadbalancing.md 2, rule 1: by operation
// code, in the order of the requests, also those that nobody waits for.
func TestResponsesAreMatchedInOrder(t *testing.T) {
	ctx := testContext(t)
	var held []photon.OpCode
	s := start(t, TCP, func(c *serverConn, r *photon.Request) {
		held = append(held, r.Code)
		if len(held) < 4 {
			return
		}
		// Operation 2 is answered before operation 1.
		c.respond(2, 20, "", nil)
		c.respond(1, 11, "", nil)
		c.respond(1, 12, "", nil)
		c.respond(1, 13, "", nil)
		c.respond(3, 30, "", nil) // without a request
	})
	free := make(chan photon.ReturnCode, 2)
	p, err := Dial(ctx, Options{Transport: TCP, OnResponse: func(r *Response) { free <- r.ReturnCode }}, s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	first, third, second := newCall(), newCall(), newCall()
	for _, err := range []error{
		p.request(1, nil, SendReliable, first), p.Send(1, nil, SendReliable),
		p.request(1, nil, SendReliable, third), p.request(2, nil, SendReliable, second),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		c    *call
		code photon.ReturnCode
	}{{first, 11}, {third, 13}, {second, 20}} {
		if r := receive(t, want.c.response); r.ReturnCode != want.code {
			t.Errorf("return code %d, want %d", r.ReturnCode, want.code)
		}
	}
	if a, b := receive(t, free), receive(t, free); a != 12 || b != 30 {
		t.Errorf("free responses %d, %d", a, b)
	}
}

func TestPendingIsBounded(t *testing.T) {
	ctx := testContext(t)
	s := start(t, TCP, func(*serverConn, *photon.Request) {})
	p, err := Dial(ctx, Options{Transport: TCP, MaxPending: 2, MaxQueuedBytes: 1000}, s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range 2 {
		if err := p.Send(1, nil, SendReliable); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Send(1, nil, SendReliable); !errors.Is(err, ErrQueueFull) {
		t.Errorf("third pending operation: %v", err)
	}
	// Events to others wait for no response.
	if err := p.Send(photon.OpRaiseEvent, nil, SendReliable); err != nil {
		t.Error(err)
	}
	if err := p.Send(photon.OpRaiseEvent, photon.Params{{Key: 1, Value: make([]byte, 2000)}}, SendReliable); !errors.Is(err, ErrQueueFull) {
		t.Errorf("more than the queue holds: %v", err)
	}
}

func TestOperationEndsWithItsContext(t *testing.T) {
	s := start(t, TCP, func(*serverConn, *photon.Request) {})
	p, err := Dial(testContext(t), Options{Transport: TCP}, s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Operation(ctx, 1, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestEncryptionNeedsAKey(t *testing.T) {
	ctx := testContext(t)
	s := start(t, TCP, echo)
	p, err := Dial(ctx, Options{Transport: TCP}, s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Send(1, nil, photon.Delivery{Mode: photon.Reliable, Encrypt: true}); !errors.Is(err, ErrNoEncryption) {
		t.Error(err)
	}
}

// TestInitWithToken: the token travels in the init request, and the server's
// answer comes without a request. // wire W-25
func TestInitWithToken(t *testing.T) {
	for _, l := range links {
		if l.protocol == photon.JSON {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			ctx := testContext(t)
			s := start(t, l.transport, echo)
			p, err := Dial(ctx, Options{
				Transport: l.transport, Protocol: l.protocol, AppID: "an-app-id-of-thirty-six-characters-abc",
				Token: "the token", Secret: testSecret,
			}, s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			r, err := p.TokenResponse(ctx)
			if err != nil || r.Op != photon.OpAuthenticateOnce {
				t.Fatal(r, err)
			}
			in := s.first().init
			token, err := photon.Content{Protocol: l.protocol, Bytes: in.Token}.Value()
			if err != nil || token != "the token" || in.AppID != "an-app-id-of-thirty-six-characters-abc" || in.ClientVersion != defaultVersion {
				t.Errorf("init %+v, token %v, %v", in, token, err)
			}
			// The secret makes a key exchange unnecessary.
			if _, err := p.OperationWith(ctx, 1, nil, photon.Delivery{Mode: photon.Reliable, Encrypt: true}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTCPBytes compares what is sent with the official client's own bytes.
func TestTCPBytes(t *testing.T) {
	ctx := testContext(t)
	s := start(t, TCP, echo)
	p, err := Dial(ctx, Options{Transport: TCP, AppID: "Master"}, s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Operation(ctx, photon.OpJoinGame, photon.Params{photon.Param(photon.ParamRoomName, "somegame")}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		// From the recorded session tcp_session_4_1_8_11_v18.
		"fb000000300001f30001081e41080b004d61737465720000000000000000000000000000000000000000000000000000",
		"fb000000160001f302e201ff0708736f6d6567616d65",
	}
	var got []string
	for _, b := range s.first().raw {
		got = append(got, hex.EncodeToString(b))
	}
	if !slices.Equal(got, want) {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestWebSocketUpgrade holds the forms of the upgrade request (wire.md 6.1,
// websocket-json.md 1.1).
func TestWebSocketUpgrade(t *testing.T) {
	ctx := testContext(t)
	for _, tt := range []struct {
		opt  Options
		path string
		want string
	}{
		{Options{AppID: "Master"}, "", "/?libversion=4.1.8.11&sid=30&app=Master"},
		{Options{AppID: "Master", Token: "t"}, "/", "/?libversion=4.1.8.11&sid=30&app=Master&xInit="},
		{Options{AppID: "a b"}, "/some/path", "/some/path/?libversion=4.1.8.11&sid=30&app=a+b"},
		{Options{AppID: "app", Protocol: photon.JSON}, "", "/app?libversion=4.4.0.0"},
		{Options{AppID: "app", Protocol: photon.JSON}, "/Master", "/Master/app?libversion=4.4.0.0"},
	} {
		s := start(t, WebSocket, echo)
		tt.opt.Transport = WebSocket
		p, err := Dial(ctx, tt.opt, s.address+tt.path)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		if got := s.first().path; got != tt.want {
			t.Errorf("GET %s, want %s", got, tt.want)
		}
	}
}

func TestRawEvents(t *testing.T) {
	for _, l := range links {
		t.Run(l.name, func(t *testing.T) {
			ctx := testContext(t)
			s := start(t, l.transport, func(c *serverConn, r *photon.Request) {
				c.event(7, photon.ParamData, "content", photon.ParamActorNr, int32(3))
				c.event(8)
			})
			raw, decoded := make(chan photon.EventCode, 2), make(chan *Event, 2)
			p, err := Dial(ctx, Options{
				Transport: l.transport, Protocol: l.protocol,
				OnRawEvent: func(code photon.EventCode, msg []byte, _ photon.Delivery) bool {
					raw <- code
					return code == 8
				},
				OnEvent: func(e *Event) { decoded <- e.Clone() },
			}, s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.Send(1, nil, SendReliable); err != nil {
				t.Fatal(err)
			}
			if a, b := receive(t, raw), receive(t, raw); a != 7 || b != 8 {
				t.Errorf("raw events %d, %d", a, b)
			}
			e := receive(t, decoded)
			content, ok := e.Content()
			v, err := content.Value()
			if e.Code != 7 || e.ActorNr() != 3 || !ok || v != "content" || err != nil || e.CustomData() != "content" {
				t.Errorf("event %+v", e)
			}
			params, err := e.Params()
			if got, _ := params.Get(byte(photon.ParamActorNr)); err != nil || got != int32(3) {
				t.Errorf("parameters %v, %v", params, err)
			}
			if len(decoded) > 0 {
				t.Error("an event that the raw callback took was decoded")
			}
		})
	}
}

// TestManySenders uses one peer from several goroutines: nothing is lost, and
// nobody gets another one's response.
func TestManySenders(t *testing.T) {
	for _, l := range links {
		t.Run(l.name, func(t *testing.T) {
			ctx := testContext(t)
			s := start(t, l.transport, echo)
			p, err := Dial(ctx, Options{Transport: l.transport, Protocol: l.protocol}, s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			var senders sync.WaitGroup
			for op := range 8 {
				senders.Go(func() {
					for i := range 50 {
						r, err := p.Operation(ctx, photon.OpCode(op), photon.Params{{Key: 9, Value: int32(i)}})
						if err != nil {
							t.Error(err)
							return
						}
						if n, _ := r.Int(9); n != int64(i) || r.Op != photon.OpCode(op) {
							t.Errorf("operation %d, value %d: got %d, %d", op, i, r.Op, n)
						}
					}
				})
			}
			senders.Wait()
		})
	}
}
