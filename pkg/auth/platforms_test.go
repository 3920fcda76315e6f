package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/boson-project/boson/pkg/photon"
)

// standIn is a platform's web service that answers what a test says.
type standIn struct {
	*httptest.Server
	status  int
	answer  string
	asked   []*http.Request // with the form read
	blocked func()          // called instead of answering, if set
}

func newStandIn(t *testing.T) *standIn {
	s := &standIn{status: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.asked = append(s.asked, r)
		if s.blocked != nil {
			s.blocked()
			<-r.Context().Done()
			return
		}
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.answer)
	}))
	t.Cleanup(s.Close)
	return s
}

// platforms have a login each that is good, what is asked for it, and the good answer.
var platforms = []struct {
	settings     Settings
	typ          byte
	params       string
	method       string
	asked        url.Values
	answer, user string
}{
	{
		Settings{Kind: "steam", AppID: "480", Secret: "web-key"}, 1, "ticket=14000000ab", "GET",
		url.Values{"key": {"web-key"}, "appid": {"480"}, "ticket": {"14000000ab"}},
		`{"response":{"params":{"result":"OK","steamid":"76561197960287930","ownersteamid":"76561197960287930","vacbanned":true,"publisherbanned":false}}}`, "76561197960287930",
	},
	{
		Settings{Kind: "facebook", AppID: "1384", Secret: "fb-secret"}, 2, "token=abc%2Bd", "GET",
		url.Values{"input_token": {"abc+d"}, "access_token": {"1384|fb-secret"}},
		`{"data":{"app_id":"1384","type":"USER","is_valid":true,"user_id":"1207059","expires_at":1352419328}}`, "1207059",
	},
	{
		Settings{Kind: "oculus", AppID: "77", Secret: "oc-secret"}, 3, "UserId=4711&nonce=once", "POST",
		url.Values{"access_token": {"OC|77|oc-secret"}, "user_id": {"4711"}, "nonce": {"once"}},
		`{"is_valid":true}`, "4711",
	},
	{
		Settings{Kind: "epic", AppID: "fghi"}, 13, "token=eg1~x.y.z", "POST",
		url.Values{"token": {"eg1~x.y.z"}},
		`{"active":true,"scope":"basic_profile","token_type":"bearer","expires_in":6642,"account_id":"3626","client_id":"c","application_id":"fghi"}`, "3626",
	},
}

