package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Validate reports the first mistake, by the setting's name.
func (c *Config) Validate() error {
	switch c.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		return fmt.Errorf("log.level is %q, want debug, info, warn or error", c.Log.Level)
	}
	if c.Log.Format != "console" && c.Log.Format != "json" {
		return fmt.Errorf("log.format is %q, want console or json", c.Log.Format)
	}
	switch c.Apps.Separation {
	case "version", "app", "none":
	default:
		return fmt.Errorf("apps.separation is %q, want version, app or none", c.Apps.Separation)
	}
	if c.Apps.TokenLife <= 0 {
		return fmt.Errorf("apps.token_life is %s, want more than 0", c.Apps.TokenLife)
	}
	if err := c.Apps.validate(); err != nil {
		return err
	}
	if err := c.WebRPC.validate(); err != nil {
		return err
	}
	if err := c.Plugins.validate(); err != nil {
		return err
	}
	for name, n := range map[string]int{"list_limit": c.Master.ListLimit, "game_list_limit": c.Master.GameListLimit, "max_lobbies": c.Master.MaxLobbies} {
		if n < 1 {
			return fmt.Errorf("master.%s is %d, want at least 1", name, n)
		}
	}
	if c.Master.LobbyStatsLimit < 0 {
		return fmt.Errorf("master.lobby_stats_limit is %d, want 0 for all, or more", c.Master.LobbyStatsLimit)
	}
	if c.Cluster.Name == "" {
		return fmt.Errorf("cluster.name is empty")
	}
	if c.Cluster.Region == "" || strings.ContainsAny(c.Cluster.Region, "/; ") {
		return fmt.Errorf("cluster.region is %q, want a short word such as eu", c.Cluster.Region)
	}
	for i, r := range c.NameServer.Regions {
		if r.Region == "" {
			return fmt.Errorf("nameserver.regions[%d].region is empty", i)
		}
		if r.Check != "" {
			if err := checkAddress(r.Check); err != nil {
				return fmt.Errorf("nameserver.regions[%d].check is %q: %w", i, r.Check, err)
			}
		}
	}
	for i, a := range c.Cluster.Masters {
		if err := checkAddress(a); err != nil {
			return fmt.Errorf("cluster.masters[%d] is %q: %w", i, a, err)
		}
	}
	addresses := map[string]string{
		"nameserver.listen.udp": c.NameServer.Listen.UDP, "nameserver.listen.tcp": c.NameServer.Listen.TCP,
		"nameserver.listen.ws": c.NameServer.Listen.WS, "nameserver.listen.wss": c.NameServer.Listen.WSS,
		"master.listen.udp": c.Master.Listen.UDP, "master.listen.tcp": c.Master.Listen.TCP,
		"master.listen.ws": c.Master.Listen.WS, "master.listen.wss": c.Master.Listen.WSS, "master.s2s": c.Master.S2S,
		"gameserver.listen.udp": c.GameServer.Listen.UDP, "gameserver.listen.tcp": c.GameServer.Listen.TCP,
		"gameserver.listen.ws": c.GameServer.Listen.WS, "gameserver.listen.wss": c.GameServer.Listen.WSS,
		"admin.listen": c.Admin.Listen, "admin.grpc": c.Admin.GRPC, "cluster.gossip.listen": c.Cluster.Gossip.Listen,
		"policy.flash": c.Policy.Flash, "policy.silverlight": c.Policy.Silverlight,
	}
	listening := map[string]Endpoints{"nameserver": c.NameServer.Listen, "master": c.Master.Listen, "gameserver": c.GameServer.Listen}
	for role, e := range listening {
		addresses[role+".listen.tls"], addresses[role+".listen.http"], addresses[role+".listen.alt_udp"] = e.TLS, e.HTTP, e.AltUDP
	}
	for name, a := range addresses {
		if a == "" {
			continue
		}
		if err := checkAddress(a); err != nil {
			return fmt.Errorf("%s is %q: %w", name, a, err)
		}
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return fmt.Errorf("tls.cert and tls.key belong together: one is empty")
	}
	for role, e := range listening {
		for name, a := range map[string]string{"wss": e.WSS, "tls": e.TLS} {
			if a != "" && c.TLS.Cert == "" && !c.TLS.SelfSigned {
				return fmt.Errorf("%s.listen.%s is set but there is no certificate: set tls.cert and tls.key, or tls.self_signed", role, name)
			}
		}
	}
	if strings.Trim(c.Policy.Ports, "0123456789-,*") != "" {
		return fmt.Errorf("policy.ports is %q, want ports such as 4530-4533,9090", c.Policy.Ports)
	}
	return nil
}

