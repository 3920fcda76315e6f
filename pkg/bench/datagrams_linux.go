package bench

import (
	"encoding/binary"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Datagrams reads from UDP sockets, one after the other into the same buffers. It
// belongs to one goroutine.
//
// Two options make reading cheap and its times true. With UDP_GRO the kernel hands
// over a run of datagrams that the server sent as one message (UDP_SEGMENT) in one
// piece, as a network card that cuts and joins would. With SO_TIMESTAMPNS it notes
// when each came, so that the loop may let some gather and read them together: the
// latency is that of the network and the server, not of this process.
type Datagrams struct {
	msgs    [recvBatch]mmsghdr
	vecs    [recvBatch]unix.Iovec
	bufs    [recvBatch][recvSize]byte
	control [recvBatch]controlBuffer
}

const (
	// recvBatch messages are read from a socket at once.
	recvBatch = 16
	// recvSize is the longest run of datagrams.
	recvSize = 1 << 16
)

// mmsghdr is the kernel's struct of that name.
type mmsghdr struct {
	header unix.Msghdr
	n      uint32
}

// controlBuffer is aligned as the kernel's control messages are.
type controlBuffer [12]uint64

// PrepareSocket asks for runs of datagrams and times of arrival. A kernel that knows
// neither gives single datagrams without a time.
func PrepareSocket(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
}

// NewDatagrams makes the buffers, a megabyte of which only what is used is touched.
func NewDatagrams() *Datagrams {
	r := &Datagrams{}
	for i := range r.msgs {
		r.vecs[i].Base = &r.bufs[i][0]
		r.vecs[i].SetLen(recvSize)
		r.msgs[i].header.Iov = &r.vecs[i]
		r.msgs[i].header.SetIovlen(1)
		r.msgs[i].header.Control = (*byte)(unsafe.Pointer(&r.control[i]))
	}
	return r
}

// Read reads what there is and returns the number of messages, 0 if there are none
// or an ICMP message came.
func (r *Datagrams) Read(fd int) int {
	for i := range r.msgs {
		r.msgs[i].header.SetControllen(int(unsafe.Sizeof(r.control[i])))
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.msgs[0])), recvBatch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// Message returns a message that was read, the size of the datagrams it consists of
// but for the last, and when it came by the system's clock; 0: unknown.
func (r *Datagrams) Message(i int) (data []byte, size int, wall int64) {
	data = r.bufs[i][:r.msgs[i].n]
	size = max(len(data), 1)
	b := unsafe.Slice((*byte)(unsafe.Pointer(&r.control[i])), unsafe.Sizeof(r.control[i]))[:r.msgs[i].header.Controllen]
	for len(b) >= unix.CmsgLen(0) {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		length := int(h.Len)
		if length < unix.CmsgLen(0) || length > len(b) {
			break
		}
		value := b[unix.CmsgLen(0):length]
		switch {
		case h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(value) >= 4:
			if n := int(binary.NativeEndian.Uint32(value)); n > 0 {
				size = n
			}
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS && len(value) >= int(unsafe.Sizeof(unix.Timespec{})):
			wall = (*unix.Timespec)(unsafe.Pointer(&value[0])).Nano()
		}
		b = b[min(unix.CmsgSpace(length-unix.CmsgLen(0)), len(b)):]
	}
	return data, size, wall
}

// Arrival turns a time of the system's clock, in ns, into one of a run that began at
// zero by that clock. Without a time it is now.
func Arrival(wall, zero int64, now time.Duration) time.Duration {
	if wall == 0 {
		return now
	}
	return min(time.Duration(wall-zero), now)
}
