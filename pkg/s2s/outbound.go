package s2s

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// OutboundConfig says where a link leads.
type OutboundConfig struct {
	// Addr is the other server's address, host:port.
	Addr string
	// Self describes this server. It is called before every attempt.
	Self func() Hello
	// Key is shared by all servers. Empty: nobody proves anything.
	Key []byte
	// Longest is the longest pause between two attempts to connect. Default 15 s.
	// Who is refused waits up to 15 s in any case.
	Longest time.Duration
	// Dial opens connections. Default: TCP. A dialer that adds TLS fits in here.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	Handlers
}

// Outbound keeps one link to one server alive.
type Outbound struct {
	config OutboundConfig
	link   atomic.Pointer[Link]
}

// How long to wait before the next attempt (cluster.md 12.1), each time by up to
// a fifth more or less.
const (
	firstBackoff   = 500 * time.Millisecond
	longestBackoff = 15 * time.Second
)

// NewOutbound returns a link that Run will keep.
func NewOutbound(c OutboundConfig) *Outbound {
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}
	}
	if c.Longest == 0 {
		c.Longest = longestBackoff
	}
	return &Outbound{config: c}
}

// Run connects, and connects again whenever the link is lost or refused, until
// ctx ends or the address turns out to be this server's own. The link is then closed in order: what was sent reaches the other
// side. All handlers have returned when Run returns.
func (o *Outbound) Run(ctx context.Context) {
	backoff := firstBackoff
	for ctx.Err() == nil {
		l, err := o.connect(ctx)
		if err == nil {
			backoff = firstBackoff
			o.link.Store(l)
			stop := context.AfterFunc(ctx, l.Close)
			l.run()
			stop()
			o.link.Store(nil)
		} else if ctx.Err() == nil && o.config.Failed != nil {
			o.config.Failed(o.config.Addr, err)
		}
		longest := o.config.Longest
		var refused *RefusedError
		if errors.As(err, &refused) {
			if longest = longestBackoff; refused.ReturnCode == ReturnSelf {
				return
			}
		}
		wait := time.Duration((0.8 + 0.4*rand.Float64()) * float64(backoff))
		backoff = min(2*backoff, longest)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (o *Outbound) connect(ctx context.Context) (*Link, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, err := o.config.Dial(ctx, o.config.Addr)
	if err != nil {
		return nil, fmt.Errorf("s2s: connect to %s: %w", o.config.Addr, err)
	}
	// The end of ctx must also end a handshake that waits for the other side.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	h, err := newHandshake(conn, true)
	if err == nil {
		var l *Link
		if l, err = h.dial(o.config.Self(), o.config.Key, &o.config.Handlers); err == nil {
			if stop() {
				return l, nil
			}
			err = ctx.Err()
		}
	}
	stop()
	return nil, fmt.Errorf("s2s: handshake with %s: %w", o.config.Addr, errors.Join(err, conn.Close()))
}

// Link is the present link, or nil.
func (o *Outbound) Link() *Link { return o.link.Load() }

// Send is Link.Send on the present link; ErrDown if there is none.
func (o *Outbound) Send(m Message) error {
	if l := o.link.Load(); l != nil {
		return l.Send(m)
	}
	return ErrDown
}

// Request is Link.Request on the present link; ErrDown if there is none.
func (o *Outbound) Request(ctx context.Context, op Op, params gpbinary.Params) (Response, error) {
	if l := o.link.Load(); l != nil {
		return l.Request(ctx, op, params)
	}
	return Response{}, ErrDown
}
