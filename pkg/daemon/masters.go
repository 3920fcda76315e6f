package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/boson-project/boson/pkg/cluster"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/master"
	"github.com/boson-project/boson/pkg/s2s"
)

const (
	// longestPause between two attempts to reach a master: one that comes back
	// knows everything within a second.
	longestPause = 800 * time.Millisecond
	// settleTimeout is how long a master that starts waits for what it may not know
	// yet before it gives names away (cluster.md 14).
	settleTimeout = 2 * time.Second
)

// masterLinks is what a master node knows of the links to other masters. It is
// guarded by the node's mutex.
type masterLinks struct {
	outbound map[string]dialed // by S2S address
	goodbye  map[string]bool   // masters that said it
	gossip   *cluster.Gossip
	state    cluster.State // of this master

	// At the start: addresses of the list that are not clear yet, true for those
	// whose master is to dial; with gossip the game servers whose rooms are known.
	unclear  map[string]bool
	complete map[string]bool
	settled  bool
}

// dialed is a master that this one keeps a link to.
type dialed struct {
	id   string // as gossip tells it; "" from a list
	stop context.CancelFunc
}

func newMasterLinks() masterLinks {
	return masterLinks{
		outbound: map[string]dialed{}, goodbye: map[string]bool{},
		unclear: map[string]bool{}, complete: map[string]bool{},
	}
}

// isMastersList says that a link was refused only because all masters share one
// list of addresses.
func isMastersList(err error) bool {
	var r *s2s.RefusedError
	return errors.As(err, &r) && (r.ReturnCode == s2s.ReturnSelf || r.ReturnCode == s2s.ReturnOtherDials)
}

// joinMasters finds the other masters of the region, by gossip or by the list.
func (n *masterNode) joinMasters(key []byte) error {
	settle := time.AfterFunc(settleTimeout, n.settle)
	context.AfterFunc(n.ctx, func() { settle.Stop() })
	if n.cfg.Cluster.Gossip.Listen != "" {
		g, err := startGossip(n.ctx, n.cfg, n.log, &n.running, cluster.Node{
			ID: n.id, Role: cluster.Master, S2S: s2sAnnounce(n.cfg, n.s2sAddr), Addresses: n.set,
		}, func(c cluster.Change) { n.clusterChanged(c, key) })
		n.mu.Lock()
		n.masters.gossip = g
		n.mu.Unlock()
		if err == nil {
			n.running.Go(func() { n.tellFull(n.ctx, g) })
		}
		return err
	}
	var others []string
	for _, address := range n.masterAddresses() {
		if address != n.cfg.Master.S2S && address != n.s2sAddr.String() {
			others = append(others, address)
		}
	}
	if len(others) == 0 {
		n.settle()
	}
	n.mu.Lock()
	for _, address := range others {
		n.masters.unclear[address] = false
	}
	n.mu.Unlock()
	for _, address := range others {
		n.dialMaster("", address, key)
	}
	return nil
}

// settle ends the caution of the start.
func (n *masterNode) settle() {
	n.mu.Lock()
	done := n.masters.settled
	n.masters.settled = true
	n.mu.Unlock()
	if !done {
		n.master.MastersSettled()
	}
}

// clear says what has become of an address of the list.
func (n *masterNode) clear(address string) {
	n.mu.Lock()
	delete(n.masters.unclear, address)
	last := len(n.masters.unclear) == 0
	n.mu.Unlock()
	if last {
		n.settle()
	}
}

// clusterChanged follows what gossip knows of the region's other masters and, at
// the start, of its game servers.
func (n *masterNode) clusterChanged(c cluster.Change, key []byte) {
	node := c.Node
	if !strings.EqualFold(node.Region, n.cfg.Cluster.Region) || node.ID == n.id {
		return
	}
	here := c.Kind == cluster.Up || c.Kind == cluster.Changed
	switch node.Role {
	case cluster.GameServer:
		n.mu.Lock()
		if !here {
			delete(n.masters.complete, node.ID)
		}
		n.mu.Unlock()
	case cluster.Master:
		if here && node.S2S != "" {
			n.master.MasterSeen(node.ID)
			if s2s.DialsMaster(n.id, node.ID) {
				n.dialMaster(node.ID, node.S2S, key)
			}
			return
		}
		n.mu.Lock()
		if d, ok := n.masters.outbound[node.S2S]; ok && c.Kind == cluster.Left {
			d.stop()
			delete(n.masters.outbound, node.S2S)
		}
		n.mu.Unlock()
		n.master.MasterLost(node.ID)
	}
}

