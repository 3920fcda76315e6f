package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

// Listen names one address to listen on.
type Listen struct {
	Kind transport.Kind
	// Addr is host:port; an empty host is all addresses, port 0 a free one.
	Addr string
	// TLS is needed for SecureWebSocket; on TCP it makes the listener a TLS one.
	TLS *tls.Config
}

// Options of a Server. Zero fields take defaults.
type Options struct {
	// Name stands in logs.
	Name   string
	Listen []Listen
	Limits transport.Limits
	// AppLimits by AppId hold instead for peers that authenticated for one of them.
	AppLimits map[string]Limits
	Logger    zerolog.Logger
	// Clock is the time that clients see; nil is NewClock().
	Clock transport.Clock
	// AllowedOrigins of browsers; empty allows all (websocket-json.md WJ-012).
	AllowedOrigins []string
	// UDPSockets is the number of SO_REUSEPORT sockets per UDP listener; 0 is one per core.
	UDPSockets int
	// Tracer, if there is one, sees all messages.
	Tracer Tracer
	// UDPTransmitRate is transport.UDPConfig.TransmitRate.
	UDPTransmitRate int
}

// Tap sees what one peer and the server say to each other. Its methods are called
// from any goroutine and must not block.
type Tap interface {
	// Message gets a message before it is encrypted or after it was decrypted; a JSON
	// client's has no frame, what it is sent has. msg is valid only during the call.
	Message(msg []byte, fromClient bool, d photon.Delivery)
	// Closed is the last call of the peer's end.
	Closed(reason transport.Reason)
}

// Tracer opens a Tap for each new peer. The server closes it when it shuts down.
type Tracer interface {
	Open(s transport.Session) Tap
	Close() error
}

// NewClock returns a monotonic millisecond clock that starts at a number a few
// minutes into its range, as servers that have run for a while show.
func NewClock() transport.Clock {
	start := time.Now()
	return func() uint32 { return uint32(time.Since(start)/time.Millisecond) + 100000 }
}

type listener interface {
	Addr() netip.AddrPort
	Shutdown(ctx context.Context) error
}

// Server runs an Application on its listeners.
type Server struct {
	opt       Options
	app       Application
	log       zerolog.Logger
	clock     transport.Clock
	pool      *Pool
	malformed atomic.Int64
	apps      *applications
	bound     []Bound
	further   []Bound
}

// Bound is a listener that runs.
type Bound struct {
	Kind     transport.Kind
	Addr     netip.AddrPort
	Counters *transport.Counters
	listener listener
}

// NewServer returns a server that does not listen yet.
func NewServer(opt Options, application Application) *Server {
	if opt.Clock == nil {
		opt.Clock = NewClock()
	}
	return &Server{
		opt: opt, app: application, log: opt.Logger, clock: opt.Clock,
		apps: newApplications(opt.AppLimits), pool: NewPool(runtime.GOMAXPROCS(0), 4096),
	}
}

// Start listens. On an error nothing is left listening.
func (s *Server) Start() error {
	for _, l := range s.opt.Listen {
		b := Bound{Kind: l.Kind, Counters: &transport.Counters{}}
		first := slices.IndexFunc(s.bound, func(b Bound) bool { return b.Kind == l.Kind })
		if first >= 0 {
			b.Counters = s.bound[first].Counters
		}
		var err error
		stream := transport.StreamConfig{
			Name: s.opt.Name, Limits: s.opt.Limits, Clock: s.clock, Acceptor: s, Counters: b.Counters,
			TLS: l.TLS, AllowedOrigins: s.opt.AllowedOrigins,
		}
		switch l.Kind {
		case transport.UDP:
			b.listener, err = transport.ListenUDP(l.Addr, transport.UDPConfig{
				Name: s.opt.Name, Limits: s.opt.Limits, Clock: s.clock, Acceptor: s, Counters: b.Counters, Sockets: s.opt.UDPSockets,
				TransmitRate: s.opt.UDPTransmitRate,
			})
		case transport.TCP:
			b.listener, err = transport.ListenTCP(l.Addr, stream)
		case transport.HTTP:
			b.listener, err = transport.ListenHTTP(l.Addr, stream)
		case transport.WebSocket, transport.SecureWebSocket:
			if l.Kind == transport.SecureWebSocket && l.TLS == nil {
				err = errors.New("secure WebSocket needs a certificate")
				break
			}
			b.listener, err = transport.ListenWebSocket(l.Addr, stream)
		default:
			err = fmt.Errorf("unknown transport %d", l.Kind)
		}
		if err != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = s.Shutdown(ctx)
			return fmt.Errorf("%s: listen on %s %s: %w", s.opt.Name, l.Kind, l.Addr, err)
		}
		b.Addr = b.listener.Addr()
		if first >= 0 {
			s.further = append(s.further, b)
		} else {
			s.bound = append(s.bound, b)
		}
	}
	return nil
}

// Bound returns the running listeners, the first of each kind, in the order of
// Options.Listen. These are the ones that clients are told of.
func (s *Server) Bound() []Bound { return s.bound }

// Further returns the listeners of a kind that has one already, such as TLS over
// TCP beside plain TCP. They share the first one's counters.
func (s *Server) Further() []Bound { return s.further }

// Malformed is the number of messages that could not be parsed.
func (s *Server) Malformed() int64 { return s.malformed.Load() }

// Clock is the time that this server's clients see.
func (s *Server) Clock() transport.Clock { return s.clock }

// Pool runs work that would hold up a transport's loop.
func (s *Server) Pool() *Pool { return s.pool }

// Accept implements transport.Acceptor.
func (s *Server) Accept(session transport.Session) transport.Receiver {
	p := &Peer{Session: session, server: s}
	if s.opt.Tracer != nil {
		p.tap = s.opt.Tracer.Open(session)
	}
	if p.handler = s.app.Connect(p); p.handler == nil {
		return nil
	}
	return p
}

// Shutdown refuses new peers, closes those there are with ReasonShutdown and
// waits for all goroutines, at most until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	listeners := slices.Concat(s.bound, s.further)
	errs := make(chan error, len(listeners))
	for _, b := range listeners {
		go func() { errs <- b.listener.Shutdown(ctx) }()
	}
	var all error
	for range listeners {
		all = errors.Join(all, <-errs)
	}
	s.pool.Close()
	if s.opt.Tracer != nil {
		all = errors.Join(all, s.opt.Tracer.Close())
	}
	return all
}
