package transport

import (
	"context"
	"encoding/binary"
	"net"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// defaultUDPSockets is one per core: the kernel spreads the clients over them
// by a hash of their address.
func defaultUDPSockets() int { return runtime.GOMAXPROCS(0) }

// maxUDPSockets bounds UDPConfig.Sockets.
func maxUDPSockets() int { return 256 }

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	n      uint32
}

// udpSocket reads and writes datagrams in batches, with recvmmsg and sendmmsg.
// One goroutine may read while another one writes. The calls are made here and
// not through golang.org/x/net because that one allocates an address per datagram.
type udpSocket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	v4   bool // an AF_INET socket

	in       *inBatch
	inMsgs   [udpBatch]message
	inNames  [udpBatch]unix.RawSockaddrInet6
	inVecs   [udpBatch]unix.Iovec
	inErr    error
	readFunc func(fd uintptr) bool

	out         *outBatch
	outAt       int // next message to write
	outN        int // messages: runs of datagrams
	outMsgs     [udpBatch]message
	outFirst    [udpBatch]int // of a message's datagrams
	outNames    [udpBatch]unix.RawSockaddrInet6
	outVecs     [udpBatch]unix.Iovec
	outSegments [udpBatch]segmentSize
	writeFunc   func(fd uintptr) bool
	// segments: the kernel cuts one message into datagrams (UDP_SEGMENT), which
	// spares it most of its work for all but the first.
	segments bool
}

// openUDP binds a socket. With join it shares its address with one that has
// called share; without, the address must be free.
func openUDP(addr string, join bool) (*udpSocket, error) {
	var lc net.ListenConfig
	if join {
		lc.Control = func(_, _ string, c syscall.RawConn) error { return reusePort(c) }
	}
	pc, err := lc.ListenPacket(context.Background(), "udp", addr)
	if err != nil {
		return nil, err
	}
	s := &udpSocket{conn: pc.(*net.UDPConn), in: &inBatch{}, out: &outBatch{}}
	s.readFunc, s.writeFunc = s.tryRead, s.tryWrite
	// The kernel cuts what is more than it allows.
	_ = s.conn.SetReadBuffer(udpSocketBuffer)
	_ = s.conn.SetWriteBuffer(udpSocketBuffer)
	if s.raw, err = s.conn.SyscallConn(); err != nil {
		_ = s.conn.Close()
		return nil, err
	}
	err = s.raw.Control(func(fd uintptr) {
		// With CAP_NET_ADMIN the limit of the system (net.core.rmem_max) does not hold.
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, udpSocketBuffer)
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, udpSocketBuffer)
		if name, err := unix.Getsockname(int(fd)); err == nil {
			_, s.v4 = name.(*unix.SockaddrInet4)
		}
		_, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT)
		s.segments = err == nil
	})
	if err != nil {
		_ = s.conn.Close()
		return nil, err
	}
	for i := range udpBatch {
		s.inVecs[i].Base = &s.in.bufs[i][0]
		s.inVecs[i].SetLen(udpReadSize)
		prepare(&s.inMsgs[i], &s.inNames[i], &s.inVecs[i])
		s.outVecs[i].Base = &s.out.bufs[i][0]
		prepare(&s.outMsgs[i], &s.outNames[i], &s.outVecs[i])
		h := &s.outSegments[i].header
		h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		h.SetLen(unix.CmsgLen(2))
	}
	return s, nil
}

// share lets further sockets of this process join s on its address. It is set
// only after s is bound: otherwise two servers could share a port unnoticed.
func (s *udpSocket) share() error { return reusePort(s.raw) }

func reusePort(c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	if err != nil {
		return err
	}
	return failed
}

func prepare(m *message, name *unix.RawSockaddrInet6, vec *unix.Iovec) {
	m.header.Name = (*byte)(unsafe.Pointer(name))
	m.header.Namelen = unix.SizeofSockaddrInet6
	m.header.Iov = vec
	m.header.SetIovlen(1)
}

// read waits for datagrams and puts them into s.in.
func (s *udpSocket) read() error {
	s.in.n, s.inErr = 0, nil
	if err := s.raw.Read(s.readFunc); err != nil {
		return err
	}
	return s.inErr
}

