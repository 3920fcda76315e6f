package daemon

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/admin"
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/config"
)

// startAdmin serves operators' HTTP, if it is configured; nil otherwise.
func startAdmin(cfg *config.Config, log zerolog.Logger, ready func() error, metrics ...prometheus.Collector) (*admin.HTTP, error) {
	if cfg.Admin.Listen == "" {
		return nil, nil
	}
	h, err := admin.Listen(admin.Options{Listen: cfg.Admin.Listen, Ready: ready, PProf: cfg.Admin.PProf})
	if err != nil {
		return nil, err
	}
	for _, m := range metrics {
		if err := h.Register(m); err != nil {
			return nil, errors.Join(err, h.Shutdown(context.Background()))
		}
	}
	log.Info().Stringer("address", h.Addr()).Msg("operators' HTTP: /healthz /readyz /metrics")
	return h, nil
}

// stopAll closes a server's listeners and its operators' HTTP.
func stopAll(ctx context.Context, server *app.Server, h *admin.HTTP) error {
	err := server.Shutdown(ctx)
	if h != nil {
		err = errors.Join(err, h.Shutdown(ctx))
	}
	return err
}
