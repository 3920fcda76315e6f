package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/admin"
	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/cluster"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/nameserver"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/trace"
	"github.com/boson-project/boson/pkg/transport"
)

// keyring makes the token keys of a cluster from its secret.
func keyring(cfg config.Cluster) (*secure.Keyring, error) {
	if cfg.Key == "" {
		return nil, fmt.Errorf("cluster.key is empty: set it to the same secret on all servers, for example the output of \"openssl rand -hex 32\"")
	}
	key, err := secure.ParseKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("cluster.key: %w", err)
	}
	if cfg.OldKey == "" {
		return secure.NewKeyring(key)
	}
	old, err := secure.ParseKey(cfg.OldKey)
	if err != nil {
		return nil, fmt.Errorf("cluster.old_key: %w", err)
	}
	return secure.NewKeyring(key, old)
}

// appServer makes the listeners of one server.
func appServer(role string, cfg *config.Config, listen config.Endpoints, clock transport.Clock, log zerolog.Logger, application app.Application) (*app.Server, error) {
	tlsConfig, err := serverTLS(cfg.TLS)
	if err != nil {
		return nil, err
	}
	opt := app.Options{
		Name: role, Logger: log, Clock: clock, UDPTransmitRate: cfg.Limits.UDPTransmitRate, Limits: serverLimits(cfg.Limits), AppLimits: appLimits(cfg),
	}
	for _, kind := range []transport.Kind{transport.UDP, transport.TCP, transport.WebSocket, transport.SecureWebSocket, transport.HTTP} {
		if address := endpoints(listen)[kind]; address != "" {
			l := app.Listen{Kind: kind, Addr: address}
			if kind == transport.SecureWebSocket {
				l.TLS = tlsConfig
			}
			opt.Listen = append(opt.Listen, l)
		}
	}
	if listen.TLS != "" { // after plain TCP, which comes first in Bound
		opt.Listen = append(opt.Listen, app.Listen{Kind: transport.TCP, Addr: listen.TLS, TLS: tlsConfig})
	}
	if listen.AltUDP != "" { // after plain UDP, for the same reason
		opt.Listen = append(opt.Listen, app.Listen{Kind: transport.UDP, Addr: listen.AltUDP})
	}
	if len(opt.Listen) == 0 {
		return nil, fmt.Errorf("%s.listen: every transport is off", role)
	}
	if cfg.Trace.Dir != "" {
		if opt.Tracer, err = trace.New(cfg.Trace.Dir, cfg.Trace.User, role); err != nil {
			return nil, fmt.Errorf("trace.dir: %w", err)
		}
		log.Warn().Str("dir", cfg.Trace.Dir).Str("user", cfg.Trace.User).Msg("messages are traced")
	}
	return app.NewServer(opt, application), nil
}

// logAddresses writes what a server listens on and what it tells clients, in
// one line: the two that are mixed up most often.
func logAddresses(log zerolog.Logger, bound []app.Bound, set announce.Set) {
	listening := zerolog.Dict()
	for _, b := range bound {
		listening.Str(b.Kind.String(), b.Addr.String())
	}
	e := log.Info().Dict("listening", listening)
	if set != nil {
		announced := zerolog.Dict()
		for _, key := range []string{announce.UDP4, announce.UDP6, announce.TCP4, announce.TCP6, announce.WS, announce.WSS} {
			if a, ok := set[key]; ok {
				announced.Str(key, describe(a))
			}
		}
		e = e.Dict("announced", announced)
	}
	e.Msg("addresses")
}

// describe shows an address without host as what it means.
func describe(address string) string {
	scheme, rest := "", address
	if i := strings.Index(address, "://"); i >= 0 {
		scheme, rest = address[:i+3], address[i+3:]
	}
	if strings.HasPrefix(rest, ":") {
		return scheme + "<the address that reaches the client>" + rest
	}
	return address
}

type nameServerNode struct {
	*app.Server
	log zerolog.Logger
	cfg *config.Config

	auth    *auth.Authenticator
	cancel  context.CancelFunc
	running sync.WaitGroup
	gossip  atomic.Pointer[cluster.Gossip]
	list    *regionList // where gossip is off
}

// NewNameServer makes the name server of a configuration.
func NewNameServer(cfg *config.Config, log zerolog.Logger) (Node, error) {
	n, err := newNameServer(cfg, log, nil)
	if err != nil {
		return nil, err
	}
	return &operated{cfg: cfg, log: n.log, nodes: []measured{n}}, nil
}

