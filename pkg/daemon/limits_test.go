package daemon

import (
	"testing"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/transport"
)

// An application's limits are those of all where it has none of its own, and
// applications without any are not listed.
func TestAppLimits(t *testing.T) {
	cfg := config.Default()
	cfg.Limits.MaxBytesPerSecond = 7000
	cfg.Apps.Rules = []config.AppRules{
		{AppID: "plain"},
		{AppID: "size", Limits: config.AppLimits{MaxMessageSize: 1000}},
		{AppID: "free", Limits: config.AppLimits{MaxMessagesPerSecond: -1, MaxBytesPerSecond: -1, MaxPeersPerAddress: 4}},
	}
	got := appLimits(cfg)
	want := map[string]app.Limits{
		"size": {PeerLimits: transport.PeerLimits{MaxMessageSize: 1000, MaxQueuedBytes: 2_000_000, MaxMessagesPerSecond: 5000, MaxBytesPerSecond: 7000}},
		"free": {PeerLimits: transport.PeerLimits{MaxMessageSize: 512_000, MaxQueuedBytes: 2_000_000, MaxMessagesPerSecond: -1, MaxBytesPerSecond: -1}, MaxPeersPerAddress: 4},
	}
	if len(got) != len(want) {
		t.Errorf("%d applications", len(got))
	}
	for id, w := range want {
		if got[id] != w {
			t.Errorf("%s: %+v, want %+v", id, got[id], w)
		}
	}
}
