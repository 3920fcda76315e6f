package nameserver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
)

const timeout = 10 * time.Second

func set(host string) announce.Set {
	return announce.Set{
		announce.UDP4: host + ":5055", announce.TCP4: host + ":4530",
		announce.WS: "ws://" + host + ":9090", announce.WSS: "wss://" + host + ":19090",
	}
}

// world is three regions: eu with a default and two further clusters, one of
// them with two masters; us for UDP only; asia without default cluster.
func world() []Region {
	return []Region{
		{Code: "us", Cluster: "default", Masters: announce.Set{announce.UDP4: "us.test:5055"}},
		{Code: "eu", Cluster: "alpha", Masters: set("alpha1.eu.test")},
		{Code: "eu", Cluster: "alpha", Masters: set("alpha2.eu.test")},
		{Code: "eu", Cluster: "beta", Masters: announce.Set{announce.TCP4: "beta.eu.test:4530"}},
		{Code: "eu", Cluster: "default", Masters: set("eu.test")},
		{Code: "asia", Cluster: "a1", Masters: set("a1.asia.test")},
		{Code: "asia", Cluster: "a2", Masters: set("a2.asia.test")},
	}
}

type server struct {
	t     *testing.T
	bound []app.Bound
	keys  *secure.Keyring
}

func start(t *testing.T, change func(*auth.Options, *Options)) *server {
	t.Helper()
	keys, err := secure.NewKeyring(secure.Key{1})
	if err != nil {
		t.Fatal(err)
	}
	a := auth.Options{Keys: keys, AllowAnonymous: true, TokenLife: time.Hour}
	opt := Options{Regions: world, AuthTimeout: timeout, Logger: zerolog.Nop()}
	if change != nil {
		change(&a, &opt)
	}
	opt.Auth = auth.New(a)
	s := app.NewServer(app.Options{Name: "nameserver", Logger: zerolog.Nop(), Listen: []app.Listen{
		{Kind: transport.UDP, Addr: "127.0.0.1:0"}, {Kind: transport.TCP, Addr: "127.0.0.1:0"}, {Kind: transport.WebSocket, Addr: "127.0.0.1:0"},
	}}, New(opt))
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		opt.Auth.Close()
	})
	return &server{t, s.Bound(), keys}
}

func (s *server) dial(kind client.Transport, p photon.Protocol) *client.Peer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for _, b := range s.bound {
		if uint8(b.Kind) != uint8(kind) {
			continue
		}
		peer, err := client.Dial(ctx, client.Options{Transport: kind, Protocol: p}, b.Addr.String())
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(peer.Close)
		return peer
	}
	s.t.Fatal("no such listener")
	return nil
}

func (s *server) ask(p *client.Peer, op photon.OpCode, params ...gpbinary.Param) *client.Response {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	r, err := p.Operation(ctx, op, params)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func application(id string) gpbinary.Param { return photon.Param(photon.ParamApplicationID, id) }
func in(region string) gpbinary.Param      { return photon.Param(photon.ParamRegion, region) }

// regions of GetRegions as "code=address", and the return code.
func (s *server) regions(kind client.Transport, p photon.Protocol, appID string) ([]string, photon.ReturnCode) {
	s.t.Helper()
	r := s.ask(s.dial(kind, p), photon.OpGetRegions, application(appID))
	codes, _ := r.Strings(photon.ParamRegion)
	addresses, _ := r.Strings(photon.ParamAddress)
	if len(codes) != len(addresses) {
		s.t.Fatalf("%d codes, %d addresses", len(codes), len(addresses))
	}
	if r.ReturnCode == 0 && len(codes) == 0 {
		s.t.Error("an empty list") // LB-022
	}
	for i := range codes {
		codes[i] += "=" + addresses[i]
	}
	return codes, r.ReturnCode
}

// LB-020, LB-025, WJ-080: each region once, the default cluster's master, in the
// form of the transport.
func TestGetRegions(t *testing.T) {
	s := start(t, nil)
	for _, tt := range []struct {
		kind client.Transport
		p    photon.Protocol
		want string
	}{
		{client.UDP, photon.GpBinaryV16, "asia=a1.asia.test:5055 eu=eu.test:5055 us=us.test:5055"},
		{client.TCP, photon.GpBinaryV18, "asia=a1.asia.test:4530 eu=eu.test:4530"},
		{client.WebSocket, photon.JSON, "asia=ws://a1.asia.test:9090 eu=ws://eu.test:9090"},
	} {
		if got, rc := s.regions(tt.kind, tt.p, "any"); rc != 0 || strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %d %v", tt.kind, rc, got)
		}
	}
	// LB-004, WJ-080
	if r := s.ask(s.dial(client.WebSocket, photon.JSON), photon.OpGetRegions); r.ReturnCode != photon.ReturnInvalidOperation || !strings.Contains(r.Debug, "224") {
		t.Errorf("without application: %d %q", r.ReturnCode, r.Debug)
	}
}

