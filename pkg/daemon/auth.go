package daemon

import (
	"fmt"
	"strings"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/config"
)

// authenticator makes the authentication of a game server: it asks no provider.
func authenticator(cfg *config.Config) (*auth.Authenticator, error) {
	return newAuthenticator(cfg, auth.Custom{})
}

// fullAuthenticator makes the authentication of a name server or master, with
// the configuration's providers. It is to be closed.
func fullAuthenticator(cfg *config.Config, log zerolog.Logger) (*auth.Authenticator, error) {
	custom, err := customAuth(cfg.Apps.Auth, log)
	if err != nil {
		return nil, err
	}
	return newAuthenticator(cfg, custom)
}

func newAuthenticator(cfg *config.Config, custom auth.Custom) (*auth.Authenticator, error) {
	keys, err := keyring(cfg.Cluster)
	if err != nil {
		return nil, err
	}
	rules := make(map[string]auth.Rules, len(cfg.Apps.Rules))
	for _, r := range cfg.Apps.Rules {
		rules[r.AppID] = auth.Rules{Versions: r.Versions, Regions: regionCodes(r.Regions),
			Limits: auth.Limits{MaxCCU: r.MaxCCU, MaxRooms: r.MaxRooms, MaxPlayers: r.MaxPlayers}}
	}
	return auth.New(auth.Options{
		Keys: keys, Allow: cfg.Apps.Allow, Rules: rules,
		Limits:         auth.Limits{MaxCCU: cfg.Apps.MaxCCU, MaxRooms: cfg.Apps.MaxRooms, MaxPlayers: cfg.Apps.MaxPlayers},
		Separation:     auth.Separation(cfg.Apps.Separation),
		AllowAnonymous: cfg.Apps.AllowAnonymous, TokenLife: cfg.Apps.TokenLife,
		Cluster: cfg.Cluster.Name, Region: strings.ToLower(cfg.Cluster.Region), Custom: custom,
	}), nil
}

// regionCodes reads a list in the form of nameserver.allow_regions.
func regionCodes(list string) []string {
	return strings.FieldsFunc(strings.ToLower(list), func(r rune) bool { return r == ';' || r == ' ' })
}

func customAuth(cfg config.Auth, log zerolog.Logger) (auth.Custom, error) {
	custom := auth.Custom{
		AllowUnconfigured: cfg.AllowUnconfigured, OwnUserIDs: cfg.OwnUserIDs,
		MaxConcurrent: cfg.MaxConcurrent, MaxQueued: cfg.MaxQueued,
		QueueTimeout: cfg.QueueTimeout, RequestTimeout: cfg.RequestTimeout,
		MaxErrors: cfg.MaxErrors, MaxBackoff: cfg.MaxBackoff, Logger: log,
	}
	for i, p := range cfg.Providers {
		roots, err := certificates(p.CA)
		if err != nil {
			return auth.Custom{}, fmt.Errorf("apps.auth.providers[%d].ca: %w", i, err)
		}
		provider, typ, err := p.Make(roots, cfg.MaxConcurrent)
		if err != nil {
			return auth.Custom{}, fmt.Errorf("apps.auth.providers[%d].%w", i, err)
		}
		custom.Providers = append(custom.Providers, auth.Configured{
			Type: typ, Provider: provider, RejectIfUnavailable: p.RejectIfUnavailable == nil || *p.RejectIfUnavailable,
		})
	}
	return custom, nil
}
