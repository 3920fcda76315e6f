// Package nameserver is the application that clients meet first: it knows the
// masters of all regions, authenticates users and issues their token
// (loadbalancing.md 3.2, loadbalancing-auth.md). It keeps no state.
package nameserver

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/secure"
	"github.com/boson-project/boson/pkg/transport"
)

// Region is one master that clients can be sent to.
type Region struct {
	Code    string // lower case
	Cluster string
	Masters announce.Set
	// Seen is where this process sees the master; the zero Addr when it is on
	// this machine.
	Seen netip.Addr
	// Full says whether an application has as many players as it may there; may
	// be nil: then the master says so. It must not block.
	Full func(appID string) bool
}

// Options of a name server.
type Options struct {
	Auth *auth.Authenticator
	// Regions returns the masters that are alive now; called per request, must not block.
	Regions func() []Region
	// Allow lists the region codes that clients may use, separated by semicolons; empty: all.
	Allow       string
	AuthTimeout time.Duration
	Logger      zerolog.Logger
}

// Server is the name server application.
type Server struct {
	opt    Options
	allow  []string
	router app.Router[*peer]
}

// New returns a name server, to be run by an app.Server.
func New(opt Options) *Server {
	s := &Server{opt: opt}
	for code := range strings.SplitSeq(strings.ToLower(opt.Allow), ";") {
		if code = strings.TrimSpace(code); code != "" {
			s.allow = append(s.allow, code)
		}
	}
	app.Handle(&s.router, photon.OpGetRegions, s.getRegions)
	app.Handle(&s.router, photon.OpAuthenticate, s.authenticate)
	app.Handle(&s.router, photon.OpAuthenticateOnce, s.authenticate)
	app.Handle(&s.router, photon.OpServerSettings, s.serverSettings)
	return s
}

// peer is one client of the name server.
type peer struct {
	*app.Peer
	gate   auth.Gate
	server *Server
}

// Connect implements app.Application.
func (s *Server) Connect(p *app.Peer) app.Handler {
	np := &peer{Peer: p, server: s}
	np.gate.Start(p, max(s.opt.AuthTimeout, time.Minute)) // a client pings regions meanwhile
	return np
}

// Operation implements app.Handler.
func (p *peer) Operation(r *photon.Request) {
	switch r.Code {
	case photon.OpGetRegions, photon.OpAuthenticate, photon.OpAuthenticateOnce:
	default:
		if !p.gate.Authenticated() {
			p.gate.Refuse(app.OpOf(r))
			return
		}
	}
	p.server.router.Route(p, r)
}

// Closed implements app.Handler.
func (p *peer) Closed(transport.Reason) { p.gate.Closed() }

// DefaultCluster is the cluster that a region's bare code means, where the
// region has one of this name (loadbalancing-auth.md 1).
const DefaultCluster = "default"

// regions returns what clients of an application may use, by code, the default
// cluster first.
func (s *Server) regions(appID string) []Region {
	all := slices.Clone(s.opt.Regions())
	all = slices.DeleteFunc(all, func(r Region) bool {
		return len(s.allow) > 0 && !slices.Contains(s.allow, r.Code) || !s.opt.Auth.AllowsRegion(appID, r.Code)
	})
	slices.SortStableFunc(all, func(a, b Region) int {
		return cmp.Or(strings.Compare(a.Code, b.Code), cmp.Compare(rank(a), rank(b)))
	})
	return all
}

func rank(r Region) int {
	if strings.EqualFold(r.Cluster, DefaultCluster) {
		return 0
	}
	return 1
}

type getRegions struct {
	AppID string `photon:"224"`
}

func (s *Server) getRegions(p *peer, op app.Op, req *getRegions) {
	if err := s.opt.Auth.CheckApp(req.AppID); err != nil {
		app.RespondError(p, op, err)
		return
	}
	var codes, addresses []string
	for _, r := range s.regions(req.AppID) {
		if slices.Contains(codes, r.Code) {
			continue
		}
		if a, ok := r.Masters.For(p.Info().Kind, p.Info().Remote.Addr(), r.Seen); ok {
			codes, addresses = append(codes, r.Code), append(addresses, a)
		}
	}
	if len(codes) == 0 {
		// An empty list makes the .NET client throw (loadbalancing.md 3.2).
		p.Respond(op, photon.ReturnInvalidRegion, "no region offers this transport", nil)
		return
	}
	p.Respond(op, photon.ReturnOk, "", photon.Params{
		photon.Param(photon.ParamRegion, codes), photon.Param(photon.ParamAddress, addresses),
	})
}