func start(t *testing.T, s Settings, address string) Provider {
	t.Helper()
	s.URL = address
	p, _, err := NewProvider(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What each platform is asked, and who the user is then.
func TestPlatforms(t *testing.T) {
	for _, tt := range platforms {
		t.Run(tt.settings.Kind, func(t *testing.T) {
			s := newStandIn(t)
			s.answer = tt.answer
			if _, typ, err := NewProvider(tt.settings); err != nil || typ != tt.typ {
				t.Fatalf("type %d, want %d; %v", typ, tt.typ, err) // also: its own address is good
			}
			p := start(t, tt.settings, s.URL+"/path?fixed=1")
			v, err := p.Check(t.Context(), &Login{Params: tt.params, UserID: "claimed"})
			if err != nil || v.Code != ResultSuccess || v.UserID != tt.user {
				t.Fatalf("%+v, %v", v, err)
			}
			r := s.asked[0]
			got := r.Form
			if r.URL.Path != "/path" || got.Get("fixed") != "1" {
				t.Errorf("asked %s", r.URL)
			}
			got.Del("fixed")
			if r.Method != tt.method || got.Encode() != tt.asked.Encode() {
				t.Errorf("%s %s, want %s %s", r.Method, got.Encode(), tt.method, tt.asked.Encode())
			}
		})
	}
}

// What a client may not send; nobody is asked.
func TestPlatformParameters(t *testing.T) {
	for _, tt := range platforms {
		s := newStandIn(t)
		p := start(t, tt.settings, s.URL)
		for _, params := range []string{"", "other=1", tt.params + "&" + tt.params, strings.Split(tt.params, "=")[0] + "=", "%zz", strings.Repeat("x", maxAuthParams+1)} {
			_, err := p.Check(t.Context(), &Login{Params: params})
			if pe := (*photon.ParamError)(nil); !errors.As(err, &pe) || !strings.Contains(err.Error(), "216") {
				t.Errorf("%s %.40q: %v", tt.settings.Kind, params, err)
			}
		}
		if len(s.asked) != 0 {
			t.Errorf("%s was asked", tt.settings.Kind)
		}
	}
	s := newStandIn(t)
	if _, err := start(t, platforms[0].settings, s.URL).Check(t.Context(), &Login{Params: "ticket=xyz"}); err == nil || len(s.asked) != 0 {
		t.Errorf("a Steam ticket that is not hexadecimal: %v", err)
	}
}

// Answers that refuse the user, and answers that make no sense.
func TestPlatformAnswers(t *testing.T) {
	bad := map[string][]string{
		"steam": {
			`{"response":{"error":{"errorcode":101,"errordesc":"Invalid ticket"}}}`,
			`{"response":{"params":{"result":"Expired","steamid":"1"}}}`,
		},
		"facebook": {
			`{"data":{"error":{"code":190,"message":"Invalid OAuth access token."},"is_valid":false,"scopes":[]}}`,
			`{"data":{"app_id":"9999","is_valid":true,"user_id":"1"}}`, // another game's token
			`{"data":{"app_id":1384,"is_valid":true}}`,
		},
		"oculus": {`{"is_valid":false}`},
		"epic": {
			`{"active":false}`,
			`{"active":true,"account_id":"3626","application_id":"other"}`,
			`{"active":true,"application_id":"fghi"}`,
		},
	}
	broken := []string{``, `[`, `[]`, `{}`, `null`, `"x"`, `{"response":{}}`, `{"response":{"params":{"result":"OK"}}}`, strings.Repeat(" ", maxAnswer) + "{}"}
	for _, tt := range platforms {
		s := newStandIn(t)
		p := start(t, tt.settings, s.URL)
		login := &Login{Params: tt.params}
		for _, s.answer = range bad[tt.settings.Kind] {
			if v, err := p.Check(t.Context(), login); err != nil || v.Code == ResultSuccess || v.Message == "" {
				t.Errorf("%s said %s: %+v, %v", tt.settings.Kind, s.answer, v, err)
			}
		}
		for _, s.answer = range broken {
			if v, err := p.Check(t.Context(), login); err == nil {
				t.Errorf("%s said %.40s: %+v", tt.settings.Kind, s.answer, v)
			}
		}
		s.answer = tt.answer
		for status, refusal := range map[int]bool{400: true, 404: true, 401: !(tt.settings.Secret != ""), 403: !(tt.settings.Secret != ""), 429: false, 500: false, 503: false} {
			s.status = status
			v, err := p.Check(t.Context(), login)
			if refused := err == nil && v.Code == ResultWrongCredentials; refused != refusal || !refused && err == nil {
				t.Errorf("%s with HTTP %d: %+v, %v", tt.settings.Kind, status, v, err)
			}
			if err != nil && (strings.Contains(err.Error(), "secret") && !strings.Contains(err.Error(), "check app_id") || strings.Contains(err.Error(), "web-key")) {
				t.Errorf("a secret is in the error: %v", err)
			}
		}
		s.status = 200
		s.Close()
		if _, err := p.Check(t.Context(), login); err == nil || strings.Contains(err.Error(), "web-key") || strings.Contains(err.Error(), "-secret") {
			t.Errorf("%s is down: %v", tt.settings.Kind, err)
		}
	}
}

// A platform that does not answer holds a question until its context ends.
func TestPlatformIsSlow(t *testing.T) {
	for _, tt := range platforms {
		s := newStandIn(t)
		p := start(t, tt.settings, s.URL)
		ctx, cancel := context.WithCancel(t.Context())
		s.blocked = cancel
		if v, err := p.Check(ctx, &Login{Params: tt.params}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %+v, %v", tt.settings.Kind, v, err)
		}
	}
}

// Who else is turned away on Steam.
func TestSteamRefuse(t *testing.T) {
	s := newStandIn(t)
	for answer, word := range map[string]string{
		`{"response":{"params":{"result":"OK","steamid":"1","ownersteamid":"1","vacbanned":true,"publisherbanned":false}}}`:  "vac_ban",
		`{"response":{"params":{"result":"OK","steamid":"1","ownersteamid":"1","vacbanned":false,"publisherbanned":true}}}`:  "publisher_ban",
		`{"response":{"params":{"result":"OK","steamid":"1","ownersteamid":"2","vacbanned":false,"publisherbanned":false}}}`: "borrowed",
	} {
		s.answer = answer
		for _, refuse := range []string{"vac_ban", "publisher_ban", "borrowed"} {
			p := start(t, Settings{Kind: "steam", AppID: "480", Secret: "k", Refuse: []string{refuse}}, s.URL)
			v, err := p.Check(t.Context(), &Login{Params: "ticket=00"})
			if err != nil || (v.Code == ResultSuccess) != (refuse != word) {
				t.Errorf("refuse %s, user with %s: %+v, %v", refuse, word, v, err)
			}
		}
	}
}

// Settings that can't work, by name.
func TestProviderSettings(t *testing.T) {
	for want, s := range map[string]Settings{
		"kind":    {Kind: "stem"},
		"url":     {Kind: "", URL: "ftp://h"},
		"app_id ": {Kind: "steam", Secret: "k"},
		"app_id":  {Kind: "steam", Secret: "k", AppID: "game"},
		"secret":  {Kind: "facebook", AppID: "1"},
		"refuse":  {Kind: "steam", Secret: "k", AppID: "1", Refuse: []string{"ban"}},
		"issuer":  {Kind: "openid", AppID: "1", URL: "http://h"},
		"url ":    {Kind: "openid", AppID: "1", Issuer: "i"},
		"users":   {Kind: "static"},
		"users ":  {Kind: "static", Users: map[string]string{"ann": ""}},
		"users: ": {Kind: "static", Users: map[string]string{"ann": "sha256:1234"}},
		"url:":    {Kind: "epic", AppID: "1", URL: "epic"},
	} {
		if _, _, err := NewProvider(s); err == nil || !strings.HasPrefix(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%+v: %v, want %s", s, err, want)
		}
	}
}

// Users of the configuration.
func TestStatic(t *testing.T) {
	hash := sha256.Sum256([]byte("bobs secret"))
	p := start(t, Settings{Kind: "static", Users: map[string]string{"ann": "anns", "bob": "sha256:" + hex.EncodeToString(hash[:])}}, "")
	for params, user := range map[string]string{
		"user=ann&token=anns": "ann", "token=bobs+secret&USER=bob": "bob",
		"user=ann&token=bobs": "", "user=Ann&token=anns": "", "user=cat&token=anns": "", "user=bob&token=sha256:" + hex.EncodeToString(hash[:]): "",
	} {
		v, err := p.Check(t.Context(), &Login{Params: params, UserID: "claimed"})
		if err != nil || v.UserID != user || (v.Code == ResultSuccess) != (user != "") {
			t.Errorf("%s: %+v, %v", params, v, err)
		}
	}
	if _, err := p.Check(t.Context(), &Login{Params: "user=ann"}); err == nil {
		t.Error("without a token")
	}
}

// A program's own kind of provider. Kinds are known to the whole process, so
// this one's name is its own.
func TestRegister(t *testing.T) {
	Register("of-a-test", 77, func(s Settings) (Provider, error) {
		if s.AppID == "" {
			return nil, errors.New("app_id is empty")
		}
		return providerFunc(func(context.Context, *Login) (*Verdict, error) {
			return &Verdict{Code: ResultSuccess, UserID: s.AppID}, nil
		}), nil
	})
	if _, _, err := NewProvider(Settings{Kind: "of-a-test"}); err == nil || err.Error() != "app_id is empty" {
		t.Error(err)
	}
	p, typ, err := NewProvider(Settings{Kind: "of-a-test", AppID: "me"})
	if err != nil || typ != 77 {
		t.Fatal(typ, err)
	}
	if v, err := p.Check(t.Context(), &Login{}); err != nil || v.UserID != "me" {
		t.Error(v, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a second of the same name was taken")
		}
	}()
	Register("of-a-test", 1, nil)
}

// signer makes id tokens.
func signer(t *testing.T, algorithm jose.SignatureAlgorithm, key any, id string) func(claims ...any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(claims ...any) string {
		b := jwt.Signed(s)
		for _, c := range claims {
			b = b.Claims(c)
		}
		text, err := b.Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Id tokens: signed by the issuer's keys, for this game, and not expired.
func TestOpenID(t *testing.T) {
	ours, theirs := newKey(t), newKey(t)
	published := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: ours.Public(), KeyID: "k1", Use: "sig"}, {Key: []byte("shared secret of enough bytes...."), KeyID: "shared"}}}
	var asked atomic.Int32
	var status atomic.Int32
	status.Store(200)
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(int(status.Load()))
		_ = json.NewEncoder(w).Encode(published)
	}))
	defer issuer.Close()
	settings := Settings{Kind: "openid", AppID: "game", Issuer: "https://issuer"}
	p := start(t, settings, issuer.URL)
	now := time.Now()
	good := jwt.Claims{Issuer: "https://issuer", Subject: "user-1", Audience: jwt.Audience{"other", "game"}, Expiry: jwt.NewNumericDate(now.Add(time.Hour))}
	change := func(f func(*jwt.Claims)) jwt.Claims {
		c := good
		f(&c)
		return c
	}
	sign := signer(t, jose.ES256, ours, "k1")
	check := func(token string) (*Verdict, error) {
		return p.Check(t.Context(), &Login{Params: "token=" + url.QueryEscape(token)})
	}
	v, err := check(sign(good, map[string]any{"name": "Ann"}))
	if err != nil || v.Code != ResultSuccess || v.UserID != "user-1" || v.Nickname != "Ann" {
		t.Fatalf("%+v, %v", v, err)
	}
	valid := strings.Split(sign(good), ".")
	for name, token := range map[string]string{
		"not a token":         "abc",
		"signed by others":    signer(t, jose.ES256, theirs, "k1")(good),
		"with unknown key":    signer(t, jose.ES256, theirs, "k2")(good),
		"with a shared key":   signer(t, jose.HS256, []byte("shared secret of enough bytes...."), "shared")(good),
		"not signed":          "eyJhbGciOiJub25lIn0." + valid[1] + ".",
		"without signature":   valid[0] + "." + valid[1] + ".",
		"for another game":    sign(change(func(c *jwt.Claims) { c.Audience = jwt.Audience{"other"} })),
		"from another issuer": sign(change(func(c *jwt.Claims) { c.Issuer = "https://other" })),
		"expired":             sign(change(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(now.Add(-time.Hour)) })),
		"without expiry":      sign(change(func(c *jwt.Claims) { c.Expiry = nil })),
		"without subject":     sign(change(func(c *jwt.Claims) { c.Subject = "" })),
		"not valid yet":       sign(change(func(c *jwt.Claims) { c.NotBefore = jwt.NewNumericDate(now.Add(time.Hour)) })),
	} {
		if v, err := check(token); err != nil || v.Code == ResultSuccess || v.UserID != "" {
			t.Errorf("a token %s: %+v, %v", name, v, err)
		}
	}
	// Invented key ids ask for the keys no more than once in a while.
	if n := asked.Load(); n != 1 {
		t.Errorf("asked for the keys %d times", n)
	}
	// An issuer that can't be asked is no verdict about the user.
	status.Store(500)
	p = start(t, settings, issuer.URL)
	for range 3 {
		if v, err := check(sign(good)); err == nil {
			t.Errorf("without keys: %+v", v)
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times while the issuer is down", n)
	}
}

