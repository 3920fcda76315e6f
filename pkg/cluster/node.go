package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
)

// Role is what a server does in the cluster.
type Role byte

// Roles, with the numbers of the wire (cluster.md 11).
const (
	NameServer Role = 1
	Master     Role = 2
	GameServer Role = 3
)

// String returns the role's word, as in configuration and logs.
func (r Role) String() string {
	switch r {
	case NameServer:
		return "nameserver"
	case Master:
		return "master"
	case GameServer:
		return "gameserver"
	default:
		return "unknown"
	}
}

// State is a server's readiness for new work (cluster.md 2.5).
type State byte

// States. A server out of rotation keeps what it has and takes nothing new.
const (
	Normal        State = 0
	OutOfRotation State = 1
	Offline       State = 2
)

// String returns the state's word.
func (s State) String() string {
	switch s {
	case Normal:
		return "normal"
	case OutOfRotation:
		return "out_of_rotation"
	case Offline:
		return "offline"
	default:
		return "unknown"
	}
}

// Node is what a server tells the others about itself. It is a value; its map
// is never changed once the node was handed out.
type Node struct {
	ID      string // unique in the cluster
	Role    Role
	State   State
	Cluster string
	Region  string
	S2S     string // address:port of the server-to-server listener, may be empty
	Admin   string // address:port of the admin service, may be empty
	// Addresses for clients by transport, as clients must receive them:
	// host:port for UDP and TCP, ws://host:port, wss://host:port.
	Addresses map[string]string
	Version   string // of the software
	// Generation is the time of the server's start in Unix milliseconds; it
	// tells a server from an earlier life of the same id.
	Generation int64

	// Full are hashes (HashApp) of the AppIds that have as many players as they may
	// on this master, at most MaxFull.
	Full []uint64

	// leaving is true in the last words of a server that exits cleanly: gossip
	// itself does not tell a goodbye from a death.
	leaving bool
}

// Equal says whether two nodes agree in every exported field.
func (n *Node) Equal(o *Node) bool {
	return n.ID == o.ID && n.Role == o.Role && n.State == o.State && n.Cluster == o.Cluster &&
		n.Region == o.Region && n.S2S == o.S2S && n.Admin == o.Admin && n.Version == o.Version &&
		n.Generation == o.Generation && maps.Equal(n.Addresses, o.Addresses) && slices.Equal(n.Full, o.Full)
}

// MaxMetaSize is the most that gossip carries per server, in bytes.
const MaxMetaSize = 512

// MaxFull is the most full applications that a master tells of.
const MaxFull = 16

// HashApp returns the number that stands for an AppId in Node.Full (FNV-1a).
func HashApp(appID string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(appID)) // never fails
	return h.Sum64()
}

const (
	metaFormat       = 1
	metaFixed        = 3 + 8 // format, role, state, generation
	maxMetaAddresses = 16
	metaLeaving      = 0x80 // in the state byte
)

var errMeta = errors.New("cluster: node metadata is malformed")

// appendMeta writes all of n but its id, which gossip carries itself:
//
//	format 01 | role | state | generation int64 BE | texts: cluster, region, s2s,
//	admin, version | number of addresses | texts: transport, address, ... |
//	number of full applications | hashes uint64 BE
//
// A text is a uvarint length and that many bytes. Later versions add at the end.
func (n *Node) appendMeta(b []byte) ([]byte, error) {
	start := len(b)
	state := byte(n.State)
	if n.leaving {
		state |= metaLeaving
	}
	b = append(b, metaFormat, byte(n.Role), state)
	b = binary.BigEndian.AppendUint64(b, uint64(n.Generation))
	for _, s := range [...]string{n.Cluster, n.Region, n.S2S, n.Admin, n.Version} {
		b = appendText(b, s)
	}
	if len(n.Addresses) > maxMetaAddresses {
		return nil, fmt.Errorf("cluster: node has %d client addresses, at most %d", len(n.Addresses), maxMetaAddresses)
	}
	b = append(b, byte(len(n.Addresses)))
	for _, k := range slices.Sorted(maps.Keys(n.Addresses)) {
		b = appendText(appendText(b, k), n.Addresses[k])
	}
	// What doesn't fit is left out: the master refuses players itself.
	full := n.Full[:max(0, min(len(n.Full), MaxFull, (MaxMetaSize-1-len(b)+start)/8))]
	b = append(b, byte(len(full)))
	for _, h := range full {
		b = binary.BigEndian.AppendUint64(b, h)
	}
	if size := len(b) - start; size > MaxMetaSize {
		return nil, fmt.Errorf("cluster: names and addresses of the node take %d bytes, at most %d", size, MaxMetaSize)
	}
	return b, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parseMeta reads what appendMeta wrote. It ignores bytes after the fields it knows.
func parseMeta(id string, b []byte) (Node, error) {
	if len(b) < metaFixed || b[0] != metaFormat {
		return Node{}, errMeta
	}
	n := Node{ID: id, Role: Role(b[1]), State: State(b[2] &^ metaLeaving), leaving: b[2]&metaLeaving != 0}
	n.Generation = int64(binary.BigEndian.Uint64(b[3:]))
	b = b[metaFixed:]
	text := func(to *string) bool {
		l, size := binary.Uvarint(b)
		if size <= 0 || l > uint64(len(b)-size) {
			return false
		}
		*to = string(b[size : size+int(l)])
		b = b[size+int(l):]
		return true
	}
	for _, to := range [...]*string{&n.Cluster, &n.Region, &n.S2S, &n.Admin, &n.Version} {
		if !text(to) {
			return Node{}, errMeta
		}
	}
	if len(b) == 0 || b[0] > maxMetaAddresses {
		return Node{}, errMeta
	}
	count := int(b[0])
	b = b[1:]
	if count > 0 {
		n.Addresses = make(map[string]string, count)
	}
	for range count {
		var k, v string
		if !text(&k) || !text(&v) {
			return Node{}, errMeta
		}
		n.Addresses[k] = v
	}
	if len(b) > 0 && int(b[0]) <= (len(b)-1)/8 { // else of a version without it
		for i := range int(b[0]) {
			n.Full = append(n.Full, binary.BigEndian.Uint64(b[1+8*i:]))
		}
	}
	return n, nil
}
