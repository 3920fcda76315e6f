package daemon

import (
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/transport"
)

// serverLimits are the limits of a server's listeners.
func serverLimits(l config.Limits) transport.Limits {
	return transport.Limits{
		MaxMessageSize: l.MaxMessageSize, MaxQueuedBytes: l.MaxQueuedBytes,
		MaxMessagesPerSecond: l.MaxMessagesPerSecond, MaxBytesPerSecond: l.MaxBytesPerSecond,
		MaxPeers: l.MaxPeers, MaxPeersPerAddress: l.MaxPeersPerAddress,
		InitTimeout: l.InitTimeout, IdleTimeout: l.IdleTimeout,
	}
}

// appLimits are the limits of the applications that have their own: what they do
// not set is as for all others.
func appLimits(cfg *config.Config) map[string]app.Limits {
	general := serverLimits(cfg.Limits).Peer()
	all := map[string]app.Limits{}
	for _, r := range cfg.Apps.Rules {
		if r.Limits == (config.AppLimits{}) {
			continue
		}
		l := app.Limits{PeerLimits: general, MaxPeersPerAddress: r.Limits.MaxPeersPerAddress}
		for to, n := range map[*int]int{
			&l.MaxMessageSize: r.Limits.MaxMessageSize, &l.MaxQueuedBytes: r.Limits.MaxQueuedBytes,
			&l.MaxMessagesPerSecond: r.Limits.MaxMessagesPerSecond, &l.MaxBytesPerSecond: r.Limits.MaxBytesPerSecond,
		} {
			if n != 0 {
				*to = n
			}
		}
		all[r.AppID] = l
	}
	return all
}
