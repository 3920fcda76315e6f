package doctor_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/doctor"
	"github.com/boson-project/boson/test/cluster"
)

func examine(t *testing.T, bound []app.Bound) (string, error) {
	t.Helper()
	opt := doctor.Options{Host: "127.0.0.1", Region: "eu", AppID: "doctor", AppVersion: "1", Timeout: time.Second, Ports: map[client.Transport]int{}}
	for _, b := range bound {
		opt.Ports[client.Transport(b.Kind)] = int(b.Addr.Port())
	}
	var out bytes.Buffer
	err := doctor.Examine(context.Background(), opt, &out)
	return out.String(), err
}

func TestGoodCluster(t *testing.T) {
	up := cluster.Start(t, nil)
	out, err := examine(t, up.NameServer())
	if err != nil {
		t.Fatal(err, out)
	}
	if strings.Count(out, "good") != 3 {
		t.Errorf("got\n%s", out)
	}
}

// Each mistake is found at its step, with the setting to change.
func TestMistakes(t *testing.T) {
	tests := []struct {
		name   string
		change func(*config.Config)
		want   string
	}{
		{"master announced wrongly", func(c *config.Config) { c.Master.Announce.Host = "127.0.0.9"; c.Master.Announce.UDP = "127.0.0.1:1" }, "master.announce"},
		{"game server announced wrongly", func(c *config.Config) {
			c.GameServer.Announce.UDP, c.GameServer.Announce.TCP, c.GameServer.Announce.WS = "127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:1"
		}, "gameserver.announce"},
		{"application not allowed", func(c *config.Config) { c.Apps.Allow = []string{"other"} }, "apps.allow"},
		{"transport off on the master", func(c *config.Config) { c.Master.Listen.UDP = "" }, "master.listen"},
		{"transport off on the game server", func(c *config.Config) { c.GameServer.Listen.UDP = "" }, "with this transport on"},
		{"another region", func(c *config.Config) { c.Cluster.Region = "us" }, "cluster.region"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up := cluster.Start(t, tt.change)
			var udp []app.Bound
			for _, b := range up.NameServer() {
				if client.Transport(b.Kind) == client.UDP {
					udp = append(udp, b)
				}
			}
			out, err := examine(t, udp)
			var f *doctor.Finding
			if !errors.As(err, &f) {
				t.Fatalf("found nothing:\n%s", out)
			}
			if !strings.Contains(out, tt.want) {
				t.Errorf("does not mention %q:\n%s", tt.want, out)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	opt := doctor.Options{Host: "127.0.0.1", Region: "eu", AppID: "a", AppVersion: "1", Timeout: 300 * time.Millisecond,
		Ports: map[client.Transport]int{client.TCP: 1}}
	var out bytes.Buffer
	if err := doctor.Examine(context.Background(), opt, &out); err == nil || !strings.Contains(out.String(), "nameserver.listen.tcp") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
