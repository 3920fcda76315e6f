package auth

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Settings are what the configuration (apps.auth.providers) says of one
// provider. Which of them matter depends on its kind.
type Settings struct {
	// Kind of provider; "" is "http".
	Kind string
	// URL of the web service; platforms have a default.
	URL string
	// Keys are sent with every question of kind "http".
	Keys map[string]string
	// AppID and Secret are what the platform gave the game's owner.
	AppID, Secret string
	// Issuer of the tokens of kind "openid".
	Issuer string
	// Refuse names what else turns users of kind "steam" away: "vac_ban",
	// "publisher_ban", "borrowed".
	Refuse []string
	// Users and their secrets, of kind "static".
	Users map[string]string
	// RootCAs to trust; nil: those of the system.
	RootCAs *x509.CertPool
	// MaxConns to the web service at once; 0 is no limit.
	MaxConns int
}

// kind is how providers of one kind are made.
type kind struct {
	// typ is the ClientAuthenticationType that the kind is for.
	typ  byte
	make func(Settings) (Provider, error)
}

var kinds = struct {
	sync.RWMutex
	m map[string]kind
}{m: map[string]kind{
	"http":     {AuthCustom, newHTTPKind},
	"static":   {AuthCustom, newStatic},
	"openid":   {AuthCustom, newOpenID},
	"steam":    {AuthSteam, newSteam},
	"facebook": {AuthFacebook, newFacebook},
	"oculus":   {AuthOculus, newOculus},
	"epic":     {AuthEpic, newEpic},
}}

// ClientAuthenticationTypes that have a kind of provider here. The others of
// the protocol (PlayStation 4 and 5, Xbox, Viveport, Nintendo Switch) ask
// services whose description is under their owners' seal: a web service of
// kind "http" can stand before them.
const (
	AuthCustom   byte = 0
	AuthSteam    byte = 1
	AuthFacebook byte = 2
	AuthOculus   byte = 3
	AuthEpic     byte = 13
)

// Register makes a kind of provider known, so that a configuration can name it
// (apps.auth.providers, kind). typ is the ClientAuthenticationType that it is
// for where the configuration says none. make is called at the start of each
// server; its errors begin with the name of the setting that is wrong.
//
// Call it from an init function or before the configuration is loaded. It
// panics when the kind is known already.
func Register(name string, typ byte, make func(Settings) (Provider, error)) {
	kinds.Lock()
	defer kinds.Unlock()
	if _, ok := kinds.m[name]; ok {
		panic("auth: provider kind " + name + " is registered twice")
	}
	kinds.m[name] = kind{typ, make}
}

// NewProvider makes the provider that the settings describe, and returns the
// ClientAuthenticationType that its kind is for. It asks nobody yet. Errors
// begin with the name of the setting that is wrong.
func NewProvider(s Settings) (Provider, byte, error) {
	if s.Kind == "" {
		s.Kind = "http"
	}
	kinds.RLock()
	k, ok := kinds.m[s.Kind]
	known := slices.Sorted(maps.Keys(kinds.m))
	kinds.RUnlock()
	if !ok {
		return nil, 0, fmt.Errorf("kind is %q, want one of %s", s.Kind, strings.Join(known, ", "))
	}
	p, err := k.make(s)
	return p, k.typ, err
}

func newHTTPKind(s Settings) (Provider, error) {
	p, err := NewHTTP(HTTPOptions{URL: s.URL, Keys: s.Keys, RootCAs: s.RootCAs, MaxConns: s.MaxConns})
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	return p, nil
}

// wanted returns an error for the first setting that is empty.
func wanted(settings ...string) error {
	for i := 0; i < len(settings); i += 2 {
		if settings[i+1] == "" {
			return fmt.Errorf("%s is empty", settings[i])
		}
	}
	return nil
}
