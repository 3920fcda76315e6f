package transport

import (
	"net/netip"
	"strconv"

	"github.com/boson-project/boson/pkg/enet"
)

const (
	// udpBatch is the number of datagrams that one system call reads or writes.
	udpBatch = 64
	// udpReadSize is the longest datagram that is read. A client's MTU is 1200 by
	// default and seldom above an Ethernet frame; longer ones are lost.
	udpReadSize = 4096
	// udpSocketBuffer is asked for in both directions, in bytes. The kernel gives
	// what its own limits allow.
	udpSocketBuffer = 4 << 20
)

// endpoint is a client's address as the sockets know it: IPv6, or IPv4 mapped.
// It is the key of the peers and needs no memory of its own.
type endpoint struct {
	ip    [16]byte
	port  uint32
	scope uint32 // of a link-local address
}

func endpointFrom(ap netip.AddrPort) endpoint {
	e := endpoint{ip: ap.Addr().As16(), port: uint32(ap.Port())}
	if zone := ap.Addr().Zone(); zone != "" {
		if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
			e.scope = uint32(n)
		}
	}
	return e
}

// addr is the address without its port, unmapped.
func (e endpoint) addr() netip.Addr {
	a := netip.AddrFrom16(e.ip).Unmap()
	if e.scope != 0 && a.Is6() {
		a = a.WithZone(strconv.FormatUint(uint64(e.scope), 10))
	}
	return a
}

func (e endpoint) addrPort() netip.AddrPort { return netip.AddrPortFrom(e.addr(), uint16(e.port)) }

// inBatch holds the datagrams of one read.
type inBatch struct {
	n    int
	from [udpBatch]endpoint
	data [udpBatch][]byte // the datagrams, in bufs
	bufs [udpBatch][udpReadSize]byte
}

// outBatch holds the datagrams of one write.
type outBatch struct {
	n    int
	to   [udpBatch]endpoint
	size [udpBatch]int
	bufs [udpBatch][enet.MaxMTU]byte
}

func (b *outBatch) full() bool { return b.n == udpBatch }

// space is where the next datagram goes; add counts it.
func (b *outBatch) space() []byte { return b.bufs[b.n][:] }

func (b *outBatch) add(to endpoint, size int) {
	b.to[b.n], b.size[b.n] = to, size
	b.n++
}