// gameServerComplete notes that the rooms of a game server are known.
func (n *masterNode) gameServerComplete(id string) {
	n.mu.Lock()
	if n.masters.settled || n.masters.gossip == nil {
		n.mu.Unlock()
		return
	}
	n.masters.complete[id] = true
	all := true
	for _, node := range n.masters.gossip.Nodes() {
		if node.Role == cluster.GameServer && strings.EqualFold(node.Region, n.cfg.Cluster.Region) {
			all = all && n.masters.complete[node.ID]
		}
	}
	n.mu.Unlock()
	if all {
		n.settle()
	}
}

// dialMaster keeps a link to the master at an address, and none to where it was
// before.
func (n *masterNode) dialMaster(id, address string, key []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for old, d := range n.masters.outbound {
		if id != "" && d.id == id && old != address {
			d.stop()
			delete(n.masters.outbound, old)
		}
	}
	if _, ok := n.masters.outbound[address]; ok {
		return
	}
	ctx, cancel := context.WithCancel(n.ctx)
	n.masters.outbound[address] = dialed{id, cancel}
	quiet := false // one warning per loss, not one per attempt
	o := s2s.NewOutbound(s2s.OutboundConfig{
		Addr: address, Key: key, Self: n.hello, Longest: longestPause,
		Handlers: s2s.Handlers{
			Up: func(l *s2s.Link) {
				quiet = false
				if l.Peer().Role != s2s.RoleMaster {
					n.log.Error().Str("address", address).Str("node", l.Peer().ID).Msg("cluster.masters names a server that is no master")
					l.Close()
					return
				}
				n.masterUp(l)
				n.clear(address)
			},
			Down:    n.linkDown,
			Message: n.linkMessage,
			Request: n.linkRequest,
			Failed: func(_ string, err error) {
				var r *s2s.RefusedError
				if errors.As(err, &r) && r.ReturnCode == s2s.ReturnOtherDials {
					n.mu.Lock()
					if _, ok := n.masters.unclear[address]; ok {
						n.masters.unclear[address] = true
					}
					n.mu.Unlock()
					return
				}
				n.clear(address)
				if !quiet && !isMastersList(err) {
					n.log.Warn().Err(err).Str("address", address).Msg("no link to another master; trying on")
				}
				quiet = true
			},
		},
	})
	n.running.Go(func() { o.Run(ctx) })
}

// masterUp registers another master whose link is up, dialled by either side.
func (n *masterNode) masterUp(l *s2s.Link) {
	hello := l.Peer()
	if hello.Region != "" && !strings.EqualFold(hello.Region, n.cfg.Cluster.Region) {
		n.log.Error().Str("master", hello.ID).Str("region", hello.Region).Msg("a master of another region: cluster.masters must list the masters of one region")
		l.Close()
		return
	}
	n.mu.Lock()
	delete(n.masters.goodbye, hello.ID)
	clear := ""
	for address, dials := range n.masters.unclear {
		if dials {
			clear = address
			break
		}
	}
	n.mu.Unlock()
	n.master.MasterUp(master.Master{
		ID: hello.ID,
		Forward: func(ctx context.Context, f *s2s.Forward) (s2s.Decision, error) {
			r, err := ask(ctx, l, s2s.OpForward, f)
			if err != nil {
				return s2s.Decision{}, err
			}
			return s2s.ParseDecision(r.Params)
		},
		Claim: func(ctx context.Context, c *s2s.Claim) (master.Consent, error) {
			r, err := ask(ctx, l, s2s.OpClaim, c)
			if err != nil || r.ReturnCode == s2s.ClaimGranted {
				return master.Consent{Given: err == nil}, err
			}
			server, certain, err := s2s.ParseTaken(r.Params)
			return master.Consent{Server: server, Certain: certain}, err
		},
		Send: func(m s2s.Message) { _ = l.Send(m) }, // a link that is down brings everything anew
	})
	n.users.Attach(l)
	if clear != "" {
		n.clear(clear)
	}
}