// find returns the masters that a region string names: "code", "code/cluster"
// or "code/*" (loadbalancing-auth.md 1).
func (s *Server) find(appID, region string) ([]Region, error) {
	code, cluster, suffix := strings.Cut(strings.ToLower(region), "/")
	var all, found []Region
	for _, r := range s.regions(appID) {
		if r.Code == code {
			all = append(all, r)
		}
	}
	switch {
	case cluster == "*":
		found = all
	case suffix && cluster != "":
		found = slices.DeleteFunc(all, func(r Region) bool { return !strings.EqualFold(r.Cluster, cluster) })
	default:
		found = all
		if len(all) > 0 && rank(all[0]) == 0 {
			found = slices.DeleteFunc(all, func(r Region) bool { return rank(r) != 0 })
		}
	}
	if len(found) == 0 {
		return nil, app.Fail(photon.ReturnInvalidRegion, fmt.Sprintf("region %.32q is unknown or not allowed", region))
	}
	return found, nil
}

// pick chooses one of several masters: the same for the same user, as long as
// the list stays as it is.
func pick(found []Region, userID string) Region {
	h := fnv.New32a()
	_, _ = h.Write([]byte(userID)) // never fails
	return found[h.Sum32()%uint32(len(found))]
}

func (s *Server) authenticate(p *peer, op app.Op, req *auth.Request) {
	if err := p.gate.Begin(); err != nil {
		app.RespondError(p, op, err)
		return
	}
	found, err := s.masters(p, op, req)
	if err != nil {
		p.gate.Fail(op, err)
		return
	}
	p.gate.Check(s.opt.Auth, op, req, func(token *secure.Token, data *gpbinary.Dictionary) {
		err := p.EnterApp(token.AppID)
		var params photon.Params
		if err == nil {
			params, err = s.admit(p, op, req, found, token, data)
		}
		if err != nil {
			p.gate.Fail(op, err)
			return
		}
		if p.gate.Succeed() {
			p.Respond(op, photon.ReturnOk, "", params)
		}
	})
}

// masters makes the checks that come before those of the user, in the order of
// loadbalancing-auth.md 2, and returns the masters that the client may be sent to.
func (s *Server) masters(p *peer, op app.Op, req *auth.Request) ([]Region, error) {
	if req.AppID == "" {
		return nil, photon.Missing(photon.ParamApplicationID)
	}
	if err := s.opt.Auth.CheckApp(req.AppID); err != nil {
		return nil, err
	}
	if req.Region == "" {
		return nil, photon.Missing(photon.ParamRegion)
	}
	found, err := s.find(req.AppID, req.Region)
	if err != nil {
		return nil, err
	}
	kind := nextKind(p, op, req)
	found = slices.DeleteFunc(found, func(r Region) bool {
		_, ok := r.Masters.For(kind, p.Info().Remote.Addr(), r.Seen)
		return !ok
	})
	if len(found) == 0 {
		return nil, app.Fail(photon.ReturnInvalidRegion, fmt.Sprintf("region %.32q has no master for transport %s", req.Region, kind))
	}
	found = slices.DeleteFunc(found, func(r Region) bool { return r.Full != nil && r.Full(req.AppID) })
	if len(found) == 0 {
		return nil, app.Fail(photon.ReturnMaxCcuReached, "the application has as many players as it may")
	}
	return found, nil
}

// nextKind is the transport that the client will come to the master with.
func nextKind(p *peer, op app.Op, req *auth.Request) transport.Kind {
	if op.Code == photon.OpAuthenticateOnce && req.ExpectedProtocol != nil {
		return transport.Kind(*req.ExpectedProtocol)
	}
	return p.Info().Kind
}

// admit makes the response for an identity. It may run on any goroutine.
func (s *Server) admit(p *peer, op app.Op, req *auth.Request, found []Region, token *secure.Token, data *gpbinary.Dictionary) (photon.Params, error) {
	region := pick(found, token.UserID)
	address, _ := region.Masters.For(nextKind(p, op, req), p.Info().Remote.Addr(), region.Seen)
	token.Region, token.Cluster = region.Code, region.Cluster
	params := photon.Params{
		photon.Param(photon.ParamAddress, address),
		photon.Param(photon.ParamUserID, token.UserID),
		photon.Param(photon.ParamCluster, region.Cluster),
	}
	if op.Code == photon.OpAuthenticateOnce {
		if req.ExpectedProtocol != nil {
			token.ExpectedProtocol = *req.ExpectedProtocol
		}
		secret, err := auth.AddSecret(token)
		if err != nil {
			return nil, err
		}
		params = append(params, photon.Param(photon.ParamEncryptionData, secret))
	}
	if token.Nickname != "" {
		params = append(params, photon.Param(photon.ParamNickName, token.Nickname))
	}
	if data != nil {
		params = append(params, photon.Param(photon.ParamData, data))
	}
	sealed, err := s.opt.Auth.Seal(token)
	if err != nil {
		return nil, err
	}
	return append(params, photon.Param(photon.ParamToken, sealed)), nil
}

type serverSettings struct{}

// serverSettings has no effect here (loadbalancing-operations.md 3.14).
func (s *Server) serverSettings(p *peer, op app.Op, _ *serverSettings) {
	p.Respond(op, photon.ReturnOk, "", nil)
}
