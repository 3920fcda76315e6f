// Package auth decides who a client is: it reads the parameters of
// Authenticate, checks application and credentials, and issues and reads the
// tokens that carry the result from server to server
// (loadbalancing-auth.md). All three servers use it.
package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
)

// Request holds the parameters of Authenticate and AuthenticateOnce
// (loadbalancing-operations.md 3.2, 3.3).
type Request struct {
	AppID            string `photon:"224,optional"`
	AppVersion       string `photon:"220,optional"`
	Region           string `photon:"210,optional"`
	UserID           string `photon:"225,optional"`
	AuthType         *byte  `photon:"217,optional"`
	AuthParams       string `photon:"216,optional"`
	AuthData         any    `photon:"214,optional"`
	Token            any    `photon:"221,optional"`
	LobbyStats       bool   `photon:"211,optional"`
	ExpectedProtocol *byte  `photon:"195,optional"`
	EncryptionMode   *byte  `photon:"193,optional"`
}

// Separation says which players may meet (cluster.md 17).
type Separation string

// Separations.
const (
	ByVersion Separation = "version" // AppId and AppVersion
	ByApp     Separation = "app"     // AppId only
	None      Separation = "none"    // everybody
)

// Rules of one application, for what it does not share with all others.
type Rules struct {
	// Versions are the AppVersions that may connect; empty: any.
	Versions []string
	// Regions are the codes, in lower case, that clients may use; empty: all.
	Regions []string
	// Limits instead of those of Options; negative is no limit, 0 says nothing.
	Limits
}

// Limits of one application, all its versions together; 0 is no limit.
type Limits struct {
	MaxCCU     int // players on masters and in rooms, in one region
	MaxRooms   int // rooms in one region
	MaxPlayers int // the largest MaxPlayers of a room
}

// Options of an Authenticator.
type Options struct {
	Keys *secure.Keyring
	// Allow lists the AppIds that may connect, beside those with Rules; empty: any.
	Allow []string
	// Rules by AppId.
	Rules map[string]Rules
	// Limits of every application without others in its Rules.
	Limits
	Separation     Separation
	AllowAnonymous bool
	TokenLife      time.Duration
	Cluster        string
	Region         string
	// Custom authentication; the zero value knows no provider.
	Custom Custom
}

// Authenticator checks credentials and tokens. It is safe for concurrent use,
// and none of its methods but Close blocks.
type Authenticator struct {
	opt       Options
	providers map[byte]*queue
	stop      func()
}

// New returns an Authenticator.
func New(opt Options) *Authenticator {
	a := &Authenticator{opt: opt, providers: map[byte]*queue{}}
	var ctx context.Context
	ctx, a.stop = context.WithCancel(context.Background())
	for _, p := range opt.Custom.Providers {
		a.providers[p.Type] = newQueue(ctx, p, opt.Custom)
	}
	return a
}

// Close ends the questions to providers that are under way and waits for their
// goroutines. No other method may be called afterwards.
func (a *Authenticator) Close() {
	a.stop()
	for _, q := range a.providers {
		q.pool.Close()
	}
}

// maxUserID is the longest user id in bytes (loadbalancing.md 10).
const maxUserID = 256

// maxAppName is the longest AppId or AppVersion in bytes.
const maxAppName = 256

// CheckApp says whether the application may connect.
func (a *Authenticator) CheckApp(appID string) *app.OpError {
	if _, ok := a.opt.Rules[appID]; !ok && len(a.opt.Allow) > 0 && !slices.Contains(a.opt.Allow, appID) {
		return app.Fail(photon.ReturnInvalidAuthentication, fmt.Sprintf("unknown application %.64q", appID))
	}
	return nil
}

// AllowsRegion says whether an application's clients may use a region, by its
// code in lower case.
func (a *Authenticator) AllowsRegion(appID, code string) bool {
	allowed := a.opt.Rules[appID].Regions
	return len(allowed) == 0 || slices.Contains(allowed, code)
}

// Limits returns what an application may have.
func (a *Authenticator) Limits(appID string) Limits {
	rule, general := a.opt.Rules[appID].Limits, a.opt.Limits
	pick := func(rule, general int) int {
		if rule != 0 {
			return max(rule, 0)
		}
		return general
	}
	return Limits{pick(rule.MaxCCU, general.MaxCCU), pick(rule.MaxRooms, general.MaxRooms), pick(rule.MaxPlayers, general.MaxPlayers)}
}

// AppKey names the virtual application whose players a user can meet.
func (a *Authenticator) AppKey(t *secure.Token) string {
	switch a.opt.Separation {
	case ByApp:
		return t.AppID + "\x00"
	case None:
		return "\x00"
	default:
		return t.AppID + "\x00" + t.AppVersion
	}
}