// LB-021, LB-022, LB-023, LB-030: which applications may use which regions.
func TestAllowedRegions(t *testing.T) {
	for _, tt := range []struct {
		allow, app string
		want       string
		rc         photon.ReturnCode
	}{
		{"EU; us", "plain", "eu us", 0},
		{";;;", "plain", "asia eu us", 0},
		{"mars", "plain", "", photon.ReturnInvalidRegion},
		{"eu;mars", "plain", "eu", 0},
		{"", "only-asia", "asia", 0},
		{"eu", "only-asia", "", photon.ReturnInvalidRegion},
		{"", "unknown", "", photon.ReturnInvalidAuthentication},
	} {
		s := start(t, func(a *auth.Options, o *Options) {
			o.Allow = tt.allow
			a.Allow, a.Rules = []string{"plain"}, map[string]auth.Rules{"only-asia": {Regions: []string{"asia"}}}
		})
		got, rc := s.regions(client.UDP, photon.GpBinaryV18, tt.app)
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], "=")
		}
		if rc != tt.rc || strings.Join(got, " ") != tt.want {
			t.Errorf("%q for %s: %d %v", tt.allow, tt.app, rc, got)
		}
		for _, code := range []string{"eu", "US", "asia"} {
			want := photon.ReturnInvalidRegion
			if tt.rc == photon.ReturnInvalidAuthentication {
				want = tt.rc
			} else if slices.Contains(got, strings.ToLower(code)) {
				want = 0
			}
			r := s.ask(s.dial(client.UDP, photon.GpBinaryV18), photon.OpAuthenticate, application(tt.app), in(code))
			if r.ReturnCode != want {
				t.Errorf("%q for %s: Authenticate in %s: %d %q", tt.allow, tt.app, code, r.ReturnCode, r.Debug)
			}
		}
	}
}

// LB-029, WJ-081: region strings, and which cluster they name.
func TestRegionStrings(t *testing.T) {
	s := start(t, nil)
	for _, tt := range []struct {
		region, clusters string // any of them
	}{
		{"eu", "default"}, {"EU", "default"}, {"eu/", "default"}, {"eu/*", "default alpha beta"}, {"EU/Alpha", "alpha"}, {"eu/beta", "beta"},
		{"asia", "a1 a2"}, {"asia/a2", "a2"}, {"asia/default", ""}, {"eu/gamma", ""}, {"mars", ""}, {"mars/*", ""}, {"eu/beta/x", ""}, {"/", ""}, {"*", ""},
		{"us", ""}, // has no TCP
	} {
		seen := map[string]bool{}
		for i := range 20 {
			r := s.ask(s.dial(client.TCP, photon.GpBinaryV18), photon.OpAuthenticate, application("a"), in(tt.region), photon.Param(photon.ParamUserID, fmt.Sprint("user", i)))
			if tt.clusters == "" {
				if r.ReturnCode != photon.ReturnInvalidRegion || r.Debug == "" {
					t.Errorf("%q: %d %q", tt.region, r.ReturnCode, r.Debug)
				}
				break
			}
			name, _ := r.String(photon.ParamCluster)
			if r.ReturnCode != 0 || !slices.Contains(strings.Fields(tt.clusters), name) {
				t.Errorf("%q: %d, cluster %q", tt.region, r.ReturnCode, name)
			}
			seen[name] = true
			// The token is good in that cluster.
			token, _ := r.String(photon.ParamToken)
			if opened, err := s.keys.Open(token, time.Now()); err != nil || opened.Cluster != name || opened.Region != strings.ToLower(tt.region[:strings.IndexByte(tt.region+"/", '/')]) {
				t.Errorf("%q: token %+v %v", tt.region, opened, err)
			}
		}
		if len(seen) != len(strings.Fields(tt.clusters)) {
			t.Errorf("%q: twenty users got %v", tt.region, seen)
		}
	}
	// The same user gets the same of two masters.
	var first string
	for range 5 {
		r := s.ask(s.dial(client.TCP, photon.GpBinaryV18), photon.OpAuthenticate, application("a"), in("eu/alpha"), photon.Param(photon.ParamUserID, "me"))
		a, _ := r.String(photon.ParamAddress)
		if first == "" {
			first = a
		}
		if a != first || !strings.HasPrefix(a, "alpha") {
			t.Errorf("%q, then %q", first, a)
		}
	}
}

