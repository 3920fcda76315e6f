package cluster

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// asked is one request that the stub of an authentication service got.
type asked struct {
	method, contentType, body string
	query                     url.Values
}

// stub is an authentication service that answers what a test says.
type stub struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []asked
	status int
	answer string
}

func newStub(t *testing.T, start func(http.Handler) *httptest.Server) *stub {
	s := &stub{status: http.StatusOK, answer: `{"ResultCode":1}`}
	s.Server = start(s)
	t.Cleanup(s.Close)
	return s
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked = append(s.asked, asked{r.Method, r.Header.Get("Content-Type"), string(body), r.URL.Query()})
	status, answer := s.status, s.answer
	s.mu.Unlock()
	if status >= 300 && status < 400 {
		w.Header().Set("Location", answer)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

func (s *stub) answers(status int, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.answer, s.asked = status, answer, nil
}

func (s *stub) heard() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]asked(nil), s.asked...)
}

// withProvider configures the stub for type 0, and as an optional one for type 1.
func withProvider(s *stub, change func(*config.Config)) func(*config.Config) {
	return func(c *config.Config) {
		optional := false
		c.Apps.Auth.Providers = []config.AuthProvider{
			{Type: 0, URL: s.URL + "/auth?url=u", Keys: map[string]string{"key": "configured", "secret": "s&1"}},
			{Type: 1, URL: s.URL + "/auth", RejectIfUnavailable: &optional},
		}
		c.Apps.Auth.MaxErrors = 1000
		if change != nil {
			change(c)
		}
	}
}

// login sends one full authentication to the name server, or to the master, on
// a connection of its own.
func login(t testing.TB, up *daemon.Up, f Form, direct bool, extra photon.Params) *client.Response {
	t.Helper()
	p := dial(t, up, f, direct)
	return ask(t, p, photon.OpAuthenticate, loginParams(direct, extra))
}

func loginParams(direct bool, extra photon.Params) photon.Params {
	params := photon.Params{photon.Param(photon.ParamApplicationID, "test"), photon.Param(photon.ParamAppVersion, "1.0")}
	if !direct {
		params = append(params, photon.Param(photon.ParamRegion, "eu"))
	}
	return append(params, extra...)
}

func dial(t testing.TB, up *daemon.Up, f Form, direct bool) *client.Peer {
	t.Helper()
	bound := up.NameServer()
	if direct {
		bound = up.Master()
	}
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	defer cancel()
	p, err := client.Dial(ctx, client.Options{Transport: f.Transport, Protocol: f.Protocol}, address(bound, f.Transport))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func ask(t testing.TB, p *client.Peer, op photon.OpCode, params photon.Params) *client.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	defer cancel()
	r, err := p.Operation(ctx, op, params)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func custom(typ byte, query string, data any) photon.Params {
	p := photon.Params{photon.Param(photon.ParamClientAuthenticationType, typ), photon.Param(photon.ParamClientAuthenticationParams, query),
		photon.Param(photon.ParamUserID, "claimed")}
	if data != nil {
		p = append(p, photon.Param(photon.ParamClientAuthenticationData, data))
	}
	return p
}

// Where a client authenticates in full: on a name server, or on a master without one.
func places(t *testing.T, test func(t *testing.T, direct bool)) {
	for _, direct := range []bool{false, true} {
		name := "nameserver"
		if direct {
			name = "master"
		}
		t.Run(name, func(t *testing.T) { test(t, direct) })
	}
}

// LB-045: what the service is asked with GET.
func TestAuthQuery(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, withProvider(s, nil))
	places(t, func(t *testing.T, direct bool) {
		s.answers(200, `{"ResultCode":1}`)
		r := login(t, up, Forms[2], direct, custom(0, "user=x%20y&token=z&key=mine&KEY=mine&secret=guess", nil))
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		if id, _ := r.String(photon.ParamUserID); id != "claimed" {
			t.Errorf("user id %q", id)
		}
		got := s.heard()
		want := url.Values{"user": {"x y"}, "token": {"z"}, "key": {"configured"}, "secret": {"s&1"}, "url": {"u"}}
		if len(got) != 1 || got[0].method != "GET" || got[0].query.Encode() != want.Encode() || got[0].body != "" {
			t.Errorf("asked %+v", got)
		}
		for _, query := range []string{"a=%zz", "a=1;b=2", strings.Repeat("x", 9000)} {
			if r := login(t, up, Forms[2], direct, custom(0, query, nil)); r.ReturnCode != photon.ReturnInvalidOperation || !strings.Contains(r.Debug, "216") {
				t.Errorf("query %.20q: %d %s", query, r.ReturnCode, r.Debug)
			}
		}
	})
}

