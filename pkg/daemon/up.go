package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/config"
)

// UpPreset is what "boson up" changes in the defaults: a cluster that lives in
// one process on one machine.
func UpPreset(c *config.Config) {
	c.Admin.Listen = "127.0.0.1:8088"
	c.GameServer.DrainTimeout = 100 * time.Millisecond
}

// NewUp makes a whole cluster in one process: a name server, a master and a
// game server. Without cluster.key it makes a key for this run; out gets the
// addresses to type into a client.
func NewUp(cfg *config.Config, log zerolog.Logger, out io.Writer) (Node, error) {
	if cfg.Cluster.Key == "" {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails, see crypto/rand
		cfg.Cluster.Key = hex.EncodeToString(key)
	}
	if cfg.Cluster.Gossip.Listen != "" {
		return nil, fmt.Errorf("cluster.gossip.listen is set: one process needs no gossip; start the servers one by one instead")
	}
	cfg.Cluster.Masters = []string{cfg.Master.S2S}
	ns, err := newNameServer(cfg, log)
	if err != nil {
		return nil, err
	}
	ms, err := newMaster(cfg, log)
	if err != nil {
		return nil, err
	}
	gs, err := newGameServer(cfg, log)
	if err != nil {
		return nil, err
	}
	return &upNode{operated{cfg: cfg, log: log, nodes: []measured{ns, ms, gs}}, out}, nil
}

type upNode struct {
	operated
	out io.Writer
}

// readyTimeout bounds the wait for the game server's link to the master.
const readyTimeout = 5 * time.Second

// Start implements Node: it returns when clients can play.
func (u *upNode) Start(ctx context.Context) error {
	if err := u.operated.Start(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for u.Ready() != nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the game server did not reach the master at %s: %w", u.cfg.Master.S2S, u.Ready())
		case <-poll.C:
		}
	}
	u.greet()
	return nil
}

func (u *upNode) greet() {
	l := u.cfg.NameServer.Listen
	fmt.Fprintf(u.out, `
Boson is up. Type into your client (any AppId will do):
  name server   %s (this machine; others in the LAN use its address)
  ports         UDP %s   TCP %s   WebSocket %s
  region        %s
  or straight to the master, without a name server: UDP %s
  operators     http://%s/metrics
Not reachable? Run: boson doctor

`, "127.0.0.1", port(l.UDP), port(l.TCP), port(l.WS), u.cfg.Cluster.Region, port(u.cfg.Master.Listen.UDP), u.cfg.Admin.Listen)
}

func port(address string) string {
	_, p, err := splitAddress(address)
	if err != nil {
		return "off"
	}
	return fmt.Sprint(p)
}
