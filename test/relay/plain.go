//go:build linux

package main

import (
	"encoding/binary"
	"flag"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batch        = 64
	datagramSize = 2048
	// socketBuffer is what Boson's sockets ask for as well.
	socketBuffer = 4 << 20
)

// mmsghdr is the kernel's struct of that name.
type mmsghdr struct {
	header unix.Msghdr
	n      uint32
}

// joinMark starts a datagram that puts its sender into a room, whose number follows.
const joinMark = 0xFFFFFFFF

// plain relays: every datagram goes to all others of its sender's room, by
// recvmmsg and sendmmsg, without a copy.
func plain(args []string) error {
	f := flag.NewFlagSet("plain", flag.ContinueOnError)
	listen := f.String("listen", "127.0.0.1:7000", "IPv4 address")
	if err := f.Parse(args); err != nil {
		return err
	}
	addr, err := net.ResolveUDPAddr("udp4", *listen)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, socketBuffer)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}); err != nil {
		return err
	}
	r := &relay{fd: fd, rooms: map[uint32][]*member{}}
	r.prepare()
	for {
		r.turn()
	}
}

// member is one client: where its datagrams go.
type member struct {
	name unix.RawSockaddrInet4
	room uint32
}

type relay struct {
	fd      int
	rooms   map[uint32][]*member
	members [65536]*member // by port: all clients are on one host
	in, out struct {
		msgs  [batch]mmsghdr
		vecs  [batch]unix.Iovec
		names [batch]unix.RawSockaddrInet4
	}
	bufs [batch][datagramSize]byte
	n    int // filled of out
}

func (r *relay) prepare() {
	for i := range batch {
		in, out := &r.in.msgs[i].header, &r.out.msgs[i].header
		in.Name, in.Namelen = (*byte)(unsafe.Pointer(&r.in.names[i])), unix.SizeofSockaddrInet4
		in.Iov = &r.in.vecs[i]
		in.SetIovlen(1)
		r.in.vecs[i].Base = &r.bufs[i][0]
		r.in.vecs[i].SetLen(datagramSize)
		out.Namelen = unix.SizeofSockaddrInet4
		out.Iov = &r.out.vecs[i]
		out.SetIovlen(1)
	}
}

// turn reads a batch and relays it.
func (r *relay) turn() {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(r.fd), uintptr(unsafe.Pointer(&r.in.msgs[0])), batch, unix.MSG_WAITFORONE, 0, 0)
	if errno != 0 {
		return
	}
	for i := range int(n) {
		b, from := r.bufs[i][:r.in.msgs[i].n], &r.in.names[i]
		if len(b) < 8 {
			continue
		}
		if binary.BigEndian.Uint32(b) == joinMark {
			room := binary.BigEndian.Uint32(b[4:])
			m := &member{name: *from, room: room}
			r.members[from.Port] = m
			r.rooms[room] = append(r.rooms[room], m)
			continue
		}
		sender := r.members[from.Port]
		if sender == nil {
			continue
		}
		for _, m := range r.rooms[sender.room] {
			if m == sender {
				continue
			}
			if r.n == batch {
				r.flush()
			}
			r.out.vecs[r.n].Base = &b[0]
			r.out.vecs[r.n].SetLen(len(b))
			r.out.msgs[r.n].header.Name = (*byte)(unsafe.Pointer(&m.name))
			r.n++
		}
	}
	r.flush()
}

func (r *relay) flush() {
	for at := 0; at < r.n; {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(r.fd), uintptr(unsafe.Pointer(&r.out.msgs[at])), uintptr(r.n-at), 0, 0, 0)
		if errno != 0 {
			n = 1 // this one is lost
		}
		at += int(n)
	}
	r.n = 0
}