// ask is Link.Request for what has Params. An answer that makes no sense to the
// other side is an error.
func ask(ctx context.Context, l *s2s.Link, op s2s.Op, q interface{ Params() gpbinary.Params }) (s2s.Response, error) {
	r, err := l.Request(ctx, op, q.Params())
	if err == nil && r.ReturnCode < 0 {
		err = fmt.Errorf("operation %d: %d %s", op, r.ReturnCode, r.Debug)
	}
	return r, err
}

func (n *masterNode) masterDown(l *s2s.Link, err error) {
	if n.ctx.Err() != nil {
		return
	}
	id := l.Peer().ID
	n.mu.Lock()
	left := n.masters.goodbye[id]
	n.mu.Unlock()
	loss := master.LossSilent
	switch {
	case left:
		loss = master.LossGoodbye
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		loss = master.LossClosed
	}
	n.log.Debug().Err(err).Str("master", id).Msg("S2S link down")
	n.master.MasterDown(id, loss)
}

func (n *masterNode) masterMessage(l *s2s.Link, msg s2s.Message) {
	id := l.Peer().ID
	switch msg := msg.(type) {
	case *s2s.UserDelta:
		n.master.MasterUsers(id, msg)
	case *s2s.LobbyClients:
		n.master.MasterClients(id, msg)
	case *s2s.ClaimResult:
		n.master.MasterClaimed(id, msg)
	case *s2s.Goodbye:
		n.mu.Lock()
		n.masters.goodbye[id] = true
		n.mu.Unlock()
	}
}

func (n *masterNode) masterRequest(l *s2s.Link, r *s2s.Request) {
	switch r.Op {
	case s2s.OpForward:
		f, err := s2s.ParseForward(r.Params)
		if err != nil {
			_ = r.Reply(s2s.ReturnUnknown, err.Error(), nil)
			return
		}
		n.master.Decide(&f, func(d s2s.Decision) { _ = r.Reply(s2s.ReturnOk, "", d.Params()) })
	case s2s.OpClaim:
		c, err := s2s.ParseClaim(r.Params)
		if err != nil {
			_ = r.Reply(s2s.ReturnUnknown, err.Error(), nil)
			return
		}
		n.master.MasterClaims(l.Peer().ID, c, func(answer master.Consent) {
			if answer.Given {
				_ = r.Reply(s2s.ClaimGranted, "", nil)
			} else {
				_ = r.Reply(s2s.ClaimTaken, "", s2s.TakenParams(answer.Server, answer.Certain))
			}
		})
	default:
		_ = r.Reply(s2s.ReturnUnknown, "unknown operation", nil)
	}
}

// links returns how many other masters and game servers this one has links to.
func (n *masterNode) links() (masters, gameServers int) {
	for _, m := range n.master.Masters() {
		if m.Linked {
			masters++
		}
	}
	for _, g := range n.master.Servers() {
		if g.Up {
			gameServers++
		}
	}
	return masters, gameServers
}

// outOfRotation tells name servers to send no more clients.
func (n *masterNode) outOfRotation() {
	n.mu.Lock()
	n.masters.state = cluster.OutOfRotation
	g := n.masters.gossip
	n.mu.Unlock()
	if g == nil {
		return
	}
	if err := g.SetState(cluster.OutOfRotation); err != nil {
		n.log.Warn().Err(err).Msg("name servers may not know that this master stops")
	}
}

func (n *masterNode) state() cluster.State {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.masters.state
}

// stateOf is another master's state as gossip tells it; without gossip it is
// normal.
func (n *masterNode) stateOf(id string) cluster.State {
	n.mu.Lock()
	g := n.masters.gossip
	n.mu.Unlock()
	if g != nil {
		for _, node := range g.Nodes() {
			if node.ID == id {
				return node.State
			}
		}
	}
	return cluster.Normal
}
