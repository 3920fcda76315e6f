package client

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// udp is a link over reliable UDP. One goroutine owns the connection's state
// machine and the socket; senders put messages into a mailbox and end the
// goroutine's wait by moving the socket's read deadline into the past.
type udp struct {
	p    *Peer
	sock *net.UDPConn
	conn *enet.Conn
	end  *DisconnectError // set by Receive
	// fetched is true when the server was asked for its time.
	fetched bool

	mu      sync.Mutex
	mail    []letter
	size    int  // bytes in mail
	backlog int  // bytes that conn had not sent yet when it was last asked
	ending  bool // Disconnect was called
	waiting bool // the owner is in Read, or about to be
	// armed is the socket's read deadline in the peer's time.
	armed time.Duration
}

// letter is a message in the mailbox.
type letter struct {
	msg []byte
	d   photon.Delivery
}

const (
	// longestWait bounds a read for connections that have no deadline of their own.
	longestWait = time.Minute
	// largestDatagram that is received; servers keep to the MTU.
	largestDatagram = 2048
)

func dialUDP(ctx context.Context, p *Peer, in photon.Init) (link, error) {
	if p.opt.Protocol == photon.JSON {
		return nil, errors.New("JSON needs a WebSocket")
	}
	host, err := hostPort(p.address)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "udp", host)
	if err != nil {
		return nil, err
	}
	in.IPv6 = overIPv6(conn.RemoteAddr())
	cfg := enet.ClientConfig()
	cfg.MaxMessageSize = p.opt.MaxMessageSize
	// The mailbox has the bound; headers come on top of it here.
	cfg.MaxQueuedBytes = 2*p.opt.MaxQueuedBytes + p.opt.MaxMessageSize
	cfg.MaxTimeout = p.opt.Timeout
	u := &udp{p: p, sock: conn.(*net.UDPConn)}
	connect := enet.Connect{CRC: p.opt.CRC, MTU: p.opt.MTU, Channels: p.opt.Channels}
	u.conn = enet.NewClientConn(cfg, connect, uint32(rand.Int32()), p.now())
	u.mail = []letter{{photon.AppendInit(nil, in, p.address), reliable}}
	return u, nil
}

func (u *udp) send(msg []byte, d photon.Delivery) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ending {
		return net.ErrClosed
	}
	if u.size+u.backlog+len(msg) > u.p.opt.MaxQueuedBytes {
		return ErrQueueFull
	}
	u.mail = append(u.mail, letter{bytes.Clone(msg), d})
	u.size += len(msg)
	u.wake()
	return nil
}

func (u *udp) disconnect() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ending {
		u.ending = true
		u.wake()
	}
}

// past is a deadline that has expired.
var past = time.Unix(1, 0)

// wake ends the owner's wait. mu is held.
func (u *udp) wake() {
	if u.waiting {
		u.waiting = false
		u.armed = 0
		// An error means that the socket is closed, and the owner gone.
		_ = u.sock.SetReadDeadline(past)
	}
}

func (u *udp) run() *DisconnectError {
	defer u.sock.Close()
	in, out := make([]byte, largestDatagram), make([]byte, enet.MaxMTU)
	var mail []letter
	for {
		mail = u.takeMail(mail)
		if err := u.flush(out); err != nil {
			return &DisconnectError{Cause: ConnectionLost, Err: err}
		}
		switch {
		case u.end != nil:
			return u.end
		case u.conn.State() >= enet.Leaving:
			return u.over()
		}
		if !u.prepareWait() {
			continue
		}
		n, err := u.sock.Read(in)
		if err != nil {
			// A server that is not there shows itself by an ICMP message. Later on
			// it may be a stray one, and the time-out decides.
			if !errors.Is(err, os.ErrDeadlineExceeded) && u.conn.State() == enet.Connecting {
				return &DisconnectError{Cause: ConnectionLost, Err: err}
			}
			if errors.Is(err, net.ErrClosed) {
				return &DisconnectError{Cause: ConnectionLost, Err: err}
			}
			continue
		}
		u.input(in[:n])
	}
}

// takeMail moves the mailbox into the connection. mail is memory to use again.
func (u *udp) takeMail(mail []letter) []letter {
	u.mu.Lock()
	mail, u.mail = u.mail, mail[:0]
	u.size = 0
	u.waiting = false
	ending := u.ending
	u.mu.Unlock()
	for i := range mail {
		// The mailbox has checked what the connection could refuse.
		_ = u.conn.Send(mail[i].msg, mail[i].d)
		mail[i] = letter{}
	}
	if ending {
		u.conn.Disconnect(u.p.now(), enet.ReasonNormal)
	}
	return mail
}

// flush sends what is due.
func (u *udp) flush(buf []byte) error {
	for {
		n, more := u.conn.Output(u.p.now(), buf)
		if n > 0 {
			// What the kernel can't take is lost, as on the way. An ICMP error of an
			// earlier datagram is reported here as well.
			if _, err := u.sock.Write(buf[:n]); errors.Is(err, net.ErrClosed) {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// prepareWait arms the read deadline. It returns false when there is mail.
func (u *udp) prepareWait() bool {
	now := u.p.now()
	until := min(u.conn.Deadline(), now+longestWait)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.backlog = u.conn.QueuedBytes()
	if len(u.mail) > 0 || u.ending && u.conn.State() < enet.Draining {
		return false
	}
	// A deadline that is too early costs one idle round, a system timer more.
	if u.armed <= now || u.armed > until {
		u.armed = max(until, now+time.Nanosecond)
		if u.sock.SetReadDeadline(time.Now().Add(u.armed-now)) != nil {
			return false
		}
	}
	u.waiting = true
	return true
}

func (u *udp) input(datagram []byte) {
	now := u.p.now()
	err := u.conn.Input(now, datagram, u)
	if errors.Is(err, enet.ErrProtocol) || errors.Is(err, enet.ErrMessageTooBig) {
		u.stop(protocolError(err))
	}
	if u.conn.State() != enet.Connected {
		return
	}
	if !u.fetched && u.p.initialised {
		u.fetched = true
		u.conn.FetchServerTime()
	}
	u.p.clock.rtt.Store(int64(u.conn.RTT()))
	if server, ok := u.conn.ServerTime(now); ok {
		u.p.clock.setServerTime(server, now)
	}
}

// Receive takes a message from the connection.
func (u *udp) Receive(msg []byte, d photon.Delivery) {
	if u.end != nil || len(msg) == 0 {
		return
	}
	if end := u.p.receive(msg, d); end != nil {
		u.stop(end)
	}
}

// stop ends the connection from this side because of what the server sent.
func (u *udp) stop(end *DisconnectError) {
	if u.end == nil {
		u.end = end
		u.p.fail(end)
		u.conn.Abort(enet.ReasonNormal)
	}
}

// over is why the connection ended.
func (u *udp) over() *DisconnectError {
	end := &DisconnectError{}
	switch u.conn.Cause() {
	case enet.CauseLocal:
		end.Cause = DisconnectByClientLogic
	case enet.CauseTimeout:
		end.Cause = ClientTimeout
	case enet.CauseRemote:
		end.Cause = remoteCause(u.conn.RemoteReason())
	}
	return end
}

// remoteCause is the meaning of a server's DISCONNECT (wire.md 3.15).
func remoteCause(reason byte) Cause {
	switch reason {
	case enet.ReasonServerLogic:
		return DisconnectByServerLogic
	case enet.ReasonTimeout:
		return ServerTimeout
	case enet.ReasonUserLimit:
		return DisconnectByServerUserLimit
	}
	return DisconnectByServerReasonUnknown
}
