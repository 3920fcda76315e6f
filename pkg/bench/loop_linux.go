package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/gpjson"
	"github.com/boson-project/boson/pkg/photon"
)

// loop drives players from one goroutine: a socket each, one epoll for all. It
// costs a fraction of client.Peer, so that one core can load another one. What
// differs between the transports is a wire.
type loop struct {
	opt    *Options
	counts *counts
	now    func() time.Duration
	epoll  int
	// dial makes a player's connection; it may block.
	dial func(context.Context, *loopPlayer) error
	// gathers: the connections know when things came, so that reading can wait.
	gathers bool
	done    chan struct{} // ends run
	ended   chan struct{}

	mu       sync.Mutex
	entering []*loopPlayer
	sched    *schedule // set when play begins
	played   chan error
	lost     error

	// The loop's own.
	players  []*loopPlayer
	joining  int           // players on their way into a room
	zero     int64         // the run's start by the system's clock, as of this turn
	cameAt   time.Duration // when what is being read came
	gathered time.Duration // when datagrams were read
	swept    time.Duration
	sweptAt  int // the player that the next sweep begins with
	event    []byte
}

// wire is a player's connection. All methods but those of dial are called from
// the loop.
type wire interface {
	// begin sends the init request, if the transport has one.
	begin(now time.Duration) error
	// read takes in what has come and gives its messages to loopPlayer.receive.
	read(now time.Duration) error
	// sweep does what is due: resends, pings, and what did not go out before.
	sweep(now time.Duration) error
	// send sends a message, of which it keeps no reference.
	send(msg []byte, d photon.Delivery) error
	// bye tells the server that the player leaves, as far as that goes at once.
	bye(now time.Duration)
}

const (
	// sweepInterval between two looks at the deadlines of some connections, and
	// sweepMost of them: many idle players must not keep the loop busy.
	sweepInterval = 5 * time.Millisecond
	sweepMost     = 2048
	// gatherTime is how long datagrams may wait to be read together, where the
	// kernel notes when they came.
	gatherTime = time.Millisecond
	// shortSleep is one for which the loop keeps its processor.
	shortSleep = 250 * time.Microsecond
)

// gatherFor is longer for a loop that is behind with sending: then it can offer more.
func gatherFor(behind bool) time.Duration {
	if behind {
		return 5 * gatherTime
	}
	return gatherTime
}

// loopPlayer is one connection of the loop.
type loopPlayer struct {
	loop   *loop
	player *player
	ticket ticket
	fd     int
	wire   wire
	step   int        // of the way into the room
	joined chan error // capacity 1: nil, or why not
	dead   bool
}

// The steps of the way in: what is awaited.
const (
	awaitInit = iota
	awaitAuth
	awaitJoin
	inRoom
)

func newLoop(o *Options, c *counts, now func() time.Duration) (driver, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &loop{
		opt: o, counts: c, now: now, epoll: epoll,
		done: make(chan struct{}), ended: make(chan struct{}), played: make(chan error, 1),
	}
	if o.Transport == client.UDP {
		l.dial, l.gathers = newUDPDialer(o), true
	} else {
		l.dial = newStreamDialer()
	}
	go l.run()
	return l, nil
}

// loopTakes says whether the loop can do what the options want.
func loopTakes(o *Options) bool {
	return !o.Plain && !o.Encrypt && o.Transport != client.SecureWebSocket
}

// enter implements driver.
func (l *loop) enter(ctx context.Context, p *player, t ticket) error {
	u := &loopPlayer{loop: l, player: p, ticket: t, joined: make(chan error, 1)}
	if err := l.dial(ctx, u); err != nil {
		return fmt.Errorf("connect to %s: %w", t.address, err)
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

// run is the loop.
func (l *loop) run() {
	defer close(l.ended)
	defer unix.Close(l.epoll)
	events := make([]unix.EpollEvent, 1024)
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
		wait := sweepInterval
		if len(l.players) == 0 || sched == nil {
			wait = time.Millisecond
		}
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
			l.sweep(now)
		}
		gathers := l.gathers && l.joining == 0 && sched != nil
		switch {
		case wait <= 0:
		case gathers && wait <= shortSleep:
			// So short a sleep is not worth that the scheduler gives the processor to
			// another thread, and takes it back.
			ts := unix.NsecToTimespec(int64(wait))
			_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		case gathers:
			ts := unix.NsecToTimespec(int64(min(wait, gatherTime)))
			_, _ = unix.Ppoll(nil, &ts, nil)
		default:
			ts := unix.NsecToTimespec(int64(wait))
			_, _ = unix.Ppoll(poll, &ts, nil)
		}
		if gathers {
			runtime.Gosched() // nothing else in this loop does
			now = l.now()
			if now-l.gathered < gatherFor(wait <= 0) {
				continue
			}
			l.gathered = now
		}
		n, _ := unix.EpollWait(l.epoll, events, 0)
		l.zero = time.Now().UnixNano() - int64(l.now())
		for i := range max(n, 0) {
			l.read(l.players[events[i].Fd])
		}
	}
}

