package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// DefaultGossipPort is the port of gossip, TCP and UDP.
const DefaultGossipPort = 7946

// GossipConfig says how a server gossips.
type GossipConfig struct {
	// Self is this server. ID, Role and Cluster are required.
	Self Node
	// BindAddr and BindPort are where to listen. Default all interfaces and
	// DefaultGossipPort; without a key, loopback (cluster.md 22).
	BindAddr string
	BindPort int
	// AdvertiseAddr (an IP address) and AdvertisePort are where others reach this
	// server. Default: what is bound, or the first private address.
	AdvertiseAddr string
	AdvertisePort int
	// Seeds are servers to ask for the others: host:port, host, or dns:host[:port].
	// Host names are resolved to all their addresses, each time anew.
	Seeds []string
	// Key encrypts gossip with AES-GCM: 16, 24 or 32 bytes. PreviousKeys are
	// accepted too. Without a key everybody can join.
	Key          []byte
	PreviousKeys [][]byte
	// Insecure allows to bind other addresses than loopback without a key.
	Insecure bool
	// OnConflict is called, from a goroutine of gossip, when another live server
	// has this server's id and is the older of the two: this one must stop
	// (cluster.md 11).
	OnConflict func(other Node)
	// Log takes the library's log lines. Default: none.
	Log io.Writer
	// Transport replaces sockets, for tests.
	Transport memberlist.Transport
}

// How often the seeds are asked (cluster.md 11).
const (
	rejoinFirst   = time.Second
	rejoinLongest = 30 * time.Second
	updateTimeout = 2 * time.Second
	leaveTimeout  = 2 * time.Second
	// reclaimAfter is how long a server must have been dead before another
	// address may take its id.
	reclaimAfter = 5 * time.Second
)

// Gossip is the cluster as hashicorp/memberlist sees it.
type Gossip struct {
	list  *memberlist.Memberlist
	view  *view
	addr  string // of this server's gossip
	seeds []string
	port  int

	mu   sync.Mutex // guards self and meta
	self Node
	meta []byte

	onConflict func(Node)
}

// NewGossip starts to listen. The caller must call Run, which looks for the
// others and in the end closes everything. Errors: metadata too large, bad key,
// address in use, no key and not loopback.
func NewGossip(c GossipConfig) (*Gossip, error) {
	if c.Self.ID == "" || c.Self.Cluster == "" {
		return nil, errors.New("cluster: node id and cluster name are required")
	}
	meta, err := c.Self.appendMeta(nil)
	if err != nil {
		return nil, err
	}
	g := &Gossip{view: newView(), seeds: c.Seeds, port: DefaultGossipPort, self: c.Self, meta: meta, onConflict: c.OnConflict}

	m := memberlist.DefaultLANConfig()
	m.Name = c.Self.ID
	m.Transport = c.Transport
	m.LogOutput = c.Log
	if m.LogOutput == nil {
		m.LogOutput = io.Discard
	}
	m.DeadNodeReclaimTime = reclaimAfter
	if c.BindPort != 0 {
		m.BindPort, g.port = c.BindPort, c.BindPort
	}
	m.AdvertisePort = m.BindPort
	if c.AdvertisePort != 0 {
		m.AdvertisePort = c.AdvertisePort
	}
	m.AdvertiseAddr = c.AdvertiseAddr
	if c.BindAddr != "" {
		m.BindAddr = c.BindAddr
	} else if len(c.Key) == 0 && !c.Insecure {
		m.BindAddr = "127.0.0.1"
	}
	if len(c.Key) == 0 && !c.Insecure && c.Transport == nil && !isLoopback(m.BindAddr) {
		return nil, fmt.Errorf("cluster: gossip on %s needs a key", m.BindAddr)
	}
	if len(c.Key) > 0 {
		if m.Keyring, err = memberlist.NewKeyring(c.PreviousKeys, c.Key); err != nil {
			return nil, fmt.Errorf("cluster: gossip key: %w", err)
		}
	}
	d := (*delegate)(g)
	m.Delegate, m.Events, m.Alive, m.Merge, m.Conflict = d, d, d, d, d
	if g.list, err = memberlist.Create(m); err != nil {
		return nil, fmt.Errorf("cluster: gossip: %w", err)
	}
	g.addr = g.list.LocalNode().Address()
	return g, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Addr is the address at which others reach this server's gossip.
func (g *Gossip) Addr() string { return g.addr }

// Self is this server as the others see it. It may be called from any goroutine,
// as Nodes and SetState.
func (g *Gossip) Self() Node {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.self
}

// Nodes are the live servers of the cluster, this one included, by id. The slice
// is the caller's.
func (g *Gossip) Nodes() []Node {
	all := append(g.view.nodes(), g.Self())
	sortNodes(all)
	return all
}

// SetState changes this server's state and tells the others. It may block for two
// seconds; an error means that not everybody may know yet.
func (g *Gossip) SetState(s State) error {
	return g.update(func(self *Node) { self.State = s })
}

// SetFull tells the others which applications are full on this master.
func (g *Gossip) SetFull(full []uint64) error {
	return g.update(func(self *Node) { self.Full = full })
}

// update changes what this server says of itself and waits until gossip has
// told somebody.
func (g *Gossip) update(change func(*Node)) error {
	g.mu.Lock()
	self := g.self
	change(&self)
	meta, err := self.appendMeta(nil)
	if err == nil {
		g.self, g.meta = self, meta
	}
	g.mu.Unlock()
	if err != nil {
		return err
	}
	if err := g.list.UpdateNode(updateTimeout); err != nil {
		return fmt.Errorf("cluster: gossip: %w", err)
	}
	return nil
}

// Run keeps the view alive until ctx ends, then says goodbye to the others, which
// takes up to four seconds; its error is that of the leaving. It calls onChange,
// from one goroutine at a time, for every other server that is there at the start
// and for every change; onChange may block, what happens in the meantime is joined
// to one change per server. Run is called once.
func (g *Gossip) Run(ctx context.Context, onChange func(Change)) error {
	var joiner sync.WaitGroup
	joiner.Go(func() { g.rejoin(ctx) })
	for ctx.Err() == nil {
		for _, c := range g.view.changes() {
			onChange(c)
		}
		select {
		case <-g.view.ready:
		case <-ctx.Done():
		}
	}
	err := errors.Join(
		g.update(func(self *Node) { self.leaving = true }),
		g.list.Leave(leaveTimeout),
		g.list.Shutdown(),
	)
	joiner.Wait()
	if err != nil {
		return fmt.Errorf("cluster: leave: %w", err)
	}
	return nil
}

// rejoin asks those seeds that are not among the live servers: at once, again
// after 1, 2, 4, ... 30 s as long as this server is alone, and every 30 s to heal
// a cluster that fell apart.
func (g *Gossip) rejoin(ctx context.Context) {
	backoff, left, alone := rejoinFirst, time.Duration(0), true
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if left <= 0 {
			if missing := g.missingSeeds(ctx); len(missing) > 0 && ctx.Err() == nil {
				// The error is in the library's log; the outcome is in the view.
				_, _ = g.list.Join(missing)
			}
			if alone = g.list.NumMembers() <= 1; alone {
				left, backoff = backoff, min(2*backoff, rejoinLongest)
			} else {
				left, backoff = rejoinLongest, rejoinFirst
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			left -= time.Second
		}
		if !alone && g.list.NumMembers() <= 1 {
			left = 0
		}
	}
}

// missingSeeds returns the addresses of the seeds that are not those of live servers.
func (g *Gossip) missingSeeds(ctx context.Context) []string {
	// Memberlist's own list has pointers into what it changes meanwhile.
	known := g.view.addresses()
	known[g.addr] = true
	var missing []string
	for _, s := range g.seeds {
		host, port := splitSeed(s, g.port)
		hosts := []string{host}
		if net.ParseIP(host) == nil {
			found, err := net.DefaultResolver.LookupHost(ctx, host)
			if err != nil {
				continue
			}
			hosts = found
		}
		for _, h := range hosts {
			if a := net.JoinHostPort(h, port); !known[a] && !slices.Contains(missing, a) {
				missing = append(missing, a)
			}
		}
	}
	return missing
}

func splitSeed(s string, port int) (host, p string) {
	s = strings.TrimPrefix(s, "dns:")
	if host, p, err := net.SplitHostPort(s); err == nil {
		return host, p
	}
	return strings.Trim(s, "[]"), strconv.Itoa(port)
}

// delegate is what memberlist calls. Its calls hold memberlist's lock: they must
// neither block nor ask memberlist anything.
type delegate Gossip

// NodeMeta returns what gossip carries about this server.
func (d *delegate) NodeMeta(limit int) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.meta) > limit {
		return nil
	}
	return d.meta
}