// Keys change: new ones are found, old ones are forgotten.
func TestOpenIDKeysChange(t *testing.T) {
	first, second := newKey(t), newKey(t)
	var current atomic.Pointer[jose.JSONWebKey]
	current.Store(&jose.JSONWebKey{Key: first.Public(), KeyID: "1"})
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{*current.Load()}})
	}))
	defer issuer.Close()
	p := start(t, Settings{Kind: "openid", AppID: "game", Issuer: "i"}, issuer.URL).(*openID)
	claims := jwt.Claims{Issuer: "i", Subject: "u", Audience: jwt.Audience{"game"}, Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour))}
	check := func(key *ecdsa.PrivateKey, id string) int {
		v, err := p.Check(t.Context(), &Login{Params: "token=" + signer(t, jose.ES256, key, id)(claims)})
		if err != nil {
			t.Fatal(err)
		}
		return v.Code
	}
	if check(first, "1") != ResultSuccess {
		t.Error("the first key")
	}
	current.Store(&jose.JSONWebKey{Key: second.Public(), KeyID: "2"})
	if check(second, "2") == ResultSuccess {
		t.Error("a new key within the pause")
	}
	p.lastTry = p.lastTry.Add(-keysPause)
	if check(second, "2") != ResultSuccess || check(first, "1") == ResultSuccess {
		t.Error("after the pause the new key counts, and the old one does not")
	}
	current.Store(&jose.JSONWebKey{Key: first.Public(), KeyID: "1"})
	p.lastTry, p.fetched = p.lastTry.Add(-keysLife), p.fetched.Add(-keysLife)
	if check(second, "2") == ResultSuccess {
		t.Error("a key that was withdrawn an hour ago")
	}
}

func FuzzPlatformAnswer(f *testing.F) {
	for i, tt := range platforms {
		f.Add(i, tt.answer)
	}
	f.Fuzz(func(t *testing.T, i int, answer string) {
		tt := platforms[uint(i)%uint(len(platforms))]
		p, _, err := NewProvider(tt.settings)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.(*platform).verdict([]byte(answer), make([]string, 2))
		if err == nil && v == nil || err == nil && v.Code == ResultSuccess && v.UserID == "" && tt.settings.Kind != "oculus" {
			t.Errorf("%s: %s gave %s", tt.settings.Kind, answer, fmt.Sprint(v, err))
		}
	})
}
