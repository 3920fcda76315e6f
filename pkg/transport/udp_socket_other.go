//go:build !linux

package transport

import "net"

// Other systems do not spread clients over sockets: there is one.
func defaultUDPSockets() int { return 1 }

func maxUDPSockets() int { return 1 }

// udpSocket reads and writes datagrams one by one. One goroutine may read while
// another one writes.
type udpSocket struct {
	conn *net.UDPConn
	in   *inBatch
	out  *outBatch
}

func openUDP(addr string, _ bool) (*udpSocket, error) {
	a, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", a)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(udpSocketBuffer)
	_ = conn.SetWriteBuffer(udpSocketBuffer)
	return &udpSocket{conn: conn, in: &inBatch{}, out: &outBatch{}}, nil
}

// share is not needed where there is one socket.
func (s *udpSocket) share() error { return nil }

// read waits for a datagram and puts it into s.in.
func (s *udpSocket) read() error {
	s.in.n = 0
	n, from, err := s.conn.ReadFromUDPAddrPort(s.in.bufs[0][:])
	if err != nil {
		return err
	}
	s.in.n = 1
	s.in.data[0] = s.in.bufs[0][:n]
	s.in.from[0] = endpointFrom(from)
	return nil
}

// write sends the datagrams in s.out and empties it. What the system refuses is
// lost, like any datagram may be.
func (s *udpSocket) write() error {
	var failed error
	for i := range s.out.n {
		to := s.out.to[i].addrPort()
		if _, err := s.conn.WriteToUDPAddrPort(s.out.bufs[i][:s.out.size[i]], to); err != nil {
			failed = err
		}
	}
	s.out.n = 0
	return failed
}

func (s *udpSocket) close() error { return s.conn.Close() }
