package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/admin"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/transport"
	adminv1 "github.com/boson-project/boson/proto/admin/v1"
)

// measured is a node that operators can measure.
type measured interface {
	Node
	metrics() prometheus.Collector
	status() *adminv1.Server
}

// operated adds operators' HTTP to one node, or to several that live together.
type operated struct {
	cfg   *config.Config
	log   zerolog.Logger
	nodes []measured
	http  *admin.HTTP
	grpc  *admin.GRPC
	// policies run beside the nodes, off by default.
	policies []*transport.PolicyListener
}

// Start implements Node: the nodes start in order, and stop again if one can't.
func (o *operated) Start(ctx context.Context) error {
	for i, n := range o.nodes {
		if err := n.Start(ctx); err != nil {
			for _, started := range o.nodes[:i] {
				err = errors.Join(err, started.Stop(ctx))
			}
			return err
		}
	}
	if err := o.startPolicies(); err != nil {
		return errors.Join(err, o.Stop(ctx))
	}
	if o.cfg.Admin.GRPC != "" {
		g, err := admin.ListenGRPC(o.cfg.Admin.GRPC, o.cfg.Admin.Token, backend{o})
		if err != nil {
			return errors.Join(fmt.Errorf("admin.grpc: %w", err), o.Stop(ctx))
		}
		o.grpc = g
		o.log.Info().Stringer("address", g.Addr()).Msg("operators' API: boson status, rooms, drain, close, kick")
	}
	if o.cfg.Admin.Listen == "" {
		return nil
	}
	h, err := admin.Listen(admin.Options{Listen: o.cfg.Admin.Listen, Ready: o.Ready, PProf: o.cfg.Admin.PProf})
	if err != nil {
		return errors.Join(fmt.Errorf("admin.listen: %w", err), o.Stop(ctx))
	}
	o.http = h
	for _, n := range o.nodes {
		if err := h.Register(n.metrics()); err != nil {
			return errors.Join(err, o.Stop(ctx))
		}
	}
	o.log.Info().Stringer("address", h.Addr()).Msg("operators' HTTP: /healthz /readyz /metrics")
	return nil
}

// Drain implements Node.
func (o *operated) Drain(ctx context.Context) error {
	var all error
	for _, n := range o.nodes {
		all = errors.Join(all, n.Drain(ctx))
	}
	return all
}

// Ready implements Node.
func (o *operated) Ready() error {
	for _, n := range o.nodes {
		if err := n.Ready(); err != nil {
			return err
		}
	}
	return nil
}

// Stop implements Node: in the opposite order of Start, so that the master still
// hears the game server's goodbye.
func (o *operated) Stop(ctx context.Context) error {
	var all error
	if o.grpc != nil {
		o.grpc.Stop()
	}
	for i := range o.nodes {
		all = errors.Join(all, o.nodes[len(o.nodes)-1-i].Stop(ctx))
	}
	for _, p := range o.policies {
		all = errors.Join(all, p.Shutdown(ctx))
	}
	if o.http != nil {
		all = errors.Join(all, o.http.Shutdown(ctx))
	}
	return all
}