// LB-046, WJ-083: what is posted.
func TestAuthPost(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, withProvider(s, nil))
	dictionary := &gpbinary.Dictionary{Key: gpbinary.TypeDesc{Kind: gpbinary.KindString}, Val: gpbinary.TypeDesc{Kind: gpbinary.KindObject},
		Pairs: []gpbinary.Pair{{Key: "a", Value: int32(1)}, {Key: "b", Value: []byte{1, 2}}, {Key: "c", Value: gpbinary.ObjectArray{"x", true, nil, 1.5}}}}
	empty := &gpbinary.Dictionary{Key: dictionary.Key, Val: dictionary.Val}
	tests := []struct {
		name               string
		form               Form
		data               any
		method, mime, body string
		refused            bool
	}{
		{"text", Forms[3], "hällo", "POST", "text/plain; charset=utf-8", "hällo", false},
		{"empty text", Forms[3], "", "GET", "", "", false},
		{"null", Forms[3], nil, "GET", "", "", false},
		{"bytes", Forms[3], []byte{0, 1, 255}, "POST", "application/octet-stream", "\x00\x01\xff", false},
		{"no bytes", Forms[2], []byte{}, "POST", "application/octet-stream", "", false},
		{"dictionary", Forms[3], dictionary, "POST", "application/json", `{"a":1,"b":"AQI=","c":["x",true,null,1.5]}`, false},
		{"dictionary in 1.6", Forms[2], dictionary, "POST", "application/json", `{"a":1,"b":"AQI=","c":["x",true,null,1.5]}`, false},
		{"empty dictionary", Forms[3], empty, "POST", "application/json", `{}`, false},
		{"JSON text", Forms[6], "hello", "POST", "text/plain; charset=utf-8", "hello", false},
		{"JSON object", Forms[6], gpbinary.NewHashtable(gpbinary.Pair{Key: "a", Value: "b"}), "POST", "application/json", `{"a":"b"}`, false},
		{"a number", Forms[3], int32(5), "", "", "", true},
		{"too much", Forms[3], strings.Repeat("x", 40000)[:32769-2], "POST", "text/plain; charset=utf-8", strings.Repeat("x", 32767), false},
		{"far too much", Forms[3], make([]byte, 40000), "", "", "", true},
		{"custom type", Forms[3], gpbinary.ObjectArray{gpbinary.Custom{Code: 1, Data: []byte{1}}}, "POST", "application/json", `[{"$type":1,"$data":"AQ=="}]`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.answers(200, `{"ResultCode":1}`)
			r := login(t, up, tt.form, false, custom(0, "u=1", tt.data))
			got := s.heard()
			if tt.refused {
				if r.ReturnCode != photon.ReturnInvalidOperation || !strings.Contains(r.Debug, "214") || len(got) != 0 {
					t.Errorf("%d %s, %d requests", r.ReturnCode, r.Debug, len(got))
				}
				return
			}
			if err := r.Err(); err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0].method != tt.method || got[0].contentType != tt.mime || got[0].body != tt.body {
				t.Errorf("asked %+v", got)
			}
		})
	}
}

