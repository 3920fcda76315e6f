package daemon

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/cluster"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/secure"
)

// subkey derives the key of one purpose from the cluster's secret, so that
// tokens, links and gossip never share one (cluster.md 22).
func subkey(cfg config.Cluster, purpose string) ([]byte, error) {
	key, err := secure.ParseKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("cluster.key: %w", err)
	}
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("boson " + purpose))
	return mac.Sum(nil), nil
}

// startGossip makes this server known to the others until ctx ends. onChange
// may be nil.
func startGossip(ctx context.Context, cfg *config.Config, log zerolog.Logger, running *sync.WaitGroup, self cluster.Node, onChange func(cluster.Change)) (*cluster.Gossip, error) {
	self.Cluster, self.Region, self.Version = cfg.Cluster.Name, cfg.Cluster.Region, Version
	self.Generation = time.Now().UnixMilli()
	key, err := subkey(cfg.Cluster, "gossip")
	if err != nil {
		return nil, err
	}
	g := cfg.Cluster.Gossip
	c := cluster.GossipConfig{Self: self, Seeds: g.Join, Key: key, OnConflict: func(other cluster.Node) {
		log.Error().Str("node", other.ID).Msg("another server has this server's cluster.node_id and is older: give each its own")
	}}
	if c.BindAddr, c.BindPort, err = splitAddress(g.Listen); err != nil {
		return nil, fmt.Errorf("cluster.gossip.listen: %w", err)
	}
	if g.Advertise != "" {
		if c.AdvertiseAddr, c.AdvertisePort, err = splitAddress(g.Advertise); err != nil {
			return nil, fmt.Errorf("cluster.gossip.advertise: %w", err)
		}
	}
	gossip, err := cluster.NewGossip(c)
	if err != nil {
		return nil, err
	}
	log.Info().Str("address", gossip.Addr()).Str("node", self.ID).Msg("gossip is on")
	running.Go(func() {
		err := gossip.Run(ctx, func(change cluster.Change) {
			log.Info().Str("node", change.Node.ID).Stringer("role", change.Node.Role).Stringer("change", change.Kind).Msg("cluster changed")
			if onChange != nil {
				onChange(change)
			}
		})
		if err != nil {
			log.Warn().Err(err).Msg("gossip ended")
		}
	})
	return gossip, nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(p)
	return host, port, err
}

// s2sAnnounce is where game servers reach a master, as gossip tells them.
func s2sAnnounce(cfg *config.Config, bound net.Addr) string {
	if cfg.Master.S2SAnnounce != "" {
		return cfg.Master.S2SAnnounce
	}
	return bound.String()
}
