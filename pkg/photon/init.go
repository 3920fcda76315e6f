package photon

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// Init is what a client says of itself when it connects (wire.md 4.2, 4.3).
type Init struct {
	Protocol Protocol
	// AppID as it arrived: at most 32 bytes in the binary form.
	AppID string
	// Token is the typed value of the token in Protocol's format, or nil. It
	// aliases the message.
	Token []byte
	// ClientVersion as four numbers.
	ClientVersion [4]byte
	// IPv6 is the client's word that it is connected over IPv6.
	IPv6 bool
	// SDKID is the byte at offset 4 of the binary form (client SDK and build kind).
	SDKID byte
	// HasToken is true when the client announces that a token follows in a
	// framed init request (WebSocket, "xInit", wire.md 6.4).
	HasToken bool
}

// InitResponse is the message that ends the init phase (wire.md 4.4). It must
// not be changed.
var InitResponse = []byte{Magic, byte(TypeInitResponse), 0}

const (
	initBinaryLen  = 41
	initAppIDLen   = 32
	initMaxHTTPLen = 64 << 10
)

// ParseInit reads an init request in its binary or HTTP form. Token aliases msg.
func ParseInit(msg []byte) (Init, error) {
	if bytes.HasPrefix(msg, []byte("POST ")) {
		return parseInitHTTP(msg)
	}
	if len(msg) < initBinaryLen {
		return Init{}, fmt.Errorf("init request of %d bytes, want %d", len(msg), initBinaryLen)
	}
	if msg[0] != Magic && msg[0] != magicAlt || msg[1] != byte(TypeInit) {
		return Init{}, fmt.Errorf("init request starts with %02x %02x, want f3 00", msg[0], msg[1])
	}
	if msg[2] != 1 {
		return Init{}, fmt.Errorf("init request at offset 2: protocol major %d, want 1", msg[2])
	}
	in := Init{SDKID: msg[4]}
	switch msg[3] {
	case byte(gpbinary.V16):
		in.Protocol = GpBinaryV16
	case byte(gpbinary.V18):
		in.Protocol = GpBinaryV18
	default:
		return Init{}, fmt.Errorf("init request at offset 3: protocol minor %d, want 6 or 8", msg[3])
	}
	// 4.1 clients pack the first two numbers into one byte, with the IPv6 bit on
	// top; 4.0 clients write four plain bytes, the first of which is below 0x10.
	if v := msg[5:9]; v[0] >= 0x10 {
		in.IPv6 = v[0]&0x80 != 0
		in.ClientVersion = [4]byte{v[0] >> 4 & 7, v[0] & 15, v[1], v[2]}
	} else {
		in.ClientVersion = [4]byte(v)
	}
	id, _, _ := bytes.Cut(msg[9:9+initAppIDLen], []byte{0})
	in.AppID = string(id)
	return in, nil
}

func parseInitHTTP(msg []byte) (Init, error) {
	if len(msg) > initMaxHTTPLen {
		return Init{}, fmt.Errorf("init request of %d bytes, at most %d", len(msg), initMaxHTTPLen)
	}
	head, body, ok := bytes.Cut(msg, []byte("\r\n\r\n"))
	if !ok {
		return Init{}, errors.New("init request: no end of the HTTP header")
	}
	lines := strings.Split(string(head), "\r\n")
	parts := strings.Fields(lines[0])
	if len(parts) < 2 {
		return Init{}, errors.New("init request: no request target")
	}
	_, query, _ := strings.Cut(parts[1], "?")
	in, err := ParseInitQuery(query)
	if err != nil {
		return Init{}, err
	}
	length := len(body)
	for _, l := range lines[1:] {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.EqualFold(strings.TrimSpace(k), "Content-Length") {
			length, err = strconv.Atoi(strings.TrimSpace(v))
			if err != nil || length < 0 || length > len(body) {
				return Init{}, fmt.Errorf("init request: Content-Length %q, body has %d bytes", strings.TrimSpace(v), len(body))
			}
		}
	}
	body = body[:length]
	if len(body) == 0 {
		return in, nil
	}
	n, err := gpbinary.Skip(gpbinary.Version(in.Protocol), body)
	if err != nil {
		return Init{}, fmt.Errorf("init request: token: %w", err)
	}
	in.Token = body[:n]
	return in, nil
}

// ParseInitQuery reads the query of an init request in HTTP form, or of a
// WebSocket upgrade. Unknown and empty entries are ignored. Without a
// "protocol" entry Protocol is GpBinaryV18; a WebSocket's sub-protocol decides
// over it.
func ParseInitQuery(query string) (Init, error) {
	in := Init{Protocol: GpBinaryV18}
	for entry := range strings.SplitSeq(query, "&") {
		k, v, _ := strings.Cut(entry, "=")
		if u, err := url.QueryUnescape(v); err == nil {
			v = u
		}
		switch k {
		case "app":
			in.AppID = v
		case "protocol":
			switch v {
			case GpBinaryV16.String():
				in.Protocol = GpBinaryV16
			case GpBinaryV18.String():
				in.Protocol = GpBinaryV18
			default:
				return Init{}, fmt.Errorf("init request: protocol %.32q, want GpBinaryV16 or GpBinaryV18", v)
			}
		case "clientversion", "libversion":
			in.ClientVersion = parseVersion(v)
		case "sid":
			if n, err := strconv.ParseUint(v, 10, 8); err == nil {
				in.SDKID = byte(n)
			}
		case "xInit":
			in.HasToken = true
		case "IPv6":
			in.IPv6 = true
		}
	}
	return in, nil
}

func parseVersion(s string) (v [4]byte) {
	i := 0
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || i == len(v) {
			return v
		}
		v[i] = byte(n)
		i++
	}
	return v
}

// AppendInit appends an init request, as a client sends it: binary without a
// token, HTTP form with one. token is a typed value in in.Protocol's format;
// host is the address that the client connects to.
func AppendInit(dst []byte, in Init, host string) []byte {
	if in.Token == nil {
		v := in.ClientVersion
		packed := v[0]<<4 | v[1]&15
		if in.IPv6 {
			packed |= 0x80
		}
		dst = append(dst, Magic, byte(TypeInit), 1, byte(in.Protocol), in.SDKID, packed, v[2], v[3], 0)
		var id [initAppIDLen]byte
		copy(id[:], in.AppID)
		return append(dst, id[:]...)
	}
	ipv6 := ""
	if in.IPv6 {
		ipv6 = "&IPv6"
	}
	v := in.ClientVersion
	dst = fmt.Appendf(dst, "POST /?init=&app=%s&clientversion=%d.%d.%d.%d&protocol=%s&sid=%d&%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n",
		url.QueryEscape(in.AppID), v[0], v[1], v[2], v[3], in.Protocol, in.SDKID, ipv6, host, len(in.Token))
	return append(dst, in.Token...)
}