// LB-047, LB-048, WJ-085: what the service says about the user.
func TestAuthAnswer(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, withProvider(s, nil))
	s.answers(200, `{"resultcode":1,"UserId":"Given","NickName":"Nick","AuthCookie":{"top":"secret-cookie"},
		"Data":{"s":"x","l":5000000000,"i":1,"d":1.5,"b":true,"a":[1,"y",null]}}`)
	for _, f := range Forms {
		places(t, func(t *testing.T, direct bool) {
			r := login(t, up, f, direct, custom(0, "", nil))
			if err := r.Err(); err != nil {
				t.Fatal(f, err)
			}
			if id, _ := r.String(photon.ParamUserID); id != "Given" {
				t.Errorf("%s: user id %q", f, id)
			}
			if nick, _ := r.String(photon.ParamNickName); nick != "Nick" {
				t.Errorf("%s: nickname %q", f, nick)
			}
			v, _ := r.Value(photon.ParamData)
			if f.Protocol == photon.JSON {
				if table, ok := v.(*gpbinary.Hashtable); !ok || table.Len() != 6 {
					t.Errorf("%s: data %T %v", f, v, v)
				}
				return
			}
			data, ok := v.(*gpbinary.Dictionary)
			if !ok {
				t.Fatalf("%s: data is a %T", f, v)
			}
			for key, want := range map[string]any{"s": "x", "l": int64(5e9), "i": int64(1), "d": 1.5, "b": true,
				"a": gpbinary.ObjectArray{int64(1), "y", nil}} {
				if got, _ := data.Get(key); !gpbinary.EqualValues(got, want) {
					t.Errorf("%s: data %s is %T %v", f, key, got, got)
				}
			}
			for i := range 256 {
				if v, ok := r.Value(photon.ParamCode(i)); ok && strings.Contains(fmt.Sprint(v), "cookie") {
					t.Errorf("%s: parameter %d shows the cookie: %v", f, i, v)
				}
			}
		})
	}
}

// The identity goes all the way into a room. LB-047, LB-060
func TestAuthIdentityTravels(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, withProvider(s, nil))
	s.answers(200, `{"ResultCode":1,"UserId":"Given","Nickname":"Nick","Data":{"x":1}}`)
	for _, f := range []Form{Forms[1], Forms[6]} {
		settings := Settings(up, f, "claimed")
		settings.CustomAuth = &client.CustomAuth{Parameters: "user=1"}
		settings.NickName = ""
		p := newPlayer(t, settings)
		p.must(p.Connect(p.ctx()))
		opt := client.NewRoomOptions()
		opt.PublishUserID = true
		p.must(p.CreateRoom(p.ctx(), client.EnterRoomParams{RoomOptions: opt}))
		me := p.CurrentRoom().Actors[1]
		if p.UserID() != "Given" || p.NickName() != "Nick" || me.UserID != "Given" {
			t.Errorf("%s: %q %q, actor %+v", f, p.UserID(), p.NickName(), me)
		}
		if p.AuthData() == nil && f.Protocol != photon.JSON {
			t.Errorf("%s: no data", f)
		}
		p.must(p.LeaveRoom(p.ctx(), false))
		p.Close()
	}
}

// LB-049, LB-051, WJ-084: when the service says no, or nothing.
func TestAuthRefused(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, withProvider(s, nil))
	elsewhere := newStub(t, httptest.NewServer)
	const failed = photon.ReturnCustomAuthenticationFailed
	tests := []struct {
		name, answer string
		status       int
		form         Form
		debug        string
		optional     photon.ReturnCode // when the provider is optional
	}{
		{"wrong credentials", `{"ResultCode":2,"Message":"no"}`, 200, Forms[3], "no", failed},
		{"wrong parameters", `{"ResultCode":3}`, 200, Forms[3], "result code 3", failed},
		{"another code", `{"ResultCode":-7,"Message":"` + strings.Repeat("é", 40000/2) + `"}`, 200, Forms[2], "é", failed},
		{"server error", `{"ResultCode":1}`, 500, Forms[3], "not available", 0},
		{"client error", `{"ResultCode":1}`, 403, Forms[3], "403", failed},
		{"not JSON", `hello`, 200, Forms[3], "not available", 0},
		{"no code", `{"UserId":"x"}`, 200, Forms[3], "not available", 0},
		{"odd code", `{"ResultCode":1.5}`, 200, Forms[3], "not available", 0},
		{"cookie of a wrong type", `{"ResultCode":1,"AuthCookie":"x"}`, 200, Forms[3], "not available", 0},
		{"deep data", `{"ResultCode":1,"Data":{"a":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}}`, 200, Forms[3], "not available", 0},
		{"too long", `{"ResultCode":1,"Message":"` + strings.Repeat("x", 70000) + `"}`, 200, Forms[3], "not available", 0},
		{"long user id", `{"ResultCode":1,"UserId":"` + strings.Repeat("x", 300) + `"}`, 200, Forms[3], "too large", failed},
		{"redirect elsewhere", elsewhere.URL, 302, Forms[3], "not available", 0},
		{"second step for JavaScript", `{"ResultCode":0,"Data":{"q":1}}`, 200, Forms[6], "second step", failed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.answers(tt.status, tt.answer)
			r := login(t, up, tt.form, false, custom(0, "", nil))
			if r.ReturnCode != failed || !strings.Contains(r.Debug, tt.debug) || len(r.Debug) > 2000 {
				t.Errorf("%d %.60q", r.ReturnCode, r.Debug)
			}
			if r := login(t, up, tt.form, false, custom(1, "", nil)); r.ReturnCode != tt.optional {
				t.Errorf("optional provider: %d %.60q", r.ReturnCode, r.Debug)
			} else if id, _ := r.String(photon.ParamUserID); tt.optional == 0 && id != "claimed" {
				t.Errorf("optional provider: user id %q", id)
			}
		})
	}
	if n := len(elsewhere.heard()); n != 0 {
		t.Errorf("%d credentials went to another host", n)
	}
	s.Close()
	if r := login(t, up, Forms[3], true, custom(0, "", nil)); r.ReturnCode != failed {
		t.Errorf("service down: %d", r.ReturnCode)
	}
	if r := login(t, up, Forms[3], true, custom(1, "", nil)); r.ReturnCode != 0 {
		t.Errorf("optional service down: %d %s", r.ReturnCode, r.Debug)
	}
}