// LB-024, LB-028, LB-032, LB-033, LB-034, WJ-082: what an answer has.
func TestAuthenticate(t *testing.T) {
	s := start(t, nil)
	for _, f := range []struct {
		kind client.Transport
		p    photon.Protocol
	}{{client.UDP, photon.GpBinaryV16}, {client.TCP, photon.GpBinaryV18}, {client.WebSocket, photon.JSON}} {
		ids := map[string]bool{}
		for _, want := range []string{"Ünser Kürzel 名前", "", ""} {
			params := []gpbinary.Param{application("a"), photon.Param(photon.ParamAppVersion, "1"), in("eu")}
			if want != "" {
				params = append(params, photon.Param(photon.ParamUserID, want))
			}
			r := s.ask(s.dial(f.kind, f.p), photon.OpAuthenticate, params...)
			id, ok := r.String(photon.ParamUserID)
			if r.ReturnCode != 0 || !ok || want != "" && id != want || want == "" && len(id) != 36 {
				t.Errorf("%d: user id %q of %q", r.ReturnCode, id, want)
			}
			ids[id] = true
			if v, _ := r.Value(photon.ParamToken); v == nil || fmt.Sprintf("%T", v) != "string" || len(v.(string)) > 1000 {
				t.Errorf("token %T %v", v, v)
			}
			if a, ok := r.String(photon.ParamAddress); !ok || !strings.Contains(a, "eu.test") {
				t.Errorf("address %q", a)
			}
			if r.Has(photon.ParamEncryptionData) || r.Debug != "" {
				t.Errorf("response of 230 has encryption data, or text %q", r.Debug)
			}
		}
		if len(ids) != 3 {
			t.Errorf("user ids %v", ids)
		}
	}
}

// LB-004, LB-005, LB-016, LB-002: requests that can't be answered well.
func TestAuthenticateRefused(t *testing.T) {
	s := start(t, nil)
	p := s.dial(client.TCP, photon.GpBinaryV18)
	if r := s.ask(p, photon.OpServerSettings); r.ReturnCode != photon.ReturnOperationNotAllowedInCurrentState {
		t.Errorf("before authentication: %d", r.ReturnCode)
	}
	for name, params := range map[string]photon.Params{
		"224": {in("eu")},
		"210": {application("a")},
		"225": {application("a"), in("eu"), photon.Param(photon.ParamUserID, strings.Repeat("x", 257))},
		"220": {application("a"), in("eu"), photon.Param(photon.ParamAppVersion, int32(1))},
	} {
		if r := s.ask(p, photon.OpAuthenticate, params...); r.ReturnCode != photon.ReturnInvalidOperation || !strings.Contains(r.Debug, name) {
			t.Errorf("bad %s: %d %q", name, r.ReturnCode, r.Debug)
		}
	}
	// LB-010: what nobody knows is ignored.
	if r := s.ask(p, photon.OpAuthenticate, application("a"), in("eu"), photon.Param(77, "x")); r.ReturnCode != 0 {
		t.Errorf("after mistakes: %d %q", r.ReturnCode, r.Debug)
	}
	if r := s.ask(p, photon.OpAuthenticate, application("a"), in("eu")); r.ReturnCode != photon.ReturnOperationNotAllowedInCurrentState {
		t.Errorf("twice: %d", r.ReturnCode)
	}
	if r := s.ask(p, photon.OpGetRegions, application("a")); r.ReturnCode != 0 {
		t.Errorf("regions afterwards: %d", r.ReturnCode)
	}
}

// LB-027: two clients get different secrets.
func TestAuthenticateOnceSecrets(t *testing.T) {
	s := start(t, nil)
	seen := map[string]bool{}
	for range 2 {
		r := s.ask(s.dial(client.TCP, photon.GpBinaryV18), photon.OpAuthenticateOnce, application("a"), in("eu"),
			photon.Param(photon.ParamExpectedProtocol, byte(client.UDP)), photon.Param(photon.ParamEncryptionMode, byte(0)))
		v, _ := r.Value(photon.ParamEncryptionData)
		data, ok := v.(*gpbinary.Dictionary)
		if !ok {
			t.Fatalf("%d %q: encryption data is a %T", r.ReturnCode, r.Debug, v)
		}
		mode, _ := data.Get(byte(0))
		secret, _ := data.Get(byte(1))
		key, ok := secret.([]byte)
		if mode != byte(0) || !ok || len(key) != 32 {
			t.Errorf("mode %v, secret %T", mode, secret)
		}
		seen[string(key)] = true
		if a, _ := r.String(photon.ParamAddress); a != "eu.test:5055" { // LB-026
			t.Errorf("address %q", a)
		}
	}
	if len(seen) != 2 {
		t.Error("the secrets are equal")
	}
}
