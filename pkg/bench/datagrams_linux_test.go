package bench

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Datagrams that the sender gave to the kernel in one piece come out as they were,
// with the time at which they came.
func TestDatagrams(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	PrepareSocket(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	sender, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*unix.SockaddrInet4).Port})
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	var want [][]byte
	for i, size := range []int{100, 100, 40, 7} {
		want = append(want, bytes.Repeat([]byte{byte(i + 1)}, size))
	}
	control := make([]byte, unix.CmsgSpace(2))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(control[unix.CmsgLen(0):], 100)
	before := time.Now().UnixNano()
	if _, _, err := sender.WriteMsgUDP(bytes.Join(want[:3], nil), control, nil); err != nil {
		t.Skip("no UDP_SEGMENT:", err)
	}
	if _, err := sender.Write(want[3]); err != nil {
		t.Fatal(err)
	}
	in := NewDatagrams()
	var got [][]byte
	for i := range in.Read(fd) { // loopback hands over at once
		data, size, wall := in.Message(i)
		if wall < before || wall > time.Now().UnixNano() {
			t.Errorf("came %d ns after it was sent", wall-before)
		}
		for ; len(data) > 0; data = data[min(size, len(data)):] {
			got = append(got, bytes.Clone(data[:min(size, len(data))]))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d datagrams, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("datagram %d: %x, want %x", i, got[i], want[i])
		}
	}
	if n := in.Read(fd); n != 0 {
		t.Errorf("%d more", n)
	}
}

func TestArrival(t *testing.T) {
	const zero = int64(1e18)
	now := 3 * time.Second
	for _, tt := range []struct {
		wall int64
		want time.Duration
	}{
		{0, now}, // unknown
		{zero + int64(time.Second), time.Second},
		{zero + int64(time.Minute), now}, // the system's clock was set meanwhile
	} {
		if got := Arrival(tt.wall, zero, now); got != tt.want {
			t.Errorf("%d: %s, want %s", tt.wall, got, tt.want)
		}
	}
}
