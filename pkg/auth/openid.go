package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// openID verifies the id tokens of an OpenID Connect issuer by its published
// keys, kind "openid": Epic's Connect interface, or any identity service.
// Clients bring "token"; the user id is its subject.
type openID struct {
	service          *service
	keysURL          *url.URL
	issuer, audience string

	mu      sync.Mutex
	keys    jose.JSONWebKeySet
	fetched time.Time
	lastTry time.Time
}

const (
	// keysLife is how long keys are believed; issuers withdraw keys at times.
	keysLife = time.Hour
	// keysPause is the least time between two questions for keys: tokens with
	// invented key ids must not become questions.
	keysPause = 10 * time.Second
	// tokenLeeway is by how much clocks may differ.
	tokenLeeway = time.Minute
)

// Only signatures by the issuer's private keys: with "none" or a shared secret
// anybody could sign.
var tokenAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}

func newOpenID(s Settings) (Provider, error) {
	if err := wanted("app_id", s.AppID, "issuer", s.Issuer, "url", s.URL); err != nil {
		return nil, err
	}
	u, err := parseURL(s.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	return &openID{service: newService(u, s.RootCAs, s.MaxConns), keysURL: u, issuer: s.Issuer, audience: s.AppID}, nil
}

// Check implements Provider.
func (p *openID) Check(ctx context.Context, login *Login) (*Verdict, error) {
	params, err := readParams(login, "token")
	if err != nil {
		return nil, err
	}
	token, err := jwt.ParseSigned(params[0], tokenAlgorithms)
	if err != nil || len(token.Headers) != 1 {
		return refused("the token is not a signed id token"), nil
	}
	key, err := p.key(ctx, token.Headers[0].KeyID)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return refused("the token is signed with an unknown key"), nil
	}
	var claims jwt.Claims
	var profile struct {
		Name string `json:"name"`
	}
	if err := token.Claims(key, &claims, &profile); err != nil {
		return refused("the token's signature is wrong"), nil
	}
	expected := jwt.Expected{Issuer: p.issuer, AnyAudience: jwt.Audience{p.audience}, Time: time.Now()}
	if err := claims.ValidateWithLeeway(expected, tokenLeeway); err != nil {
		return refused("the token does not hold: %v", err), nil
	}
	if claims.Expiry == nil || claims.Subject == "" {
		return refused("the token has no expiry or no subject"), nil
	}
	return &Verdict{Code: ResultSuccess, UserID: claims.Subject, Nickname: cut(profile.Name, maxText)}, nil
}

// key returns the issuer's key of an id, nil if it has none. The error says that
// the issuer can't be asked.
func (p *openID) key(ctx context.Context, id string) (*jose.JSONWebKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	key := p.known(id)
	fresh := !p.fetched.IsZero() && now.Sub(p.fetched) < keysLife
	if fresh && key != nil {
		return key, nil
	}
	if !p.lastTry.IsZero() && now.Sub(p.lastTry) < keysPause {
		if fresh {
			return nil, nil
		}
		return nil, fmt.Errorf("keys of %s are not known", p.issuer)
	}
	// Others wait for this question and don't ask it again; ctx bounds it.
	defer func() { p.lastTry = time.Now() }()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.keysURL.String(), nil)
	if err != nil {
		return nil, err
	}
	status, body, err := p.service.call(r)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("HTTP %d", status)
	}
	var set jose.JSONWebKeySet
	if err == nil {
		err = json.Unmarshal(body, &set)
	}
	if err == nil && len(set.Keys) == 0 {
		err = errors.New("no keys")
	}
	if err != nil {
		if fresh {
			return nil, nil // the known keys are good, and this one is not among them
		}
		return nil, fmt.Errorf("keys of %s: %w", p.issuer, err)
	}
	p.keys, p.fetched = set, now
	return p.known(id), nil
}

// known returns the key of an id. A token without a key id is good where there
// is one key only.
func (p *openID) known(id string) *jose.JSONWebKey {
	for i := range p.keys.Keys {
		k := &p.keys.Keys[i]
		if (k.KeyID == id || id == "" && len(p.keys.Keys) == 1) && k.IsPublic() && k.Valid() && k.Use != "enc" {
			return k
		}
	}
	return nil
}
