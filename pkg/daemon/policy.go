package daemon

import (
	"fmt"
	"net/netip"

	"github.com/boson-project/boson/pkg/transport"
)

// startPolicies starts the policy servers that are configured.
func (o *operated) startPolicies() error {
	cfg := o.cfg.Policy
	for _, p := range []struct {
		setting, address string
		policy           transport.Policy
	}{
		{"policy.flash", cfg.Flash, transport.FlashPolicy(cfg.Ports)},
		{"policy.silverlight", cfg.Silverlight, transport.SilverlightPolicy()},
	} {
		if p.address == "" {
			continue
		}
		l, err := transport.ListenPolicy(p.address, p.policy)
		if err != nil {
			return fmt.Errorf("%s: %w", p.setting, err)
		}
		o.policies = append(o.policies, l)
		o.log.Info().Stringer("address", l.Addr()).Msg(p.setting)
	}
	return nil
}

// Policies returns where the policy servers listen: Flash's, then Silverlight's.
func (o *operated) Policies() []netip.AddrPort {
	all := make([]netip.AddrPort, len(o.policies))
	for i, p := range o.policies {
		all[i] = p.Addr()
	}
	return all
}