// claimed makes the checks of a full authentication that need no provider, and
// returns the identity as the client claims it, without user id if it named
// none. The order of the checks is that of loadbalancing-auth.md 2.
func (a *Authenticator) claimed(r *Request) (*secure.Token, error) {
	if r.AppID == "" {
		return nil, photon.Missing(photon.ParamApplicationID)
	}
	if err := a.CheckApp(r.AppID); err != nil {
		return nil, err
	}
	if versions := a.opt.Rules[r.AppID].Versions; len(versions) > 0 && !slices.Contains(versions, r.AppVersion) {
		return nil, app.Fail(photon.ReturnInvalidAuthentication, fmt.Sprintf("version %.64q of the application may not connect", r.AppVersion))
	}
	for _, name := range []struct {
		param photon.ParamCode
		text  string
	}{{photon.ParamApplicationID, r.AppID}, {photon.ParamAppVersion, r.AppVersion}} {
		// NUL separates the two in application keys.
		if len(name.text) > maxAppName || strings.IndexByte(name.text, 0) >= 0 {
			return nil, photon.BadParam(name.param, "has more than %d bytes, or a NUL", maxAppName)
		}
	}
	if len(r.UserID) > maxUserID {
		return nil, photon.BadParam(photon.ParamUserID, "has %d bytes, at most %d", len(r.UserID), maxUserID)
	}
	provider := photon.AuthNone
	if r.AuthType != nil {
		provider = *r.AuthType
	}
	if provider == photon.AuthNone && !a.opt.AllowAnonymous {
		return nil, app.Fail(photon.ReturnInvalidAuthentication, "anonymous users are not allowed")
	}
	t := &secure.Token{AppID: r.AppID, AppVersion: r.AppVersion, Region: a.opt.Region, Cluster: a.opt.Cluster, UserID: r.UserID, Provider: provider}
	if a.opt.Custom.OwnUserIDs && len(a.providers) > 0 {
		t.UserID = ""
	}
	return t, nil
}

// complete makes a claimed identity a token.
func (a *Authenticator) complete(t *secure.Token, now time.Time) (*secure.Token, error) {
	if t.UserID == "" {
		t.UserID = NewID()
	}
	if _, err := rand.Read(t.SessionID[:]); err != nil {
		return nil, err
	}
	a.renew(t, now)
	return t, nil
}

// Credentials takes a full authentication by the client's word, without a call
// to a provider: what a game server in tokenless mode does
// (loadbalancing-auth.md 3.4).
func (a *Authenticator) Credentials(r *Request, now time.Time) (*secure.Token, error) {
	t, err := a.claimed(r)
	if err != nil {
		return nil, err
	}
	return a.complete(t, now)
}

// Open reads a token as it arrives in parameter 221: a string or bytes.
func (a *Authenticator) Open(token any, now time.Time) (*secure.Token, error) {
	var text string
	switch v := token.(type) {
	case string:
		text = v
	case []byte:
		text = string(v)
	default:
		return nil, photon.BadParam(photon.ParamToken, "is not a string or byte array")
	}
	t, err := a.opt.Keys.Open(text, now)
	switch {
	case errors.Is(err, secure.ErrTokenExpired):
		return nil, app.Fail(photon.ReturnAuthenticationTicketExpired, "token has expired")
	case err != nil:
		return nil, app.Fail(photon.ReturnInvalidAuthentication, "token is not valid")
	case t.Cluster != a.opt.Cluster || t.Region != a.opt.Region:
		return nil, app.Fail(photon.ReturnInvalidAuthentication, "token is of another cluster")
	}
	if err := a.CheckApp(t.AppID); err != nil {
		return nil, err
	}
	if n := len(t.Secret); n != 0 && n != 16 && n != 24 && n != 32 {
		return nil, app.Fail(photon.ReturnInvalidEncryptionParameters, "token carries an unusable secret")
	}
	return t, nil
}

// InitToken reads a token as it arrives in an init request: one typed value of
// the connection's protocol.
func (a *Authenticator) InitToken(p photon.Protocol, typed []byte, now time.Time) (*secure.Token, error) {
	v, err := (photon.Content{Protocol: p, Bytes: bytes.Clone(typed)}).Value()
	if err != nil {
		return nil, app.Fail(photon.ReturnInvalidAuthentication, "token can't be read")
	}
	return a.Open(v, now)
}

func (a *Authenticator) renew(t *secure.Token, now time.Time) {
	t.Issued, t.Expires = now, now.Add(a.opt.TokenLife)
}

// Seal returns the token as text, as it stands.
func (a *Authenticator) Seal(t *secure.Token) (string, error) { return a.opt.Keys.Seal(t, rand.Reader) }

// Refresh returns a token of the same identity with a new life.
func (a *Authenticator) Refresh(t *secure.Token, now time.Time) (string, error) {
	fresh := *t
	a.renew(&fresh, now)
	return a.Seal(&fresh)
}

// RefreshDue says whether half of the token's life is over, the time at which
// a game server sends a new one (loadbalancing-auth.md 5.1).
func RefreshDue(t *secure.Token, now time.Time) bool {
	return now.Sub(t.Issued) > t.Expires.Sub(t.Issued)/2
}

// AddSecret puts a new payload encryption key into the token and returns the
// EncryptionData for the client (wire.md 7.3, 8: always mode 0).
func AddSecret(t *secure.Token) (*gpbinary.Dictionary, error) {
	secret := make([]byte, secure.KeySize)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	t.EncryptionMode, t.Secret = 0, secret
	return &gpbinary.Dictionary{
		Key: gpbinary.TypeDesc{Kind: gpbinary.KindByte}, Val: gpbinary.TypeDesc{Kind: gpbinary.KindObject},
		Pairs: []gpbinary.Pair{{Key: byte(0), Value: byte(0)}, {Key: byte(1), Value: secret}},
	}, nil
}

// NewID returns a random id in the form of a GUID, for users and rooms without a name.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
