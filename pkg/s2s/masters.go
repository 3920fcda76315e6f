package s2s

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/lobby"
	"github.com/boson-project/boson/pkg/photon"
)

// Forward hands a client's CreateGame, JoinGame or JoinRandomGame to the master
// that decides it (cluster.md 12.5). It is never forwarded again. Of the request
// only Protocol, Code and Fields travel.
type Forward struct {
	App, User string
	Session   uint64 // of the client, as the lobby tells it from others of its user
	Request   photon.Request
	// Lobby is the one that the client means: who names none is in one, perhaps.
	Lobby lobby.ID
	// Transport and Client say how the client is to reach a game server.
	Transport byte
	Client    netip.Addr
}

// Params is the request's parameter table, for Link.Request with OpForward:
//
//	1 operation   2 parameters, Dictionary<byte,byte[]> in the client's
//	serialization   3 user   4 application key   5 lobby name   6 lobby type
//	7 serialization   8 transport   9 client's address   10 session
func (f *Forward) Params() gpbinary.Params {
	table := &gpbinary.Dictionary{
		Key: gpbinary.TypeDesc{Kind: gpbinary.KindByte}, Val: gpbinary.TypeDesc{Kind: gpbinary.KindObject},
		Pairs: make([]gpbinary.Pair, len(f.Request.Fields)),
	}
	for i, field := range f.Request.Fields {
		table.Pairs[i] = gpbinary.Pair{Key: field.Key, Value: field.Bytes}
	}
	return gpbinary.Params{
		param(1, byte(f.Request.Code)), param(2, table), param(3, f.User), param(4, f.App),
		param(5, f.Lobby.Name), param(6, byte(f.Lobby.Type)), param(7, byte(f.Request.Protocol)),
		param(8, f.Transport), param(9, f.Client.String()),
		param(10, int64(f.Session)),
	}
}

// ParseForward reads the parameters of an OpForward request.
func ParseForward(p gpbinary.Params) (f Forward, err error) {
	in := &fields{params: p}
	f = Forward{
		App: field[string](in, 4), User: field[string](in, 3),
		Request:   photon.Request{Code: photon.OpCode(field[byte](in, 1)), Protocol: photon.Protocol(field[byte](in, 7))},
		Lobby:     lobby.ID{Name: field[string](in, 5), Type: lobby.Type(field[byte](in, 6))},
		Transport: field[byte](in, 8), Session: uint64(field[int64](in, 10)),
	}
	f.Client, _ = netip.ParseAddr(field[string](in, 9)) // unknown is good enough
	switch f.Request.Protocol {
	case photon.GpBinaryV16, photon.GpBinaryV18, photon.JSON:
	default:
		return f, fmt.Errorf("s2s: forwarded request in unknown serialization %d", f.Request.Protocol)
	}
	if table := field[*gpbinary.Dictionary](in, 2); table != nil {
		for _, pair := range table.Pairs {
			key, ok1 := pair.Key.(byte)
			value, ok2 := pair.Value.([]byte)
			if !ok1 || !ok2 {
				return f, fmt.Errorf("s2s: forwarded request with a %T as parameter", pair.Value)
			}
			f.Request.Fields = append(f.Request.Fields, gpbinary.Field{Key: key, Bytes: value})
		}
	}
	return f, in.err
}

// Decision is the answer to Forward: a room and its game server, or the code and
// text for the client.
type Decision struct {
	Code         photon.ReturnCode
	Text         string
	Room, Server string
}

// Params is the answer's parameter table; its return code is ReturnOk.
func (d *Decision) Params() gpbinary.Params {
	return gpbinary.Params{param(1, d.Room), param(2, d.Server), param(3, int16(d.Code)), param(4, d.Text)}
}

// ParseDecision reads the parameters of the answer to OpForward.
func ParseDecision(p gpbinary.Params) (Decision, error) {
	f := &fields{params: p}
	return Decision{
		Room: field[string](f, 1), Server: field[string](f, 2),
		Code: photon.ReturnCode(field[int16](f, 3)), Text: field[string](f, 4),
	}, f.err
}