func (a *Apps) validate() error {
	for name, n := range map[string]int{"max_ccu": a.MaxCCU, "max_rooms": a.MaxRooms, "max_players": a.MaxPlayers} {
		if n < 0 {
			return fmt.Errorf("apps.%s is %d, want 0 for no limit, or more", name, n)
		}
	}
	for i, r := range a.Rules {
		if r.AppID == "" {
			return fmt.Errorf("apps.rules[%d].app_id is empty", i)
		}
		if slices.ContainsFunc(a.Rules[:i], func(o AppRules) bool { return o.AppID == r.AppID }) {
			return fmt.Errorf("apps.rules[%d].app_id %q stands there twice", i, r.AppID)
		}
		if r.WebRPCURL != "" && r.WebRPCURL != Off && !isWeb(r.WebRPCURL) {
			return fmt.Errorf("apps.rules[%d].web_rpc_url is %q, want an http or https URL, or %s", i, r.WebRPCURL, Off)
		}
		if len(r.WebRPCHeaders) > 0 && (r.WebRPCURL == "" || r.WebRPCURL == Off) {
			return fmt.Errorf("apps.rules[%d].web_rpc_headers need web_rpc_url", i)
		}
		if r.Limits.MaxMessageSize < 0 || r.Limits.MaxQueuedBytes < 0 {
			return fmt.Errorf("apps.rules[%d].limits: max_message_size and max_queued_bytes can't be negative", i)
		}
	}
	var types []byte
	for i, p := range a.Auth.Providers {
		if p.Type < 0 || p.Type > 254 {
			return fmt.Errorf("apps.auth.providers[%d].type is %d, want 0 to 254", i, p.Type)
		}
		_, typ, err := p.Make(nil, 0)
		if err != nil {
			return fmt.Errorf("apps.auth.providers[%d].%w", i, err)
		}
		if slices.Contains(types, typ) {
			return fmt.Errorf("apps.auth.providers[%d].type %d stands there twice", i, typ)
		}
		types = append(types, typ)
	}
	for name, n := range map[string]int{"max_concurrent": a.Auth.MaxConcurrent, "max_queued": a.Auth.MaxQueued, "max_errors": a.Auth.MaxErrors} {
		if n < 1 {
			return fmt.Errorf("apps.auth.%s is %d, want at least 1", name, n)
		}
	}
	for name, d := range map[string]time.Duration{"queue_timeout": a.Auth.QueueTimeout, "request_timeout": a.Auth.RequestTimeout, "max_backoff": a.Auth.MaxBackoff} {
		if d <= 0 {
			return fmt.Errorf("apps.auth.%s is %s, want more than 0", name, d)
		}
	}
	return nil
}

func (w *WebRPC) validate() error {
	switch {
	case w.BaseURL != "" && !isWeb(w.BaseURL):
		return fmt.Errorf("web_rpc.base_url is %q, want an http or https URL", w.BaseURL)
	case w.Timeout <= 0:
		return fmt.Errorf("web_rpc.timeout is %s, want more than 0", w.Timeout)
	case w.RateLimit < 0:
		return fmt.Errorf("web_rpc.rate_limit is %d, want 0 or more", w.RateLimit)
	case w.MaxConcurrent < 1:
		return fmt.Errorf("web_rpc.max_concurrent is %d, want at least 1", w.MaxConcurrent)
	}
	return nil
}

func isWeb(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func checkAddress(a string) error {
	_, port, err := net.SplitHostPort(a)
	if err != nil {
		return fmt.Errorf("want host:port or :port")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	return nil
}
