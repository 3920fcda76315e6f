package transport

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func testSocket(t *testing.T) *udpSocket {
	t.Helper()
	s, err := openUDP("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s
}

// A run is what the kernel can cut: one client, one size, the last may be shorter.
func TestUDPRuns(t *testing.T) {
	s := testSocket(t)
	for _, c := range []struct {
		name  string
		ports []uint32
		sizes []int
		want  []int // datagrams per message
	}{
		{"one", []uint32{1}, []int{100}, []int{1}},
		{"same size", []uint32{1, 1, 1}, []int{100, 100, 100}, []int{3}},
		{"shorter ends", []uint32{1, 1, 1, 1}, []int{100, 100, 50, 50}, []int{3, 1}},
		{"longer begins", []uint32{1, 1, 1}, []int{50, 100, 100}, []int{1, 2}},
		{"other client", []uint32{1, 1, 2, 2, 1}, []int{100, 100, 100, 100, 100}, []int{2, 2, 1}},
		{"too long", slices.Repeat([]uint32{1}, 60), slices.Repeat([]int{1400}, 60), []int{46, 14}},
	} {
		for i, port := range c.ports {
			s.out.add(endpoint{port: port}, c.sizes[i])
		}
		s.join(0, true)
		var got []int
		for i := range s.outN {
			got = append(got, int(s.outMsgs[i].header.Iovlen))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		s.join(0, false)
		if s.outN != len(c.ports) {
			t.Errorf("%s: %d messages without runs", c.name, s.outN)
		}
		s.out.n = 0
	}
}

// All datagrams of a batch arrive whole and in order: cut by the kernel, one by
// one, and where the kernel refuses to cut.
func TestUDPWriteRuns(t *testing.T) {
	for name, prepare := range map[string]func(*udpSocket){
		"cut":        func(*udpSocket) {},
		"one by one": func(s *udpSocket) { s.segments = false },
		"refused": func(s *udpSocket) {
			s.segments = true
			// Without checksums the kernel cuts nothing.
			err := s.raw.Control(func(fd uintptr) {
				if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_NO_CHECK, 1); err != nil {
					t.Error(err)
				}
			})
			if err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := testSocket(t)
			prepare(s)
			var clients []*net.UDPConn
			for range 2 {
				c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				clients = append(clients, c)
			}
			sizes := []int{900, 900, 900, 300, 900, 900, 20}
			for _, c := range clients {
				to := endpointFrom(c.LocalAddr().(*net.UDPAddr).AddrPort())
				for i, size := range sizes {
					b := s.out.space()[:size]
					for j := range b {
						b[j] = byte(i)
					}
					s.out.add(to, size)
				}
			}
			if err := s.write(); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 2000)
			for _, c := range clients {
				for i, size := range sizes {
					_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
					n, from, err := c.ReadFromUDPAddrPort(buf)
					if err != nil {
						t.Fatalf("datagram %d: %v", i, err)
					}
					if n != size || buf[0] != byte(i) || buf[n-1] != byte(i) {
						t.Errorf("datagram %d: %d bytes of %d, first %d", i, n, size, buf[0])
					}
					if want := s.conn.LocalAddr().(*net.UDPAddr).AddrPort(); from != netip.AddrPortFrom(want.Addr().Unmap(), want.Port()) {
						t.Errorf("from %v", from)
					}
				}
			}
		})
	}
}
