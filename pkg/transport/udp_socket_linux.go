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

	out       *outBatch
	outAt     int // next datagram to write
	outMsgs   [udpBatch]message
	outNames  [udpBatch]unix.RawSockaddrInet6
	outVecs   [udpBatch]unix.Iovec
	writeFunc func(fd uintptr) bool
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
		if name, err := unix.Getsockname(int(fd)); err == nil {
			_, s.v4 = name.(*unix.SockaddrInet4)
		}
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

func (s *udpSocket) tryRead(fd uintptr) bool {
	for i := range s.inMsgs {
		s.inMsgs[i].header.Namelen = unix.SizeofSockaddrInet6
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&s.inMsgs[0])), udpBatch, unix.MSG_DONTWAIT, 0, 0)
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

// write sends the datagrams in s.out and empties it. What the kernel refuses is
// lost, like any datagram may be.
func (s *udpSocket) write() error {
	if s.out.n == 0 {
		return nil
	}
	for i := range s.out.n {
		s.outVecs[i].SetLen(s.out.size[i])
		s.outMsgs[i].header.Namelen = toName(&s.outNames[i], s.out.to[i], s.v4)
	}
	s.outAt = 0
	err := s.raw.Write(s.writeFunc)
	s.out.n = 0
	return err
}

func (s *udpSocket) tryWrite(fd uintptr) bool {
	for s.outAt < s.out.n {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&s.outMsgs[s.outAt])), uintptr(s.out.n-s.outAt), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			s.outAt += int(n)
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
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
