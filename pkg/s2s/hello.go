package s2s

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/boson-project/boson/pkg/gpbinary"
)

// Hello is what one server says about itself when a link opens (cluster.md
// 12.2). The accepting side answers with ID, Role and Generation only.
type Hello struct {
	ID         string
	Role       byte  // 1 name server, 2 master, 3 game server
	Generation int64 // start of the process, Unix milliseconds
	Cluster    string
	Region     string
	Version    string            // of the software
	Addresses  map[string]string // for clients, by transport: udp4, udp6, tcp4, tcp6, ws, wss
	State      byte              // 0 normal, 1 out of rotation, 2 offline
}

// Roles of Hello.
const (
	RoleNameServer byte = 1
	RoleMaster     byte = 2
	RoleGameServer byte = 3
)

// DialsMaster says which of two masters dials the other: the one of smaller id
// (cluster.md 12.1).
func DialsMaster(self, other string) bool { return self < other }

// maxID bounds the texts of a Hello that are kept as map keys, in bytes.
const maxID = 256

// hello is the operation, with what the handshake needs besides.
type hello struct {
	Hello
	protocol string
	nonce    [16]byte
}

func (h *hello) params() gpbinary.Params {
	addresses := &gpbinary.Dictionary{
		Key: gpbinary.TypeDesc{Kind: gpbinary.KindString},
		Val: gpbinary.TypeDesc{Kind: gpbinary.KindString},
	}
	for _, k := range slices.Sorted(maps.Keys(h.Addresses)) {
		addresses.Pairs = append(addresses.Pairs, gpbinary.Pair{Key: k, Value: h.Addresses[k]})
	}
	return gpbinary.Params{
		param(1, h.protocol), param(2, h.ID), param(3, h.Role), param(4, h.Generation),
		param(5, h.Cluster), param(6, h.Region), param(7, h.Version), param(8, addresses),
		param(9, h.State), param(10, h.nonce[:]),
	}
}

// replyParams are those of the accepting side's answer. It always asks for a
// snapshot (15): nothing of an earlier link is kept across one.
func (h *hello) replyParams() gpbinary.Params {
	return gpbinary.Params{
		param(1, h.protocol), param(2, h.ID), param(3, h.Role), param(4, h.Generation),
		param(10, h.nonce[:]), param(15, true),
	}
}

func parseHello(p gpbinary.Params) (h hello, err error) {
	f := fields{params: p}
	h = hello{
		Hello: Hello{
			ID: field[string](&f, 2), Role: field[byte](&f, 3), Generation: field[int64](&f, 4),
			Cluster: field[string](&f, 5), Region: field[string](&f, 6), Version: field[string](&f, 7),
			State: field[byte](&f, 9),
		},
		protocol: field[string](&f, 1),
		nonce:    f.array16(10),
	}
	if d := field[*gpbinary.Dictionary](&f, 8); d != nil {
		h.Addresses = make(map[string]string, len(d.Pairs))
		for _, p := range d.Pairs {
			k, ok1 := p.Key.(string)
			v, ok2 := p.Value.(string)
			if ok1 && ok2 {
				h.Addresses[k] = v
			}
		}
	}
	return h, f.err
}

// compatible says whether the other side's protocol has the same major version.
func compatible(protocol string) bool {
	own, _, _ := strings.Cut(ProtocolVersion, ".")
	other, _, ok := strings.Cut(protocol, ".")
	return ok && own == other
}

// Labels of the two sides keep one's code from passing as the other's.
const (
	macClient = "client"
	macServer = "server"
)

// authCode proves that its maker knows the key: HMAC-SHA256 over the label, the
// nonce that the other side drew, and the maker's id and generation (cluster.md 12.2).
func authCode(key []byte, label string, nonce [16]byte, id string, generation int64) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("boson-s2s-v1\x00" + label + "\x00"))
	m.Write(nonce[:])
	m.Write([]byte(id + "\x00"))
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(generation)))
	return m.Sum(nil)
}