// newNameServer makes the name server. regions is nil for those of the
// configuration or of gossip.
func newNameServer(cfg *config.Config, log zerolog.Logger, regions func() []nameserver.Region) (*nameServerNode, error) {
	log = log.With().Str("server", "nameserver").Logger()
	a, err := fullAuthenticator(cfg, log)
	if err != nil {
		return nil, err
	}
	n := &nameServerNode{log: log, cfg: cfg, auth: a}
	switch {
	case regions != nil:
	case cfg.Cluster.Gossip.Listen != "":
		regions = n.gossipRegions
	default:
		all, check := staticRegions(cfg)
		n.list = newRegionList(all, check, log)
		regions = n.list.regions
	}
	application := nameserver.New(nameserver.Options{
		Auth: a, Regions: regions, Allow: cfg.NameServer.AllowRegions, AuthTimeout: cfg.Limits.AuthTimeout, Logger: log,
	})
	n.Server, err = appServer("nameserver", cfg, cfg.NameServer.Listen, nil, log, application)
	return n, err
}

// staticRegions are the regions of the configuration: those listed, or the one
// that this configuration itself describes; and what to try whether they live.
func staticRegions(cfg *config.Config) (all []nameserver.Region, check []string) {
	if len(cfg.NameServer.Regions) == 0 {
		return []nameserver.Region{{
			Code: strings.ToLower(cfg.Cluster.Region), Cluster: cfg.Cluster.Name,
			Masters: announce.Build(announcement(cfg.Master.Announce), configuredAddresses(cfg.Master.Listen)),
		}}, []string{""}
	}
	return listedRegions(cfg)
}

// listedRegions are those that the configuration names, and what to try.
func listedRegions(cfg *config.Config) (all []nameserver.Region, check []string) {
	for _, r := range cfg.NameServer.Regions {
		cluster := r.Cluster
		if cluster == "" {
			cluster = nameserver.DefaultCluster
		}
		all = append(all, nameserver.Region{
			Code: strings.ToLower(r.Region), Cluster: cluster,
			Masters: announce.Build(announcement(r.Announce), configuredAddresses(config.Default().Master.Listen)),
		})
		check = append(check, r.Check)
	}
	return all, check
}

// Start implements Node.
func (n *nameServerNode) Start(context.Context) error {
	if err := n.Server.Start(); err != nil {
		return err
	}
	logAddresses(n.log, n.Bound(), nil)
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	if n.list != nil {
		n.running.Go(func() { n.list.run(ctx) })
	}
	if n.cfg.Cluster.Gossip.Listen == "" {
		return nil
	}
	g, err := startGossip(ctx, n.cfg, n.log, &n.running, cluster.Node{ID: nodeID(n.cfg.Cluster, "nameserver"), Role: cluster.NameServer}, nil)
	n.gossip.Store(g)
	return err
}

// gossipRegions are the masters that are alive and take clients.
func (n *nameServerNode) gossipRegions() []nameserver.Region {
	g := n.gossip.Load()
	if g == nil {
		return nil
	}
	var all []nameserver.Region
	for _, node := range g.Nodes() {
		if node.Role == cluster.Master && node.State == cluster.Normal {
			all = append(all, nameserver.Region{
				Code: strings.ToLower(node.Region), Cluster: node.Cluster, Masters: node.Addresses, Seen: seenAt(node.S2S),
				Full: func(appID string) bool { return slices.Contains(node.Full, cluster.HashApp(appID)) },
			})
		}
	}
	return all
}

func (n *nameServerNode) metrics() prometheus.Collector {
	return admin.NewServerMetrics("ns", n.Server)
}

// Drain implements Node: a name server has nothing to finish.
func (n *nameServerNode) Drain(context.Context) error { return nil }

// Ready implements Node.
func (n *nameServerNode) Ready() error {
	if g := n.gossip.Load(); g != nil && len(n.gossipRegions()) == 0 {
		return errors.New("no master is known yet")
	}
	return nil
}

// Stop implements Node.
func (n *nameServerNode) Stop(ctx context.Context) error {
	err := n.Shutdown(ctx)
	n.cancel()
	n.running.Wait()
	n.auth.Close()
	return err
}
