package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// udpLoop drives UDP players from one goroutine: a socket each, one epoll for
// all, and the connections' state machines. It costs a fraction of client.Peer,
// so that one core can load another one.
type udpLoop struct {
	opt    *Options
	counts *counts
	now    func() time.Duration
	cfg    *enet.Config
	epoll  int
	done   chan struct{} // ends run
	ended  chan struct{}

	mu       sync.Mutex
	entering []*udpPlayer
	sched    *schedule // set when play begins
	played   chan error
	lost     error

	// The loop's own.
	players []*udpPlayer
	swept   time.Duration
	inBufs  [recvBatch][2048]byte
	inMsgs  [recvBatch]mmsghdr
	inVecs  [recvBatch]unix.Iovec
	out     [enet.MaxMTU]byte
	slab    photon.Slab
	event   []byte
}

// mmsghdr is the kernel's struct of that name.
type mmsghdr struct {
	header unix.Msghdr
	n      uint32
}

const (
	// recvBatch datagrams are read from a socket at once.
	recvBatch = 16
	// sweepInterval between two looks at the deadlines of all connections.
	sweepInterval = 5 * time.Millisecond
	// loopAckDelay is how long the loop's connections keep acknowledgements for
	// company: official clients send theirs at every service call, 10 to 50 ms.
	loopAckDelay = 10 * time.Millisecond
)

// udpPlayer is one connection of the loop.
type udpPlayer struct {
	loop   *udpLoop
	player *player
	ticket ticket
	fd     int
	conn   *enet.Conn
	step   int        // of the way into the room
	joined chan error // capacity 1: nil, or why not
	dirty  bool       // has something to send
	dead   bool
}

// The steps of the way in: what is awaited.
const (
	awaitInit = iota
	awaitAuth
	awaitJoin
	inRoom
)

func newUDPLoop(o *Options, c *counts, now func() time.Duration) (driver, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &udpLoop{
		opt: o, counts: c, now: now, cfg: enet.ClientConfig(), epoll: epoll,
		done: make(chan struct{}), ended: make(chan struct{}), played: make(chan error, 1),
	}
	l.cfg.AckDelay = loopAckDelay
	for i := range l.inMsgs {
		l.inVecs[i].Base = &l.inBufs[i][0]
		l.inVecs[i].SetLen(len(l.inBufs[i]))
		l.inMsgs[i].header.Iov = &l.inVecs[i]
		l.inMsgs[i].header.SetIovlen(1)
	}
	go l.run()
	return l, nil
}

// enter implements driver.
func (l *udpLoop) enter(ctx context.Context, p *player, t ticket) error {
	addr, err := net.ResolveUDPAddr("udp", t.address)
	if err != nil {
		return err
	}
	u := &udpPlayer{loop: l, player: p, ticket: t, joined: make(chan error, 1)}
	if u.fd, err = connectedSocket(addr); err != nil {
		return fmt.Errorf("socket to %s: %w", t.address, err)
	}
	l.mu.Lock()
	l.entering = append(l.entering, u)
	l.mu.Unlock()
	select {
	case err := <-u.joined:
		p.link = u
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func connectedSocket(addr *net.UDPAddr) (int, error) {
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: addr.Port, Addr: [16]byte(addr.IP.To16())})
	if ip := addr.IP.To4(); ip != nil {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(ip)}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20)
	if err := unix.Connect(fd, sa); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// run is the loop.
func (l *udpLoop) run() {
	defer close(l.ended)
	defer unix.Close(l.epoll)
	events := make([]unix.EpollEvent, 256)
	poll := []unix.PollFd{{Fd: int32(l.epoll), Events: unix.POLLIN}}
	var sched *schedule
	for {
		l.mu.Lock()
		entering := l.entering
		l.entering = nil
		if sched == nil {
			sched = l.sched
		}
		l.mu.Unlock()
		for _, u := range entering {
			l.start(u)
		}
		select {
		case <-l.done:
			l.bye()
			return
		default:
		}
		wait := time.Millisecond
		now := l.now()
		if sched != nil {
			if l.event == nil {
				l.event = make([]byte, len(sched.template.msg))
			}
			w, err := sched.step(now, l.event)
			if err != nil || sched.done(now) {
				l.played <- err
				sched = nil
				l.mu.Lock()
				l.sched = nil
				l.mu.Unlock()
			}
			wait = min(wait, w)
		}
		if now-l.swept >= sweepInterval {
			l.swept = now
			for _, u := range l.players {
				if !u.dead && u.conn.Deadline() <= now {
					l.flush(u)
				}
			}
		}
		if wait > 0 {
			ts := unix.NsecToTimespec(int64(wait))
			_, _ = unix.Ppoll(poll, &ts, nil)
		}
		n, _ := unix.EpollWait(l.epoll, events, 0)
		for i := range max(n, 0) {
			l.read(l.players[events[i].Fd])
		}
	}
}

// start begins a player's connection.
func (l *udpLoop) start(u *udpPlayer) {
	// The epoll's data is the index, not the descriptor.
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(l.players))}
	l.players = append(l.players, u)
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, u.fd, &event); err != nil {
		u.fail(err)
		return
	}
	u.conn = enet.NewClientConn(l.cfg, enet.Connect{}, rand.Uint32(), l.now())
	u.push(photon.AppendInit(nil, photon.Init{Protocol: l.opt.Protocol, AppID: l.opt.AppID, ClientVersion: [4]byte{4, 1, 8, 11}}, ""))
	l.flush(u)
}

