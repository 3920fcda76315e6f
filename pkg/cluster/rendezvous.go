package cluster

// Score is the rank of a node for a key (cluster.md 14): the node with the
// highest score owns the key. Nodes that come and go move only their own keys.
func Score(node, key string) uint64 {
	const (
		offset = 0xCBF29CE484222325 // FNV-1a, 64 bit
		prime  = 0x00000100000001B3
	)
	h := uint64(offset)
	for i := range len(node) {
		h = (h ^ uint64(node[i])) * prime
	}
	h *= prime // the byte 0 between node and key
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * prime
	}
	// MurmurHash3's finaliser: FNV alone spreads its last bytes badly.
	h ^= h >> 33
	h *= 0xFF51AFD7ED558CCD
	h ^= h >> 33
	h *= 0xC4CEB9FE1A85EC53
	h ^= h >> 33
	return h
}

// Owner returns the node that owns key: the one of highest score, of equals the
// smaller id. It is empty if there are no nodes. Order does not matter.
func Owner(nodes []string, key string) string {
	best, bestScore := "", uint64(0)
	for i, n := range nodes {
		s := Score(n, key)
		if i == 0 || s > bestScore || s == bestScore && n < best {
			best, bestScore = n, s
		}
	}
	return best
}