// tryRead never waits, and its call is raw for that: the scheduler, told of it,
// would take the processor away from calls that last long because of their work.
func (s *udpSocket) tryRead(fd uintptr) bool {
	for i := range s.inMsgs {
		s.inMsgs[i].header.Namelen = unix.SizeofSockaddrInet6
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&s.inMsgs[0])), udpBatch, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			s.in.n = int(n)
			for i := range s.in.n {
				m := &s.inMsgs[i]
				size := int(m.n)
				if m.header.Flags&unix.MSG_TRUNC != 0 {
					size = 0
				}
				s.in.data[i] = s.in.bufs[i][:size]
				s.in.from[i] = fromName(&s.inNames[i])
			}
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			s.inErr = errno
			return true
		}
	}
}

// segmentSize is a control message with the size of the datagrams that a message
// is cut into.
type segmentSize struct {
	header unix.Cmsghdr
	size   uint16
	_      [6]byte // to the kernel's alignment
}

const (
	// maxSegments of one message that all kernels with UDP_SEGMENT take.
	maxSegments = 64
	// maxSegmented bytes of one message: the longest IP packet without headers.
	maxSegmented = 65535 - 40 - 8
)

// write sends the datagrams in s.out and empties it. What the kernel refuses is
// lost, like any datagram may be.
func (s *udpSocket) write() error {
	if s.out.n == 0 {
		return nil
	}
	s.join(0, s.segments)
	err := s.raw.Write(s.writeFunc)
	s.out.n = 0
	return err
}

// join makes the messages of the batch from a datagram on, each of one datagram
// or of a run.
func (s *udpSocket) join(first int, runs bool) {
	s.outAt, s.outN = 0, 0
	for first < s.out.n {
		n := 1
		if runs {
			n = s.run(first)
		}
		s.outFirst[s.outN] = first
		for i := first; i < first+n; i++ {
			s.outVecs[i].SetLen(s.out.size[i])
		}
		h := &s.outMsgs[s.outN].header
		h.Name = (*byte)(unsafe.Pointer(&s.outNames[s.outN]))
		h.Namelen = toName(&s.outNames[s.outN], s.out.to[first], s.v4)
		h.Iov = &s.outVecs[first]
		h.SetIovlen(n)
		h.Control = nil
		h.SetControllen(0)
		if n > 1 {
			c := &s.outSegments[s.outN]
			c.size = uint16(s.out.size[first])
			h.Control = (*byte)(unsafe.Pointer(c))
			h.SetControllen(int(unsafe.Sizeof(*c)))
		}
		s.outN++
		first += n
	}
}

// run is the number of datagrams from first on that may be one message: they go
// to the same client and have the same size, but for the last, which may be shorter.
func (s *udpSocket) run(first int) int {
	size := s.out.size[first]
	total := size
	n := 1
	for i := first + 1; i < s.out.n && n < maxSegments; i++ {
		total += s.out.size[i]
		if s.out.to[i] != s.out.to[first] || s.out.size[i] > size || total > maxSegmented {
			break
		}
		n++
		if s.out.size[i] < size {
			break
		}
	}
	return n
}

// tryWrite never waits either.
func (s *udpSocket) tryWrite(fd uintptr) bool {
	for s.outAt < s.outN {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&s.outMsgs[s.outAt])), uintptr(s.outN-s.outAt), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			s.outAt += int(n)
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			if s.outMsgs[s.outAt].header.Iovlen > 1 {
				// The way to this client can't cut, or has a smaller MTU: one by one.
				s.segments = s.segments && errno != unix.EIO
				s.join(s.outFirst[s.outAt], false)
				continue
			}
			s.outAt++ // this one cannot be sent: no route, a filter, ...
		}
	}
	return true
}

func fromName(name *unix.RawSockaddrInet6) (e endpoint) {
	if name.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		e.ip[10], e.ip[11] = 0xFF, 0xFF
		copy(e.ip[12:], v4.Addr[:])
		e.port = uint32(networkPort(&v4.Port))
		return e
	}
	e.ip, e.scope, e.port = name.Addr, name.Scope_id, uint32(networkPort(&name.Port))
	return e
}

// toName writes e as the socket's address family and returns its length.
func toName(name *unix.RawSockaddrInet6, e endpoint, v4 bool) uint32 {
	if v4 {
		n := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		n.Family = unix.AF_INET
		copy(n.Addr[:], e.ip[12:])
		setNetworkPort(&n.Port, e.port)
		return unix.SizeofSockaddrInet4
	}
	*name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: e.ip, Scope_id: e.scope}
	setNetworkPort(&name.Port, e.port)
	return unix.SizeofSockaddrInet6
}

// Ports stand in network byte order in the kernel's structures.
func networkPort(p *uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:])
}

func setNetworkPort(p *uint16, port uint32) {
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(p))[:], uint16(port))
}

func (s *udpSocket) close() error { return s.conn.Close() }
