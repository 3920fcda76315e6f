package auth

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/boson-project/boson/pkg/photon"
)

// platform is a provider of one question: an HTTP call of which the answer says
// who the user is. Its fields are set once.
type platform struct {
	name    string
	service *service
	base    *url.URL
	// request makes the question of a login's parameters (216).
	params  []string
	request func(ctx context.Context, base string, params []string) (*http.Request, error)
	// verdict reads an answer with a status of 2xx.
	verdict func(body []byte, params []string) (*Verdict, error)
	// ownSecret: the question has the operator's credentials in it, so that 401
	// and 403 are about them and not about the client.
	ownSecret bool
}

// newPlatform returns p with its address: the configured one or standard.
func newPlatform(s Settings, standard string, p platform) (Provider, error) {
	if s.URL == "" {
		s.URL = standard
	}
	base, err := parseURL(s.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	p.base, p.service = base, newService(base, s.RootCAs, s.MaxConns)
	return &p, nil
}

// Check implements Provider.
func (p *platform) Check(ctx context.Context, login *Login) (*Verdict, error) {
	params, err := readParams(login, p.params...)
	if err != nil {
		return nil, err
	}
	r, err := p.request(ctx, p.base.String(), params)
	if err != nil {
		return nil, err
	}
	status, body, err := p.service.call(r)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", p.name, err)
	case status >= 200 && status <= 299:
		v, err := p.verdict(body, params)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		return v, nil
	case p.ownSecret && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return nil, fmt.Errorf("%s refuses this server's credentials (HTTP %d): check app_id and secret", p.name, status)
	case refusal(status):
		return &Verdict{Code: ResultWrongCredentials, Message: fmt.Sprintf("%s refused the login (HTTP %d)", p.name, status)}, nil
	}
	return nil, fmt.Errorf("%s: HTTP %d", p.name, status)
}

// readParams returns the parameters of a login by their names, which count
// without case. Each must be there once, and not be empty.
func readParams(login *Login, names ...string) ([]string, error) {
	values, err := parseParams(login.Params)
	if err != nil {
		return nil, err
	}
	found := make([]string, len(names))
	for key, v := range values {
		i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, key) })
		if i < 0 {
			continue
		}
		if found[i] != "" || len(v) != 1 {
			return nil, photon.BadParam(photon.ParamClientAuthenticationParams, "has %q twice", names[i])
		}
		found[i] = v[0]
	}
	for i, v := range found {
		if v == "" {
			return nil, photon.BadParam(photon.ParamClientAuthenticationParams, "has no %q", names[i])
		}
	}
	return found, nil
}

// get makes a GET request of a base URL, whose own query stays.
func get(ctx context.Context, base string, query url.Values) (*http.Request, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	for k, v := range query {
		q[k] = v
	}
	u.RawQuery = q.Encode()
	return http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
}

// post makes a POST request with a form.
func post(ctx context.Context, base string, form url.Values) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base, strings.NewReader(form.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r, err
}

func refused(format string, args ...any) *Verdict {
	return &Verdict{Code: ResultWrongCredentials, Message: fmt.Sprintf(format, args...)}
}

// newSteam makes the provider of kind "steam": AuthenticateUserTicket of the
// Steam Web API. Clients bring "ticket", the session ticket in hexadecimal
// digits; the user id is the SteamID.
func newSteam(s Settings) (Provider, error) {
	if err := wanted("app_id", s.AppID, "secret", s.Secret); err != nil {
		return nil, err
	}
	if _, err := strconv.ParseUint(s.AppID, 10, 32); err != nil {
		return nil, fmt.Errorf("app_id is %q, want the number that Steam gave the game", s.AppID)
	}
	for _, r := range s.Refuse {
		if r != "vac_ban" && r != "publisher_ban" && r != "borrowed" {
			return nil, fmt.Errorf("refuse has %q, want vac_ban, publisher_ban or borrowed", r)
		}
	}
	return newPlatform(s, "https://partner.steam-api.com/ISteamUserAuth/AuthenticateUserTicket/v1/", platform{
		name: "Steam", ownSecret: true, params: []string{"ticket"},
		request: func(ctx context.Context, base string, p []string) (*http.Request, error) {
			if _, err := hex.DecodeString(p[0]); err != nil {
				return nil, photon.BadParam(photon.ParamClientAuthenticationParams, "has a \"ticket\" that is not hexadecimal")
			}
			return get(ctx, base, url.Values{"key": {s.Secret}, "appid": {s.AppID}, "ticket": {p[0]}})
		},
		verdict: func(body []byte, _ []string) (*Verdict, error) {
			var a struct {
				Response struct {
					Params *struct {
						Result          string
						SteamID         string
						OwnerSteamID    string
						VACBanned       bool
						PublisherBanned bool
					}
					Error *struct {
						ErrorCode int
						ErrorDesc string
					}
				}
			}
			if err := json.Unmarshal(body, &a); err != nil {
				return nil, err
			}
			switch p, e := a.Response.Params, a.Response.Error; {
			case e != nil:
				return refused("Steam: %s (%d)", e.ErrorDesc, e.ErrorCode), nil
			case p == nil:
				return nil, fmt.Errorf("answer without params")
			case p.Result != "OK":
				return refused("Steam: %s", p.Result), nil
			case p.SteamID == "":
				return nil, fmt.Errorf("answer without steamid")
			case p.VACBanned && slices.Contains(s.Refuse, "vac_ban"):
				return refused("banned by VAC"), nil
			case p.PublisherBanned && slices.Contains(s.Refuse, "publisher_ban"):
				return refused("banned by the publisher"), nil
			case p.OwnerSteamID != p.SteamID && slices.Contains(s.Refuse, "borrowed"):
				return refused("the game is borrowed from its owner"), nil
			default:
				return &Verdict{Code: ResultSuccess, UserID: p.SteamID}, nil
			}
		},
	})
}