func (l *loop) sweep(now time.Duration) {
	for range min(len(l.players), sweepMost) {
		l.sweptAt = (l.sweptAt + 1) % len(l.players)
		if u := l.players[l.sweptAt]; !u.dead {
			u.check(u.wire.sweep(now))
		}
	}
}

// start begins a player's connection.
func (l *loop) start(u *loopPlayer) {
	// The epoll's data is the index, not the descriptor.
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(l.players))}
	l.players = append(l.players, u)
	l.joining++
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, u.fd, &event); err != nil {
		u.check(err)
		return
	}
	u.check(u.wire.begin(l.now()))
}

// read takes in what has come for one player.
func (l *loop) read(u *loopPlayer) {
	if u.dead {
		return
	}
	l.counts.mu.Lock()
	now := l.now()
	l.cameAt = now
	err := u.wire.read(now)
	l.counts.mu.Unlock()
	u.check(err)
}

// init is the player's init request.
func (u *loopPlayer) init() photon.Init {
	return photon.Init{Protocol: u.loop.opt.Protocol, AppID: u.loop.opt.AppID, ClientVersion: [4]byte{4, 1, 8, 11}}
}

// check ends a player on an error.
func (u *loopPlayer) check(err error) {
	if err == nil || u.dead {
		return
	}
	u.dead = true
	if u.step < inRoom {
		u.loop.joining--
	}
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

// send implements link.
func (u *loopPlayer) send(msg []byte, d photon.Delivery) error {
	if u.dead {
		return enet.ErrClosed
	}
	return u.wire.send(msg, d)
}

// receive takes one message from the wire. The counts' mutex is held.
func (u *loopPlayer) receive(msg []byte) error {
	if u.loop.opt.Protocol == photon.JSON {
		return u.receiveJSON(msg)
	}
	if len(msg) < 3 {
		return nil
	}
	switch photon.MessageType(msg[1]) {
	case photon.TypeEvent:
		if photon.EventCode(msg[2]) == eventCode {
			u.loop.counts.receive(u.player.pairs, msg, u.loop.cameAt)
		}
	case photon.TypeInitResponse:
		return u.request(awaitInit, photon.OpAuthenticate, u.ticket.auth)
	case photon.TypeResponse:
		return u.response(photon.OpCode(msg[2]), responseError(u.loop.opt.Protocol, msg))
	case photon.TypeDisconnect:
		return errors.New("the server sent a disconnect message")
	}
	return nil
}

func (u *loopPlayer) receiveJSON(msg []byte) error {
	payload, isJSON, _, err := gpjson.NextFrame(msg)
	if err != nil {
		return err
	}
	if !isJSON {
		return u.request(awaitInit, photon.OpAuthenticate, u.ticket.auth)
	}
	m, err := gpjson.ParseMessage(payload, nil)
	if err != nil {
		return err
	}
	switch m.Kind {
	case gpjson.Event:
		if photon.EventCode(m.Code) == eventCode {
			u.loop.counts.receive(u.player.pairs, payload, u.loop.cameAt)
		}
	case gpjson.Response:
		if m.ReturnCode != 0 {
			err = fmt.Errorf("%s: %s: %s", photon.OpCode(m.Code), photon.ReturnCode(m.ReturnCode), m.Debug)
		}
		return u.response(photon.OpCode(m.Code), err)
	}
	return nil
}

// response goes on with an operation's answer.
func (u *loopPlayer) response(op photon.OpCode, err error) error {
	if err != nil {
		return err
	}
	switch op {
	case photon.OpAuthenticate:
		return u.request(awaitAuth, photon.OpJoinGame, u.ticket.join)
	case photon.OpJoinGame:
		if u.step < inRoom {
			u.step = inRoom
			u.loop.joining--
		}
		select {
		case u.joined <- nil:
		default:
		}
	}
	return nil
}

// request goes on from a step with an operation.
func (u *loopPlayer) request(from int, op photon.OpCode, params photon.Params) error {
	if u.step != from {
		return nil
	}
	u.step++
	msg, err := photon.AppendRequest(nil, u.loop.opt.Protocol, op, params)
	if err != nil {
		return err
	}
	return u.wire.send(msg, reliably)
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
func (l *loop) play(ctx context.Context, s *schedule) error {
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
func (l *loop) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// close implements driver.
func (l *loop) close() {
	close(l.done)
	<-l.ended
}

// bye has all players leave, once and without waiting, as clients do that are
// closed.
func (l *loop) bye() {
	for _, u := range l.players {
		if u.dead {
			continue
		}
		u.dead = true
		u.wire.bye(l.now())
		_ = unix.Close(u.fd)
	}
}
