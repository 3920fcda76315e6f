package cluster

import (
	"fmt"
	"testing"
)

// cluster CL-23: the vectors of cluster.md 14.
func TestRendezvousVectors(t *testing.T) {
	masters := []string{"master-0", "master-1", "master-2"}
	for _, c := range []struct {
		name   string
		scores [3]uint64
		owner  string
	}{
		{"lobby-1", [3]uint64{0x82897a8855efb2de, 0x4db9088c78651bc7, 0x4b9462482794b2a4}, "master-0"},
		{"MyRoom", [3]uint64{0x193d4bf89f7c2280, 0x4f1e4d0a3b2358d5, 0xd5200e2b9e86812c}, "master-2"},
		{"room-42", [3]uint64{0xe846d9d306fe3fb9, 0x6bd46d94854ec2f9, 0x9dd79b57c4ff643a}, "master-0"},
		{"a", [3]uint64{0xcc5cdb3edb77cf41, 0x81695b79d6dad66b, 0x082ce2dbca497d5c}, "master-0"},
	} {
		key := "app-1\x001.0\x00" + c.name
		for i, m := range masters {
			if got := Score(m, key); got != c.scores[i] {
				t.Errorf("%s at %s: %016x, want %016x", c.name, m, got, c.scores[i])
			}
		}
		for _, order := range [][]string{masters, {"master-2", "master-0", "master-1"}} {
			if got := Owner(order, key); got != c.owner {
				t.Errorf("%s: owner %s of %v, want %s", c.name, got, order, c.owner)
			}
		}
	}
	if got := Owner(nil, "x"); got != "" {
		t.Errorf("owner %q of nobody", got)
	}
}

func TestRendezvousSpreadsAndStays(t *testing.T) {
	all, fewer := []string{"a", "b", "c"}, []string{"a", "c"}
	count := make(map[string]int)
	for i := range 30_000 {
		key := fmt.Sprint("room ", i)
		o := Owner(all, key)
		count[o]++
		if o != "b" && Owner(fewer, key) != o {
			t.Fatalf("%s moved without need", key)
		}
	}
	for _, n := range all {
		if count[n] < 9_500 || count[n] > 10_500 {
			t.Errorf("%s owns %d of 30000", n, count[n])
		}
	}
}

func TestScoreDoesNotAllocate(t *testing.T) {
	nodes := []string{"a", "b"}
	if n := testing.AllocsPerRun(100, func() { Owner(nodes, "key") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