// NotifyMsg, GetBroadcasts, LocalState and MergeRemoteState belong to user
// messages over gossip, which this project does not use.
func (d *delegate) NotifyMsg([]byte)                  {}
func (d *delegate) GetBroadcasts(_, _ int) [][]byte   { return nil }
func (d *delegate) LocalState(bool) []byte            { return nil }
func (d *delegate) MergeRemoteState(_ []byte, _ bool) {}

// NotifyAlive keeps servers of other clusters out.
func (d *delegate) NotifyAlive(peer *memberlist.Node) error { return d.check(peer) }

// NotifyMerge refuses to join another cluster.
func (d *delegate) NotifyMerge(peers []*memberlist.Node) error {
	for _, p := range peers {
		if err := d.check(p); err != nil {
			return err
		}
	}
	return nil
}

func (d *delegate) check(peer *memberlist.Node) error {
	n, err := parseMeta(peer.Name, peer.Meta)
	if err != nil {
		return err
	}
	if own := (*Gossip)(d).Self().Cluster; n.Cluster != own {
		return fmt.Errorf("cluster: %s is of cluster %q, this is %q", n.ID, n.Cluster, own)
	}
	return nil
}

// NotifyJoin, NotifyUpdate and NotifyLeave write the view.
func (d *delegate) NotifyJoin(peer *memberlist.Node)   { d.set(peer) }
func (d *delegate) NotifyUpdate(peer *memberlist.Node) { d.set(peer) }

func (d *delegate) NotifyLeave(peer *memberlist.Node) {
	d.view.remove(peer.Name)
}

func (d *delegate) set(peer *memberlist.Node) {
	if n, err := parseMeta(peer.Name, peer.Meta); err == nil && n.ID != (*Gossip)(d).Self().ID {
		n.S2S = reachable(n.S2S, peer.Addr)
		d.view.set(n, peer.Address())
	}
}

// reachable is an address with the host that gossip reaches the server at, where
// the server said only that it listens on all of its own.
func reachable(address string, at net.IP) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return net.JoinHostPort(at.String(), port)
	}
	return address
}

// NotifyConflict stops the later of two servers that have one id.
func (d *delegate) NotifyConflict(existing, other *memberlist.Node) {
	self := (*Gossip)(d).Self()
	if existing.Name != self.ID || d.onConflict == nil {
		return
	}
	n, err := parseMeta(other.Name, other.Meta)
	if err != nil {
		return
	}
	later := self.Generation > n.Generation ||
		self.Generation == n.Generation && existing.Address() > other.Address()
	if later {
		d.onConflict(n)
	}
}
