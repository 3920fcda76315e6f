package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/cluster"
)

// fullInterval is how often a master looks which applications are full.
const fullInterval = time.Second

// tellFull lets name servers know which applications are full here, so that they
// refuse players who would be refused at the master, until ctx ends.
func (n *masterNode) tellFull(ctx context.Context, g *cluster.Gossip) {
	tick := time.NewTicker(fullInterval)
	defer tick.Stop()
	var told []uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var full []uint64
		for _, appID := range n.master.Full() {
			full = append(full, cluster.HashApp(appID))
		}
		if slices.Equal(full, told) {
			continue
		}
		if err := g.SetFull(full); err != nil {
			n.log.Debug().Err(err).Msg("full applications could not be told")
		}
		told = full
	}
}