// newFacebook makes the provider of kind "facebook": debug_token of the Graph
// API. Clients bring "token", a user's access token for this app; the user id
// is Facebook's for this app.
func newFacebook(s Settings) (Provider, error) {
	if err := wanted("app_id", s.AppID, "secret", s.Secret); err != nil {
		return nil, err
	}
	return newPlatform(s, "https://graph.facebook.com/debug_token", platform{
		name: "Facebook", ownSecret: true, params: []string{"token"},
		request: func(ctx context.Context, base string, p []string) (*http.Request, error) {
			return get(ctx, base, url.Values{"input_token": {p[0]}, "access_token": {s.AppID + "|" + s.Secret}})
		},
		verdict: func(body []byte, _ []string) (*Verdict, error) {
			var a struct {
				Data *struct {
					AppID  looseText `json:"app_id"`
					UserID looseText `json:"user_id"`
					Valid  bool      `json:"is_valid"`
					Error  struct{ Message string }
				}
			}
			if err := json.Unmarshal(body, &a); err != nil {
				return nil, err
			}
			switch d := a.Data; {
			case d == nil:
				return nil, fmt.Errorf("answer without data")
			case !d.Valid:
				return refused("Facebook: the token is not valid: %s", d.Error.Message), nil
			case string(d.AppID) != s.AppID:
				// A token that another game got from its player must be worth nothing here.
				return refused("the token is for another Facebook app"), nil
			case d.UserID == "":
				return refused("the token belongs to no user"), nil
			default:
				return &Verdict{Code: ResultSuccess, UserID: string(d.UserID)}, nil
			}
		},
	})
}

// newOculus makes the provider of kind "oculus": user_nonce_validate of the
// Meta Horizon platform. Clients bring "userid" and "nonce", a proof that is
// good once; the user id is the one that was proven.
func newOculus(s Settings) (Provider, error) {
	if err := wanted("app_id", s.AppID, "secret", s.Secret); err != nil {
		return nil, err
	}
	return newPlatform(s, "https://graph.oculus.com/user_nonce_validate", platform{
		name: "Oculus", ownSecret: true, params: []string{"userid", "nonce"},
		request: func(ctx context.Context, base string, p []string) (*http.Request, error) {
			return post(ctx, base, url.Values{"access_token": {"OC|" + s.AppID + "|" + s.Secret}, "user_id": {p[0]}, "nonce": {p[1]}})
		},
		verdict: func(body []byte, p []string) (*Verdict, error) {
			var a struct {
				Valid *bool `json:"is_valid"`
			}
			if err := json.Unmarshal(body, &a); err != nil {
				return nil, err
			}
			switch {
			case a.Valid == nil:
				return nil, fmt.Errorf("answer without is_valid")
			case !*a.Valid:
				return refused("Oculus: the nonce is not valid for this user"), nil
			}
			return &Verdict{Code: ResultSuccess, UserID: p[0]}, nil
		},
	})
}

// newEpic makes the provider of kind "epic": tokenInfo of Epic Online Services.
// Clients bring "token", the access token of a login with an Epic account; the
// user id is the account's. Id tokens of the Connect interface are for kind
// "openid".
func newEpic(s Settings) (Provider, error) {
	if err := wanted("app_id", s.AppID); err != nil {
		return nil, err
	}
	return newPlatform(s, "https://api.epicgames.dev/epic/oauth/v2/tokenInfo", platform{
		name: "Epic", params: []string{"token"},
		request: func(ctx context.Context, base string, p []string) (*http.Request, error) {
			return post(ctx, base, url.Values{"token": {p[0]}})
		},
		verdict: func(body []byte, _ []string) (*Verdict, error) {
			var a struct {
				Active        *bool
				AccountID     string `json:"account_id"`
				ApplicationID string `json:"application_id"`
			}
			if err := json.Unmarshal(body, &a); err != nil {
				return nil, err
			}
			switch {
			case a.Active == nil:
				return nil, fmt.Errorf("answer without active")
			case !*a.Active:
				return refused("Epic: the token is not valid"), nil
			case a.ApplicationID != s.AppID:
				return refused("the token is for another Epic application"), nil
			case a.AccountID == "":
				return refused("the token belongs to no account"), nil
			}
			return &Verdict{Code: ResultSuccess, UserID: a.AccountID}, nil
		},
	})
}

// looseText is a JSON string, number or null: ids have been both, at Facebook and
// elsewhere.
type looseText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *looseText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	var n json.Number
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&n); err != nil {
		return err
	}
	*t = looseText(n)
	return nil
}
