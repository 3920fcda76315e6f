package daemon

import (
	"io"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/config"
)

// A mistake that only wiring can see stops the start with one line that names
// the setting.
func TestMistakesNameTheSetting(t *testing.T) {
	key := strings.Repeat("ab", 32)
	tests := []struct {
		name   string
		change func(*config.Config)
		want   string
	}{
		{"no key", func(c *config.Config) { c.Cluster.Key = "" }, "cluster.key"},
		{"bad key", func(c *config.Config) { c.Cluster.Key = "abc" }, "cluster.key"},
		{"bad old key", func(c *config.Config) { c.Cluster.OldKey = "abc" }, "cluster.old_key"},
		{"no transport", func(c *config.Config) { c.Master.Listen = config.Endpoints{} }, "master.listen"},
		{"no S2S", func(c *config.Config) { c.Master.S2S = "" }, "master.s2s"},
		{"no such certificate", func(c *config.Config) {
			c.TLS = config.TLS{Cert: "nowhere.pem", Key: "nowhere.key"}
			c.Master.Listen.WSS = ":0"
		}, "tls.cert"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config.Default()
			cfg.Cluster.Key = key
			tt.change(cfg)
			_, err := NewMaster(cfg, zerolog.Nop())
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), key) {
				t.Error("the error shows the key") // CL-62
			}
		})
	}
}

func TestUpNeedsNoKeyAndNoGossip(t *testing.T) {
	cfg := config.Default()
	if _, err := NewUp(cfg, zerolog.Nop(), io.Discard); err != nil {
		t.Fatal(err)
	}
	if cfg.Cluster.Key == "" {
		t.Error("no key was made")
	}
	cfg.Cluster.Gossip.Listen = "127.0.0.1:0"
	if _, err := NewUp(cfg, zerolog.Nop(), io.Discard); err == nil || !strings.Contains(err.Error(), "gossip") {
		t.Errorf("gossip in one process: %v", err)
	}
}