// LB-050: a second step on the same connection, also after a refusal.
func TestAuthSteps(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, withProvider(s, nil))
	places(t, func(t *testing.T, direct bool) {
		p := dial(t, up, Forms[3], direct)
		s.answers(200, `{"ResultCode":2,"Message":"no"}`)
		if r := ask(t, p, photon.OpAuthenticate, loginParams(direct, custom(0, "step=0", nil))); r.ReturnCode != photon.ReturnCustomAuthenticationFailed {
			t.Errorf("refusal: %d", r.ReturnCode)
		}
		s.answers(200, `{"ResultCode":0,"Data":{"question":"?"},"UserId":"hidden"}`)
		r := ask(t, p, photon.OpAuthenticate, loginParams(direct, custom(0, "step=1", nil)))
		if data, ok := r.Value(photon.ParamData); r.ReturnCode != 0 || !ok || len(r.Fields.Raw()) != 1 {
			t.Errorf("first step: %d %s, data %v, %d parameters", r.ReturnCode, r.Debug, data, len(r.Fields.Raw()))
		}
		// It is not authenticated meanwhile.
		if r := ask(t, p, photon.OpServerSettings, nil); r.ReturnCode != photon.ReturnOperationNotAllowedInCurrentState {
			t.Errorf("operation between the steps: %d", r.ReturnCode)
		}
		s.answers(200, `{"ResultCode":1,"UserId":"done"}`)
		r = ask(t, p, photon.OpAuthenticate, loginParams(direct, custom(0, "step=2", nil)))
		if id, _ := r.String(photon.ParamUserID); r.ReturnCode != 0 || id != "done" {
			t.Errorf("second step: %d %s, user %q", r.ReturnCode, r.Debug, id)
		}
		// LB-016
		if r := ask(t, p, photon.OpAuthenticate, loginParams(direct, nil)); r.ReturnCode != photon.ReturnOperationNotAllowedInCurrentState {
			t.Errorf("authenticated twice: %d", r.ReturnCode)
		}
	})
}

