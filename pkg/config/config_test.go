package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write deploy/boson.yaml")

const sampleFile = "../../deploy/boson.yaml"

func noEnv(string) string { return "" }

func TestSampleFileIsTheDefaults(t *testing.T) {
	if *update {
		if err := os.WriteFile(sampleFile, []byte(Sample()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != Sample() {
		t.Errorf("%s is not up to date: run go test ./pkg/config -update", sampleFile)
	}
	cfg, err := Load("test", []string{"--config", sampleFile}, noEnv, nil, func(c *Config) { *c = Config{} })
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	// Empty lists read as empty, not as absent.
	if cfg.Apps.Allow == nil || len(cfg.Apps.Allow) != 0 {
		t.Errorf("apps.allow is %#v", cfg.Apps.Allow)
	}
	cfg.Apps.Allow, cfg.Cluster.Gossip.Join, cfg.NameServer.Regions = nil, nil, nil
	cfg.Apps.Rules, cfg.Apps.Auth.Providers, cfg.WebRPC.Headers = nil, nil, nil
	cfg.Plugins.Apps, cfg.Plugins.HTTP.Allow = nil, nil
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("the sample reads as\n%+v\nwant\n%+v", cfg, want)
	}
}

func TestFlagsOverEnvironmentOverFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "boson.yaml")
	if err := os.WriteFile(file, []byte("cluster: {name: file, region: file}\nlimits: {idle_timeout: 3s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(k string) string {
		return map[string]string{"BOSON_CLUSTER_REGION": "env", "BOSON_CLUSTER_NODE_ID": "env", "BOSON_APPS_ALLOW": "a, b", "BOSON_CONFIG": file}[k]
	}
	cfg, err := Load("test", []string{"--cluster.node_id=flag", "--apps.tokenless", "--limits.max_peers", "5"}, env, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Cluster.Name != "file" || cfg.Cluster.Region != "env" || cfg.Cluster.NodeID != "flag" || cfg.Limits.IdleTimeout != 3*time.Second ||
		!cfg.Apps.Tokenless || cfg.Limits.MaxPeers != 5 || !reflect.DeepEqual(cfg.Apps.Allow, []string{"a", "b"}) {
		t.Errorf("got %+v", cfg)
	}
	if cfg.Limits.MaxMessageSize != 512000 {
		t.Error("a setting that nobody named lost its default")
	}
}

func TestMistakesNameTheSetting(t *testing.T) {
	file := filepath.Join(t.TempDir(), "boson.yaml")
	tests := []struct {
		name, file string
		args       []string
		env        map[string]string
		want       []string
	}{
		{name: "unknown key", file: "cluster:\n  nmae: x\n", want: []string{"line 2", "nmae"}},
		{name: "wrong type", file: "limits:\n  max_peers: many\n", want: []string{"line 2"}},
		{name: "bad address", args: []string{"--master.listen.udp=5055"}, want: []string{"master.listen.udp", "host:port"}},
		{name: "bad port", args: []string{"--master.s2s=:70000"}, want: []string{"master.s2s", "70000"}},
		{name: "bad number in the environment", env: map[string]string{"BOSON_LIMITS_MAX_PEERS": "x"}, want: []string{"BOSON_LIMITS_MAX_PEERS", "whole number"}},
		{name: "bad duration", args: []string{"--limits.idle_timeout=5"}, want: []string{"limits.idle_timeout", "duration"}},
		{name: "bad level", args: []string{"--log.level=loud"}, want: []string{"log.level", "loud"}},
		{name: "bad separation", args: []string{"--apps.separation=all"}, want: []string{"apps.separation"}},
		{name: "provider without URL", file: "apps: {auth: {providers: [{type: 0}]}}\n", want: []string{"apps.auth.providers[0].url"}},
		{name: "no rooms in lists", args: []string{"--master.list_limit=0"}, want: []string{"master.list_limit"}},
		{name: "negative limit of rooms", args: []string{"--apps.max_rooms=-1"}, want: []string{"apps.max_rooms"}},
		{name: "unknown kind of provider", file: "apps: {auth: {providers: [{kind: stem}]}}\n", want: []string{"apps.auth.providers[0].kind", "stem", "steam"}},
		{name: "platform without secret", file: "apps: {auth: {providers: [{kind: steam, app_id: '480'}]}}\n", want: []string{"apps.auth.providers[0].secret"}},
		{name: "two providers of a platform", file: "apps: {auth: {providers: [{kind: epic, app_id: a}, {type: 13, url: 'http://h'}]}}\n", want: []string{"apps.auth.providers[1].type 13"}},
		{name: "two providers of a type", file: "apps: {auth: {providers: [{type: 1, url: \"http://a\"}, {type: 1, url: \"http://b\"}]}}\n", want: []string{"providers[1].type", "twice"}},
		{name: "type of anonymous clients", file: "apps: {auth: {providers: [{type: 255, url: \"http://a\"}]}}\n", want: []string{"providers[0].type", "254"}},
		{name: "unknown key of a provider", file: "apps:\n  auth:\n    providers:\n    - {type: 0, ulr: x}\n", want: []string{"line 4", "ulr"}},
		{name: "no concurrency", args: []string{"--apps.auth.max_concurrent=0"}, want: []string{"apps.auth.max_concurrent"}},
		{name: "rules for nobody", file: "apps: {rules: [{max_ccu: 5}]}\n", want: []string{"apps.rules[0].app_id"}},
		{name: "WebRpc to nowhere", args: []string{"--web_rpc.base_url=my.service.example"}, want: []string{"web_rpc.base_url", "https"}},
		{name: "WebRpc without time", args: []string{"--web_rpc.timeout=0s"}, want: []string{"web_rpc.timeout"}},
		{name: "WebRpc of one application", file: "apps: {rules: [{app_id: a, web_rpc_url: on}]}\n", want: []string{"apps.rules[0].web_rpc_url", "off"}},
		{name: "headers for nothing", file: "apps: {rules: [{app_id: a, web_rpc_url: off, web_rpc_headers: [\"X: y\"]}]}\n", want: []string{"apps.rules[0].web_rpc_headers"}},
		{name: "message size below nothing", file: "apps: {rules: [{app_id: x, limits: {max_message_size: -1}}]}\n", want: []string{"apps.rules[0].limits", "max_message_size"}},
		{name: "half a certificate", args: []string{"--tls.cert=x"}, want: []string{"tls.cert", "tls.key"}},
		{name: "wss without certificate", args: []string{"--master.listen.wss=:19090"}, want: []string{"master.listen.wss", "tls.cert"}},
		{name: "unknown flag", args: []string{"--nope"}, want: []string{"nope"}},
		{name: "stray argument", args: []string{"start"}, want: []string{"start"}},
		{name: "no such file", args: []string{"--config", "nowhere.yaml"}, want: []string{"nowhere.yaml"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if tt.file != "" {
				if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append([]string{"--config", file}, args...)
			}
			_, err := Load("test", args, func(k string) string { return tt.env[k] }, &bytes.Buffer{}, nil)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not mention %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestHelpAndCheck(t *testing.T) {
	var out bytes.Buffer
	if _, err := Load("master", []string{"--help"}, noEnv, &out, nil); !errors.Is(err, ErrHelp) {
		t.Fatal(err)
	}
	for _, want := range []string{"--master.listen.udp", "BOSON_MASTER_LISTEN_UDP", ":5055"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help does not mention %s", want)
		}
	}
	if _, err := Load("master", []string{"--check-config"}, noEnv, &out, nil); !errors.Is(err, ErrHelp) {
		t.Error(err)
	}
	if _, err := Load("master", []string{"--check-config", "--log.level=x"}, noEnv, &out, nil); err == nil || errors.Is(err, ErrHelp) {
		t.Error("a bad configuration passed the check")
	}
}
