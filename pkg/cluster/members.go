package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Members is the view that one server has of its cluster. Gossip and Static
// implement it. All methods may be called from any goroutine.
type Members interface {
	// Self is this server as the others see it.
	Self() Node
	// Nodes are the live servers of the cluster, this one included, by id. The
	// slice is the caller's.
	Nodes() []Node
	// SetState changes this server's state and tells the others. It may block
	// for two seconds; an error means that not everybody may know yet.
	SetState(State) error
	// Run keeps the view alive until ctx ends, then says goodbye to the others.
	// It calls onChange, from one goroutine at a time, for every other server
	// that is there at the start and for every change; onChange may block, what
	// happens in the meantime is joined to one change per server. Run is called once.
	Run(ctx context.Context, onChange func(Change)) error
}

// ChangeKind says what happened to a server.
type ChangeKind uint8

// Kinds of change. A server that restarts gives Down, then Up.
const (
	Up      ChangeKind = iota + 1 // it is there
	Changed                       // it told something new about itself
	Down                          // it is silent
	Left                          // it said goodbye
)

// String returns the kind's word.
func (k ChangeKind) String() string {
	switch k {
	case Up:
		return "up"
	case Changed:
		return "changed"
	case Down:
		return "down"
	case Left:
		return "left"
	default:
		return "unknown"
	}
}

// Change is one change of the cluster. Node is the server as it is now, or as it
// was last for Down and Left.
type Change struct {
	Kind ChangeKind
	Node Node
}

// Static is a fixed list of servers that all count as alive: for networks where
// gossip is not wanted (cluster.md 11). Whether they really live is for package
// s2s to find out.
type Static struct {
	mu    sync.Mutex // guards self
	self  Node
	nodes []Node
}

// NewStatic returns the list of self and others; an entry of others with self's
// id is left out, so that all servers can share one list. The error is about an
// entry without id or with an id used twice.
func NewStatic(self Node, others []Node) (*Static, error) {
	s := &Static{self: self}
	seen := make(map[string]bool)
	for _, n := range others {
		switch {
		case n.ID == "":
			return nil, errors.New("cluster: server without id in the static list")
		case seen[n.ID]:
			return nil, errors.New("cluster: server " + n.ID + " is in the static list twice")
		case n.ID != self.ID:
			s.nodes = append(s.nodes, n)
		}
		seen[n.ID] = true
	}
	return s, nil
}

// Self implements Members.
func (s *Static) Self() Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.self
}

// Nodes implements Members.
func (s *Static) Nodes() []Node {
	all := append(slices.Clone(s.nodes), s.Self())
	sortNodes(all)
	return all
}

// SetState implements Members. With a static list the others learn states over S2S.
func (s *Static) SetState(st State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.self.State = st
	return nil
}

// Run implements Members: every server of the list comes up once.
func (s *Static) Run(ctx context.Context, onChange func(Change)) error {
	for _, n := range s.nodes {
		onChange(Change{Up, n})
	}
	<-ctx.Done()
	return nil
}

func sortNodes(nodes []Node) {
	slices.SortFunc(nodes, func(a, b Node) int { return strings.Compare(a.ID, b.ID) })
}

// view is the set of live servers other than self, and what of it the owner has
// been told. Gossip writes it from memberlist's goroutines, Run reads it.
type view struct {
	mu    sync.Mutex // guards all fields below
	live  map[string]Node
	told  map[string]Node
	left  map[string]bool // said goodbye, of those in told and not in live
	ready chan struct{}   // capacity 1: something changed
}

func newView() *view {
	return &view{live: make(map[string]Node), told: make(map[string]Node), left: make(map[string]bool), ready: make(chan struct{}, 1)}
}

func (v *view) set(n Node) {
	v.mu.Lock()
	v.live[n.ID] = n
	delete(v.left, n.ID)
	v.mu.Unlock()
	v.wake()
}

func (v *view) remove(id string) {
	v.mu.Lock()
	if _, known := v.told[id]; known && v.live[id].leaving {
		v.left[id] = true
	}
	delete(v.live, id)
	v.mu.Unlock()
	v.wake()
}

func (v *view) wake() {
	select {
	case v.ready <- struct{}{}:
	default:
	}
}

// nodes returns the live servers in no particular order.
func (v *view) nodes() []Node {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Values(v.live))
}

// changes returns what the owner does not know yet, by id, and counts it as told.
func (v *view) changes() []Change {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []Change
	for id, old := range v.told {
		n, live := v.live[id]
		switch {
		case !live && v.left[id]:
			out = append(out, Change{Left, old})
		case !live:
			out = append(out, Change{Down, old})
		case n.Generation != old.Generation:
			out = append(out, Change{Down, old}, Change{Up, n})
		case !n.Equal(&old):
			out = append(out, Change{Changed, n})
		}
	}
	for id, n := range v.live {
		if _, known := v.told[id]; !known {
			out = append(out, Change{Up, n})
		}
	}
	v.told = maps.Clone(v.live)
	clear(v.left)
	slices.SortStableFunc(out, func(a, b Change) int { return strings.Compare(a.Node.ID, b.Node.ID) })
	return out
}
