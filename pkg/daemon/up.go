package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/nameserver"
)

// UpPreset is what "boson up" changes in the defaults: a cluster that lives in
// one process on one machine.
func UpPreset(c *config.Config) {
	c.Admin.Listen = "127.0.0.1:8088"
	c.Admin.GRPC = "127.0.0.1:8089"
	// Secure WebSocket too, with a certificate of its own unless there is one.
	c.TLS.SelfSigned = true
	c.NameServer.Listen.WSS, c.Master.Listen.WSS, c.GameServer.Listen.WSS = ":19093", ":19090", ":19091"
	// There is no other game server that could take the rooms instead.
	c.GameServer.LoadByCPU = false
	c.GameServer.DrainTimeout = 100 * time.Millisecond
}

// Up is a whole cluster in one process: a name server, a master and a game
// server. Besides "boson up", tests run on it.
type Up struct {
	operated
	out io.Writer
	ns  *nameServerNode
	ms  *masterNode
	gs  *gameServerNode
}

// NewUp makes a cluster that is not started. Without cluster.key it makes a key
// for this run; out gets the addresses to type into a client. Ports may be 0.
func NewUp(cfg *config.Config, log zerolog.Logger, out io.Writer) (*Up, error) {
	if cfg.Cluster.Key == "" {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails, see crypto/rand
		cfg.Cluster.Key = hex.EncodeToString(key)
	}
	if cfg.Cluster.Gossip.Listen != "" {
		return nil, fmt.Errorf("cluster.gossip.listen is set: one process needs no gossip; start the servers one by one instead")
	}
	u := &Up{operated: operated{cfg: cfg, log: log}, out: out}
	var err error
	if u.ms, err = newMaster(cfg, log); err != nil {
		return nil, err
	}
	if u.gs, err = newGameServer(cfg, log); err != nil {
		return nil, err
	}
	others, _ := listedRegions(cfg)
	u.ns, err = newNameServer(cfg, log, func() []nameserver.Region {
		own := nameserver.Region{Code: strings.ToLower(cfg.Cluster.Region), Cluster: cfg.Cluster.Name, Masters: u.ms.set,
			Full: func(appID string) bool { return slices.Contains(u.ms.master.Full(), appID) }}
		return append([]nameserver.Region{own}, others...)
	})
	if err != nil {
		return nil, err
	}
	u.nodes = []measured{u.ms, u.gs, u.ns}
	u.ms.masterAddresses = func() []string { return nil }
	u.gs.masterAddresses = func() []string { return []string{u.ms.s2sAddr.String()} }
	return u, nil
}

// readyTimeout bounds the wait for the game server's link to the master.
const readyTimeout = 5 * time.Second

// Start implements Node: it returns when clients can play.
func (u *Up) Start(ctx context.Context) error {
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
			return fmt.Errorf("the game server did not reach the master at %s: %w", u.ms.s2sAddr, u.Ready())
		case <-poll.C:
		}
	}
	u.greet()
	return nil
}

// NameServer, Master and GameServer return where the servers listen.
func (u *Up) NameServer() []app.Bound { return u.ns.Bound() }

// NameServerFurther returns the name server's listeners beside those.
func (u *Up) NameServerFurther() []app.Bound { return u.ns.Further() }

// Master returns where the master listens for clients.
func (u *Up) Master() []app.Bound { return u.ms.Bound() }

// GameServer returns where the game server listens for clients.
func (u *Up) GameServer() []app.Bound { return u.gs.Bound() }

// GameServerLimitHits says how often limits struck the game server's clients.
func (u *Up) GameServerLimitHits() []app.LimitHits { return u.gs.LimitHits() }

// Rooms is the number of rooms on the game server.
func (u *Up) Rooms() int { return u.gs.game.Stats().Rooms }

func (u *Up) greet() {
	ports := func(bound []app.Bound) (text string) {
		for _, b := range bound {
			text += fmt.Sprintf("%s %d   ", strings.ToUpper(b.Kind.String()), b.Addr.Port())
		}
		return text
	}
	fmt.Fprintf(u.out, `
Boson is up. Type into your client (any AppId will do):
  name server   127.0.0.1 (this machine; others in the LAN use its address)
                %s
  region        %s
  or, without a name server, straight to the master:
                %s
  operators     http://%s/metrics
Not reachable? Run: boson doctor

`, ports(u.NameServer()), u.cfg.Cluster.Region, ports(u.Master()), u.cfg.Admin.Listen)
}
