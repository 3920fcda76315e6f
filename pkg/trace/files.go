package trace

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/boson-project/boson/pkg/transport"
)

// files are a peer's text and capture.
type files struct {
	text, pcap         *os.File
	textOut, pcapOut   *bufio.Writer
	textSize, pcapSize int
	full               bool
}

// create opens the files of a peer. Their name says when, where and from where,
// and holds nothing that the client chose.
func create(dir, server string, p *peer) (*files, error) {
	name := fmt.Sprintf("%s-%s-%s-%s-%d", p.opened.UTC().Format("20060102T150405.000"), server, p.info.Kind,
		strings.NewReplacer(":", "_", "[", "", "]", "", "%", "_").Replace(p.info.Remote.String()), p.id)
	const flags = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	text, err := os.OpenFile(filepath.Join(dir, name+".txt"), flags, 0o600)
	if err != nil {
		return nil, err
	}
	pcap, err := os.OpenFile(filepath.Join(dir, name+".pcap"), flags, 0o600)
	if err != nil {
		_ = text.Close()
		return nil, err
	}
	f := &files{text: text, pcap: pcap, textOut: bufio.NewWriter(text), pcapOut: bufio.NewWriter(pcap)}
	v := p.info.ClientVersion
	f.line(p.opened, fmt.Sprintf("peer %d of %s, %s from %s to %s, %s, client %d.%d.%d.%d, application %q, token %t",
		p.id, server, p.info.Kind, p.info.Remote, p.info.Local, p.info.Protocol, v[0], v[1], v[2], v[3], p.info.AppID, p.info.Token != nil))
	_, _ = f.pcapOut.Write(pcapHead())
	return f, nil
}

func (f *files) line(at time.Time, text string) {
	n, _ := fmt.Fprintf(f.textOut, "%s %s\n", at.UTC().Format("15:04:05.000000"), text)
	f.textSize += n
}

// message writes one message. It is false when the files are full.
func (f *files) message(info *transport.Info, r record) bool {
	if f.textSize > maxFile || f.pcapSize+len(r.msg) > maxFile {
		if !f.full {
			f.full = true
			f.line(r.at, "this file is full; more messages are not written")
		}
		return false
	}
	arrow := "<-"
	if r.fromClient {
		arrow = "->"
	}
	m, err := decode(info.Protocol, r.msg)
	raw := r.msg
	if err == nil && m.masked {
		raw, err = m.encode(info.Protocol)
	}
	what := m.String()
	if err != nil {
		// What can't be understood can't be masked.
		what, raw = fmt.Sprintf("malformed: %v", err), r.msg[:min(len(r.msg), 2)]
	}
	f.line(r.at, fmt.Sprintf("%s %d bytes, channel %d, mode %d, encrypted %t: %s", arrow, len(r.msg), r.d.Channel, r.d.Mode, r.d.Encrypt, what))
	from, to := info.Local, info.Remote
	if r.fromClient {
		from, to = to, from
	}
	b := appendPacket(nil, r.at, from, to, raw)
	f.pcapSize += len(b)
	_, _ = f.pcapOut.Write(b)
	// A reader wants to see what happens now, and a crash must not take it along.
	_ = f.textOut.Flush()
	_ = f.pcapOut.Flush()
	return true
}

func (f *files) end(r record) { f.line(r.at, "closed: "+r.reason.String()) }

func (f *files) close() {
	_ = f.textOut.Flush()
	_ = f.pcapOut.Flush()
	_ = f.text.Close()
	_ = f.pcap.Close()
}

const (
	pcapMagic   = 0xA1B2C3D4 // times in microseconds
	pcapRawIP   = 101        // packets begin with an IP header
	pcapSnap    = 65535
	udpProtocol = 17
)

// pcapHead is the head of a capture file.
func pcapHead() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, pcapMagic)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4) // version
	b = append(b, make([]byte, 8)...)             // time zone, accuracy
	return le.AppendUint32(le.AppendUint32(b, pcapSnap), pcapRawIP)
}

// appendPacket appends a message as a UDP datagram between two addresses. The
// message is what package photon reads and writes: without the transport's own
// headers, fragments and encryption. What does not fit a datagram is cut off.
func appendPacket(dst []byte, at time.Time, from, to netip.AddrPort, msg []byte) []byte {
	a, b := from.Addr(), to.Addr()
	v4 := a.Is4() && b.Is4()
	head := 40
	if v4 {
		head = 20
	}
	whole := head + 8 + len(msg)
	msg = msg[:min(len(msg), pcapSnap-head-8)]
	size := head + 8 + len(msg)
	le, be := binary.LittleEndian, binary.BigEndian
	dst = le.AppendUint32(dst, uint32(at.Unix()))
	dst = le.AppendUint32(dst, uint32(at.Nanosecond()/1000))
	dst = le.AppendUint32(dst, uint32(size))
	dst = le.AppendUint32(dst, uint32(whole))
	ip := make([]byte, head)
	if v4 {
		ip[0], ip[8], ip[9] = 0x45, 64, udpProtocol
		be.PutUint16(ip[2:], uint16(size))
		s, d := a.As4(), b.As4()
		copy(ip[12:], s[:])
		copy(ip[16:], d[:])
		be.PutUint16(ip[10:], checksum(0, ip))
	} else {
		ip[0], ip[6], ip[7] = 0x60, udpProtocol, 64
		be.PutUint16(ip[4:], uint16(size-head))
		s, d := a.As16(), b.As16()
		copy(ip[8:], s[:])
		copy(ip[24:], d[:])
	}
	udp := be.AppendUint16(nil, from.Port())
	udp = be.AppendUint16(udp, to.Port())
	udp = be.AppendUint16(udp, uint16(8+len(msg)))
	udp = append(append(udp, 0, 0), msg...)
	pseudo := uint32(udpProtocol) + uint32(len(udp))
	addresses := ip[8:]
	if v4 {
		addresses = ip[12:]
	}
	be.PutUint16(udp[6:], checksum(pseudo+sum(addresses), udp))
	return append(append(dst, ip...), udp...)
}

func sum(b []byte) (n uint32) {
	for ; len(b) >= 2; b = b[2:] {
		n += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		n += uint32(b[0]) << 8
	}
	return n
}

// checksum is the Internet's, over b and what start has already.
func checksum(start uint32, b []byte) uint16 {
	n := start + sum(b)
	for n > 0xFFFF {
		n = n>>16 + n&0xFFFF
	}
	if ^uint16(n) == 0 {
		return 0xFFFF
	}
	return ^uint16(n)
}
