package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/boson-project/boson/pkg/enet"
	"github.com/boson-project/boson/pkg/photon"
)

// udpShared is what the UDP connections of one loop share.
type udpShared struct {
	cfg  *enet.Config
	in   *Datagrams
	out  [enet.MaxMTU]byte
	slab photon.Slab
}

// loopAckDelay is how long the loop's connections keep acknowledgements for
// company: official clients send theirs at every service call, 10 to 50 ms.
const loopAckDelay = 10 * time.Millisecond

// udpWire is one UDP connection of the loop.
type udpWire struct {
	*udpShared
	u     *loopPlayer
	conn  *enet.Conn
	dirty bool // has something to send
}

func newUDPDialer(o *Options) func(context.Context, *loopPlayer) error {
	s := &udpShared{cfg: enet.ClientConfig(), in: NewDatagrams()}
	s.cfg.AckDelay = loopAckDelay
	return func(_ context.Context, u *loopPlayer) error {
		addr, err := net.ResolveUDPAddr("udp", u.ticket.address)
		if err != nil {
			return err
		}
		u.wire = &udpWire{udpShared: s, u: u}
		u.fd, err = connectedSocket(addr, u.player.from)
		return err
	}
}

// connectedSocket is a UDP socket to addr, from an address if it is valid.
func connectedSocket(addr *net.UDPAddr, from netip.Addr) (int, error) {
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: addr.Port, Addr: [16]byte(addr.IP.To16())})
	if ip := addr.IP.To4(); ip != nil {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(ip)}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20)
	PrepareSocket(fd)
	if from.Is4() && family == unix.AF_INET {
		// The port is chosen by connect, which can use one for many addresses.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()})
	}
	if err == nil {
		err = unix.Connect(fd, sa)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// begin implements wire.
func (w *udpWire) begin(now time.Duration) error {
	w.conn = enet.NewClientConn(w.cfg, enet.Connect{}, rand.Uint32(), now)
	if err := w.conn.Send(photon.AppendInit(nil, w.u.init(), ""), reliably); err != nil {
		return err
	}
	return w.flush()
}

// read implements wire.
func (w *udpWire) read(now time.Duration) error {
	n := w.in.Read(w.u.fd)
	in := udpReceiver{w: w}
	for i := range n {
		data, size, wall := w.in.Message(i)
		w.u.loop.cameAt = Arrival(wall, w.u.loop.zero, now)
		for len(data) > 0 {
			datagram := data[:min(size, len(data))]
			data = data[len(datagram):]
			err := w.conn.Input(now, datagram, &in)
			if errors.Is(err, enet.ErrProtocol) || errors.Is(err, enet.ErrMessageTooBig) {
				return err
			}
		}
	}
	if in.err != nil {
		return in.err
	}
	if w.dirty || w.conn.Deadline() <= now {
		return w.flush()
	}
	return nil
}

// udpReceiver implements enet.Receiver for one read.
type udpReceiver struct {
	w   *udpWire
	err error
}

// Receive implements enet.Receiver.
func (r *udpReceiver) Receive(msg []byte, _ photon.Delivery) {
	if r.err == nil {
		r.err = r.w.u.receive(msg)
	}
}

// sweep implements wire.
func (w *udpWire) sweep(now time.Duration) error {
	if w.conn.Deadline() > now {
		return nil
	}
	return w.flush()
}

// flush sends what is due.
func (w *udpWire) flush() error {
	w.dirty = false
	for more := true; more; {
		var n int
		n, more = w.conn.Output(w.u.loop.now(), w.out[:])
		if n > 0 {
			// What the kernel can't take is lost, as on the way.
			_, _, _ = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(w.u.fd), uintptr(unsafe.Pointer(&w.out[0])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
		}
	}
	if w.conn.State() >= enet.Leaving {
		return fmt.Errorf("connection ended (cause %d, reason %d)", w.conn.Cause(), w.conn.RemoteReason())
	}
	return nil
}

// send implements wire. What an answer brings about waits until all of the read
// is taken in, an event does not.
func (w *udpWire) send(msg []byte, d photon.Delivery) error {
	if err := w.conn.Send(w.slab.Copy(msg), d); err != nil {
		return err
	}
	if w.u.step < inRoom {
		w.dirty = true
		return nil
	}
	return w.flush()
}

// bye implements wire.
func (w *udpWire) bye(now time.Duration) {
	if w.conn == nil {
		return
	}
	w.conn.Abort(enet.ReasonNormal)
	if n, _ := w.conn.Output(now, w.out[:]); n > 0 {
		_, _ = unix.Write(w.u.fd, w.out[:n])
	}
}
