package room

import "github.com/boson-project/boson/pkg/photon"

// groupSet is a set of interest groups, 1 to 255. Everyone is in group 0, which
// is never in a set.
type groupSet [4]uint64

func (s *groupSet) has(g byte) bool { return s[g>>6]&(1<<(g&63)) != 0 }

func (s *groupSet) add(g byte) {
	if g != 0 {
		s[g>>6] |= 1 << (g & 63)
	}
}

func (s *groupSet) remove(g byte) { s[g>>6] &^= 1 << (g & 63) }

// changeGroups is operation 248: first removes, then adds. It has no response
// (loadbalancing-rooms.md 8).
func (r *Room) changeGroups(a *actor, req *photon.Request) error {
	remove, removes, err := req.Bytes(photon.ParamRemove)
	if err != nil {
		return err
	}
	add, adds, err := req.Bytes(photon.ParamAdd)
	if err != nil {
		return err
	}
	if removes && len(remove) == 0 {
		a.groups = groupSet{}
	}
	for _, g := range remove {
		a.groups.remove(g)
	}
	if adds && len(add) == 0 {
		a.groups = r.groups // all that exist in the room
	}
	for _, g := range add {
		a.groups.add(g)
		r.groups.add(g)
	}
	return nil
}
