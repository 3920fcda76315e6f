package cluster

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

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

func sortNodes(nodes []Node) {
	slices.SortFunc(nodes, func(a, b Node) int { return strings.Compare(a.ID, b.ID) })
}

// view is the set of live servers other than self, and what of it the owner has
// been told. Gossip writes it from memberlist's goroutines, Run reads it.
type view struct {
	mu    sync.Mutex // guards all fields below
	live  map[string]Node
	at    map[string]string // addresses of the gossip of those in live
	told  map[string]Node
	left  map[string]bool // said goodbye, of those in told and not in live
	ready chan struct{}   // capacity 1: something changed
}

func newView() *view {
	return &view{live: make(map[string]Node), at: make(map[string]string), told: make(map[string]Node), left: make(map[string]bool), ready: make(chan struct{}, 1)}
}

func (v *view) set(n Node, gossip string) {
	v.mu.Lock()
	v.live[n.ID], v.at[n.ID] = n, gossip
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
	delete(v.at, id)
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

// addresses returns a new set of the addresses of the live servers' gossip.
func (v *view) addresses() map[string]bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make(map[string]bool, len(v.at)+1)
	for _, a := range v.at {
		out[a] = true
	}
	return out
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