// Claim asks another master to agree that a name goes to a room on a game server.
// The same master's next claim of the name replaces it.
type Claim struct {
	App, Room, Server string
	Placement         [16]byte
	TTL               time.Duration // on the other master's clock, from receipt; in whole milliseconds
}

// Params is the request's parameter table, for Link.Request with OpClaim.
func (c *Claim) Params() gpbinary.Params {
	return gpbinary.Params{
		param(1, c.App), param(2, c.Room), param(3, c.Placement[:]), param(4, int32(c.TTL.Milliseconds())), param(5, c.Server),
	}
}

// ParseClaim reads the parameters of an OpClaim request.
func ParseClaim(p gpbinary.Params) (Claim, error) {
	f := &fields{params: p}
	c := Claim{
		App: field[string](f, 1), Room: field[string](f, 2), Placement: f.array16(3),
		TTL: time.Duration(field[int32](f, 4)) * time.Millisecond, Server: field[string](f, 5),
	}
	if f.err == nil && c.Room == "" {
		f.err = errRecord
	}
	return c, f.err
}

// TakenParams are the parameters of a refusal of OpClaim (ClaimTaken): the game
// server that the name was given to if that is certain; otherwise "", or the one
// that it may have been given to, and which is good for it in any case.
func TakenParams(server string, certain bool) gpbinary.Params {
	return gpbinary.Params{param(5, server), param(6, certain)}
}

// ParseTaken reads the parameters of a refusal of OpClaim.
func ParseTaken(p gpbinary.Params) (server string, certain bool, err error) {
	f := &fields{params: p}
	return field[string](f, 5), field[bool](f, 6), f.err
}

// ClaimResult tells what has become of a claim: the name was given away, or the
// claim is taken back. Who has not heard of it ignores it.
type ClaimResult struct {
	App, Room string
	Placement [16]byte
	Given     bool
}

func (*ClaimResult) op() Op { return OpClaimResult }

func (m *ClaimResult) params() (gpbinary.Params, error) {
	return gpbinary.Params{param(1, m.App), param(2, m.Room), param(3, m.Placement[:]), param(4, m.Given)}, nil
}

// LobbyClients tells another master how many of the sender's clients are in which
// lobbies. What it does not mention has not changed. It travels as PeerStats
// (cluster.md 12.5); how many clients a master has follows from its UserDeltas.
type LobbyClients struct{ Lobbies []LobbyCount }

// LobbyCount is the number of clients in one lobby.
type LobbyCount struct {
	App     string
	Lobby   lobby.ID
	Clients int32
}

func (*LobbyClients) op() Op { return OpPeerStats }

func (m *LobbyClients) params() (gpbinary.Params, error) {
	rows := make(gpbinary.ObjectArray, len(m.Lobbies))
	for i, l := range m.Lobbies {
		rows[i] = gpbinary.ObjectArray{l.App, l.Lobby.Name, byte(l.Lobby.Type), l.Clients}
	}
	return gpbinary.Params{param(2, rows)}, nil
}

func (f *fields) lobbyCounts(key byte) []LobbyCount {
	rows := field[gpbinary.ObjectArray](f, key)
	out := make([]LobbyCount, 0, len(rows))
	for _, v := range rows {
		row, _ := v.(gpbinary.ObjectArray)
		if len(row) == 4 {
			app, ok1 := row[0].(string)
			name, ok2 := row[1].(string)
			typ, ok3 := row[2].(byte)
			n, ok4 := row[3].(int32)
			if ok1 && ok2 && ok3 && ok4 && n >= 0 {
				out = append(out, LobbyCount{app, lobby.ID{Name: name, Type: lobby.Type(typ)}, n})
				continue
			}
		}
		if f.err == nil {
			f.err = fmt.Errorf("s2s: parameter %d has an element that is no lobby", key)
		}
		return nil
	}
	return out
}