// LB-052: who has no provider.
func TestAuthAnonymous(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	strict := Start(t, withProvider(s, func(c *config.Config) { c.Apps.AllowAnonymous, c.Apps.Auth.OwnUserIDs = false, true }))
	lax := Start(t, withProvider(s, func(c *config.Config) { c.Apps.Auth.AllowUnconfigured = true }))
	places(t, func(t *testing.T, direct bool) {
		id := photon.Params{photon.Param(photon.ParamUserID, "claimed")}
		none := append(id, photon.Param(photon.ParamClientAuthenticationType, photon.AuthNone)) // WJ-083
		for _, anonymous := range []photon.Params{id, none} {
			if r := login(t, strict, Forms[3], direct, anonymous); r.ReturnCode != photon.ReturnInvalidAuthentication {
				t.Errorf("anonymous: %d", r.ReturnCode)
			}
			if r := login(t, lax, Forms[3], direct, anonymous); r.ReturnCode != 0 {
				t.Errorf("anonymous where it is allowed: %d", r.ReturnCode)
			}
		}
		if r := login(t, strict, Forms[3], direct, custom(7, "", nil)); r.ReturnCode != photon.ReturnCustomAuthenticationFailed {
			t.Errorf("unknown type: %d", r.ReturnCode)
		}
		if r := login(t, lax, Forms[3], direct, custom(7, "", nil)); r.ReturnCode != 0 {
			t.Errorf("unknown type where it is allowed: %d", r.ReturnCode)
		}
		r := login(t, strict, Forms[3], direct, custom(0, "", nil))
		if got, _ := r.String(photon.ParamUserID); r.ReturnCode != 0 || got == "claimed" || got == "" {
			t.Errorf("user ids of the server's own: %d %q", r.ReturnCode, got)
		}
	})
}

// LB-053: after errors the questions pause, and go on.
func TestAuthBackoff(t *testing.T) {
	s := newStub(t, httptest.NewServer)
	up := Start(t, withProvider(s, func(c *config.Config) {
		c.Apps.Auth.MaxErrors, c.Apps.Auth.MaxBackoff = 2, 50*time.Millisecond
	}))
	s.answers(500, "")
	for i := range 2 {
		if r := login(t, up, Forms[3], false, custom(0, "", nil)); r.ReturnCode != photon.ReturnCustomAuthenticationFailed {
			t.Errorf("error %d: %d", i, r.ReturnCode)
		}
	}
	if n := len(s.heard()); n != 2 {
		t.Fatalf("asked %d times", n)
	}
	s.answers(200, `{"ResultCode":1}`)
	eventually(t, func() bool { return login(t, up, Forms[3], false, custom(0, "", nil)).ReturnCode == 0 }, "questions go on")
}

// A service with TLS, by its own authority.
func TestAuthTLS(t *testing.T) {
	s := newStub(t, httptest.NewTLSServer)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	trusting := Start(t, withProvider(s, func(c *config.Config) { c.Apps.Auth.Providers[0].CA = ca }))
	if r := login(t, trusting, Forms[3], false, custom(0, "", nil)); r.ReturnCode != 0 {
		t.Errorf("%d %s", r.ReturnCode, r.Debug)
	}
	wary := Start(t, withProvider(s, nil))
	if r := login(t, wary, Forms[3], false, custom(0, "", nil)); r.ReturnCode != photon.ReturnCustomAuthenticationFailed {
		t.Errorf("unknown authority: %d", r.ReturnCode)
	}
}

// A slow service holds up nobody else, and who goes meanwhile leaves nothing behind.
func TestAuthSlowService(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan struct{}, 16)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		_ = json.NewEncoder(w).Encode(map[string]any{"ResultCode": 1, "UserId": "slow"})
	}))
	t.Cleanup(slow.Close)
	up := Start(t, func(c *config.Config) {
		c.Apps.Auth.Providers = []config.AuthProvider{{Type: 0, URL: slow.URL}}
	})
	whole := t
	places(t, func(t *testing.T, direct bool) {
		gone, stays := dial(t, up, Forms[1], direct), dial(whole, up, Forms[1], direct)
		for _, p := range []*client.Peer{gone, stays} {
			if err := p.Send(photon.OpAuthenticate, loginParams(direct, custom(0, "", nil)), client.SendReliable); err != nil {
				t.Fatal(err)
			}
			next(t, arrived, "question")
		}
		// LB-016: a second one meanwhile; the client takes the first answer for the first request.
		if err := stays.Send(photon.OpServerSettings, nil, client.SendReliable); err != nil {
			t.Fatal(err)
		}
		if r := login(t, up, Forms[1], direct, nil); r.ReturnCode != 0 {
			t.Errorf("another client: %d", r.ReturnCode)
		}
		gone.Close()
	})
	close(release)
	ann := connected(t, up, Forms[3], "ann")
	eventually(t, func() bool {
		friends, err := ann.FindFriends(ann.ctx(), []string{"slow"}, 0)
		return err == nil && friends[0].IsOnline
	}, "the one who stayed is online")
}