// read takes in what has come for one player.
func (l *udpLoop) read(u *udpPlayer) {
	if u.dead {
		return
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&l.inMsgs[0])), recvBatch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return // nothing there, or an ICMP message: the time-out decides
	}
	l.counts.mu.Lock()
	now := l.now()
	for i := range int(n) {
		err := u.conn.Input(now, l.inBufs[i][:l.inMsgs[i].n], u)
		if errors.Is(err, enet.ErrProtocol) || errors.Is(err, enet.ErrMessageTooBig) {
			u.fail(err)
		}
	}
	l.counts.mu.Unlock()
	if u.dead {
		return
	}
	if u.dirty || u.conn.Deadline() <= now {
		l.flush(u)
	}
}

// flush sends what is due of one player.
func (l *udpLoop) flush(u *udpPlayer) {
	u.dirty = false
	for more := true; more; {
		var n int
		n, more = u.conn.Output(l.now(), l.out[:])
		if n > 0 {
			// What the kernel can't take is lost, as on the way.
			_, _, _ = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(u.fd), uintptr(unsafe.Pointer(&l.out[0])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
		}
	}
	if u.conn.State() >= enet.Leaving {
		u.fail(fmt.Errorf("connection ended (cause %d, reason %d)", u.conn.Cause(), u.conn.RemoteReason()))
	}
}

// fail ends a player.
func (u *udpPlayer) fail(err error) {
	if u.dead {
		return
	}
	u.dead = true
	_ = unix.Close(u.fd)
	err = fmt.Errorf("player %s: %w", u.player.user, err)
	select {
	case u.joined <- err:
	default:
	}
	l := u.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost == nil {
		l.lost = err
	}
}

func (u *udpPlayer) push(msg []byte) {
	if err := u.conn.Send(msg, reliably); err != nil {
		u.fail(err)
	}
	u.dirty = true
}

// send implements link.
func (u *udpPlayer) send(msg []byte, d photon.Delivery) error {
	if u.dead {
		return enet.ErrClosed
	}
	if err := u.conn.Send(u.loop.slab.Copy(msg), d); err != nil {
		return err
	}
	u.loop.flush(u)
	return nil
}

// Receive implements enet.Receiver. The counts' mutex is held.
func (u *udpPlayer) Receive(msg []byte, _ photon.Delivery) {
	if len(msg) < 3 || u.dead {
		return
	}
	switch photon.MessageType(msg[1]) {
	case photon.TypeEvent:
		if photon.EventCode(msg[2]) == eventCode {
			u.loop.counts.receive(u.player.pairs, msg, u.loop.now())
		}
	case photon.TypeInitResponse:
		u.request(awaitInit, photon.OpAuthenticate, u.ticket.auth)
	case photon.TypeResponse:
		if err := responseError(u.loop.opt.Protocol, msg); err != nil {
			u.fail(err)
			return
		}
		switch photon.OpCode(msg[2]) {
		case photon.OpAuthenticate:
			u.request(awaitAuth, photon.OpJoinGame, u.ticket.join)
		case photon.OpJoinGame:
			u.step = inRoom
			select {
			case u.joined <- nil:
			default:
			}
		}
	}
}

// request goes on from a step with an operation.
func (u *udpPlayer) request(from int, op photon.OpCode, params photon.Params) {
	if u.step != from {
		return
	}
	u.step++
	msg, err := photon.AppendRequest(nil, u.loop.opt.Protocol, op, params)
	if err != nil {
		u.fail(err)
		return
	}
	u.push(msg)
}

// responseError reads a response's return code, and its message if it is not Ok.
func responseError(p photon.Protocol, msg []byte) error {
	if len(msg) < 5 {
		return errors.New("response is cut short")
	}
	rc := binary.LittleEndian.Uint16(msg[3:])
	if p == photon.GpBinaryV16 {
		rc = binary.BigEndian.Uint16(msg[3:])
	}
	if rc == 0 {
		return nil
	}
	text, _, _ := gpbinary.Decode(gpbinary.Version(p), msg[5:])
	return fmt.Errorf("%s: %s: %v", photon.OpCode(msg[2]), photon.ReturnCode(rc), text)
}

// play implements driver.
func (l *udpLoop) play(ctx context.Context, s *schedule) error {
	l.mu.Lock()
	l.sched = s
	l.mu.Unlock()
	select {
	case err := <-l.played:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// err implements driver.
func (l *udpLoop) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// close implements driver.
func (l *udpLoop) close() {
	close(l.done)
	<-l.ended
}

// bye tells the server that the players leave, once and without waiting, as
// clients do that are closed.
func (l *udpLoop) bye() {
	for _, u := range l.players {
		if u.dead {
			continue
		}
		u.dead = true
		if n := 0; u.conn != nil {
			u.conn.Abort(enet.ReasonNormal)
			if n, _ = u.conn.Output(l.now(), l.out[:]); n > 0 {
				_, _ = unix.Write(u.fd, l.out[:n])
			}
		}
		_ = unix.Close(u.fd)
	}
}
