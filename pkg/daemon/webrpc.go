package daemon

import (
	"fmt"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/admin"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/webrpc"
)

// webRPC makes what a master or game server answers operation WebRpc with; nil
// where no web service is configured. It is to be closed.
func webRPC(cfg *config.Config, log zerolog.Logger) (*webrpc.Service, error) {
	roots, err := certificates(cfg.WebRPC.CA)
	if err != nil {
		return nil, fmt.Errorf("web_rpc.ca: %w", err)
	}
	opt := webrpc.Options{
		Default: webrpc.Target{BaseURL: cfg.WebRPC.BaseURL, Headers: cfg.WebRPC.Headers}, Apps: map[string]webrpc.Target{},
		Timeout: cfg.WebRPC.Timeout, PerMinute: cfg.WebRPC.RateLimit, Private: cfg.WebRPC.AllowPrivate, MaxConcurrent: cfg.WebRPC.MaxConcurrent,
		RootCAs: roots, Logger: log,
	}
	for _, r := range cfg.Apps.Rules {
		switch r.WebRPCURL {
		case "":
		case config.Off:
			opt.Apps[r.AppID] = webrpc.Target{}
		default:
			opt.Apps[r.AppID] = webrpc.Target{BaseURL: r.WebRPCURL, Headers: r.WebRPCHeaders}
		}
	}
	s, err := webrpc.New(opt)
	if err != nil {
		return nil, fmt.Errorf("web_rpc: %w", err)
	}
	return s, nil
}

// webRPCGauge shows how many calls there are.
func webRPCGauge(s *webrpc.Service) admin.Gauge {
	return admin.Gauge{Name: "webrpc_calls", Help: "WebRpc calls under way or waiting", Read: func() float64 { return float64(s.Calls()) }}
}
