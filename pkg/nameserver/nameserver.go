// Package nameserver is the application that clients meet first: it knows the
// masters of all regions, authenticates users and issues their token
// (loadbalancing.md 3.2, loadbalancing-auth.md). It keeps no state.
package nameserver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/auth"
	"github.com/boson-project/boson/pkg/photon"
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

// regions returns what clients may use, each code once.
func (s *Server) regions() []Region {
	all := slices.Clone(s.opt.Regions())
	all = slices.DeleteFunc(all, func(r Region) bool { return len(s.allow) > 0 && !slices.Contains(s.allow, r.Code) })
	slices.SortStableFunc(all, func(a, b Region) int { return strings.Compare(a.Code, b.Code) })
	return all
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
	for _, r := range s.regions() {
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

// choose picks the master that a region string names: "code", "code/cluster"
// or "code/*" (loadbalancing-auth.md 1).
func (s *Server) choose(region, userID string) (Region, error) {
	code, cluster, suffix := strings.Cut(strings.ToLower(region), "/")
	if !suffix || cluster == "" {
		cluster = "*"
	}
	var found []Region
	for _, r := range s.regions() {
		if r.Code == code && (cluster == "*" || strings.EqualFold(r.Cluster, cluster)) {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		return Region{}, app.Fail(photon.ReturnInvalidRegion, fmt.Sprintf("region %.32q is unknown or not allowed", region))
	}
	// The same user gets the same master as long as the list stays as it is.
	h := uint32(2166136261)
	for _, c := range []byte(userID) {
		h = (h ^ uint32(c)) * 16777619
	}
	return found[h%uint32(len(found))], nil
}

func (s *Server) authenticate(p *peer, op app.Op, req *auth.Request) {
	if err := p.gate.Begin(); err != nil {
		app.RespondError(p, op, err)
		return
	}
	params, err := s.identify(p, op, req)
	if err != nil {
		p.gate.Fail(op, err)
		return
	}
	p.gate.Succeed()
	p.Respond(op, photon.ReturnOk, "", params)
}

// identify checks the request in the order of loadbalancing-auth.md 2 and
// makes the response.
func (s *Server) identify(p *peer, op app.Op, req *auth.Request) (photon.Params, error) {
	if req.AppID == "" {
		return nil, photon.Missing(photon.ParamApplicationID)
	}
	if err := s.opt.Auth.CheckApp(req.AppID); err != nil {
		return nil, err
	}
	if req.Region == "" {
		return nil, photon.Missing(photon.ParamRegion)
	}
	region, err := s.choose(req.Region, req.UserID)
	if err != nil {
		return nil, err
	}
	token, err := s.opt.Auth.Credentials(req, time.Now())
	if err != nil {
		return nil, err
	}
	token.Region, token.Cluster = region.Code, region.Cluster

	kind := p.Info().Kind
	if op.Code == photon.OpAuthenticateOnce && req.ExpectedProtocol != nil {
		kind = transport.Kind(*req.ExpectedProtocol)
		token.ExpectedProtocol = *req.ExpectedProtocol
	}
	address, ok := region.Masters.For(kind, p.Info().Remote.Addr(), region.Seen)
	if !ok {
		return nil, app.Fail(photon.ReturnInvalidRegion, fmt.Sprintf("region %s has no master for transport %s", region.Code, kind))
	}
	params := photon.Params{
		photon.Param(photon.ParamAddress, address),
		photon.Param(photon.ParamUserID, token.UserID),
		photon.Param(photon.ParamCluster, region.Cluster),
	}
	if op.Code == photon.OpAuthenticateOnce {
		data, err := auth.AddSecret(token)
		if err != nil {
			return nil, err
		}
		params = append(params, photon.Param(photon.ParamEncryptionData, data))
	}
	if token.Nickname != "" {
		params = append(params, photon.Param(photon.ParamNickName, token.Nickname))
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
