// Package doctor connects to a cluster as a client does, through the addresses
// that the servers announce, and names the first thing that fails and the
// setting to change. Wrong addresses are what operators of self-hosted servers
// stumble over first.
package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// Options of an examination.
type Options struct {
	// Host of the name server, as players would type it.
	Host string
	// Ports of the name server by transport; a transport without one is left out.
	Ports map[client.Transport]int
	// Region, AppID and AppVersion that a client would use.
	Region, AppID, AppVersion string
	// Timeout of each step.
	Timeout time.Duration
	// TLS for secure WebSockets.
	TLS *tls.Config
}

// Finding is what is wrong with one transport.
type Finding struct {
	Transport client.Transport
	Step      string // what was tried
	Err       error
	Advice    string // what to look at
}

// Error says it in one line.
func (f *Finding) Error() string {
	return fmt.Sprintf("%s: %s failed: %v. %s", f.Transport, f.Step, f.Err, f.Advice)
}

// Unwrap returns the cause.
func (f *Finding) Unwrap() error { return f.Err }

// Examine tries every transport and writes what it sees. The error joins the
// first *Finding of each transport that does not work.
func Examine(ctx context.Context, opt Options, out io.Writer) error {
	var all error
	for _, t := range []client.Transport{client.UDP, client.TCP, client.WebSocket, client.SecureWebSocket} {
		if opt.Ports[t] == 0 {
			continue
		}
		e := &examination{opt: opt, transport: t, out: out}
		if f := e.run(ctx); f != nil {
			fmt.Fprintf(out, "%-4s FAILED %s\n", t, f.Step)
			fmt.Fprintf(out, "            %v\n            -> %s\n", f.Err, f.Advice)
			all = errors.Join(all, f)
			continue
		}
		fmt.Fprintf(out, "%-4s good   %s\n", t, strings.Join(e.path, " -> "))
	}
	return all
}

type examination struct {
	opt       Options
	transport client.Transport
	out       io.Writer
	path      []string
}

func (e *examination) fail(step string, err error, advice string, args ...any) *Finding {
	return &Finding{e.transport, step, err, fmt.Sprintf(advice, args...)}
}

func (e *examination) dial(ctx context.Context, address string) (*client.Peer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.opt.Timeout)
	defer cancel()
	return client.Dial(ctx, client.Options{
		Transport: e.transport, AppID: e.opt.AppID, Timeout: e.opt.Timeout, TLS: e.opt.TLS,
	}, address)
}

func (e *examination) call(ctx context.Context, p *client.Peer, op photon.OpCode, params photon.Params) (*client.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, e.opt.Timeout)
	defer cancel()
	r, err := p.Operation(ctx, op, params)
	if err == nil && r.ReturnCode != photon.ReturnOk {
		err = fmt.Errorf("%s (%d): %s", r.ReturnCode, r.ReturnCode, r.Debug)
	}
	return r, err
}

// text reads a string parameter of a response.
func text(r *client.Response, p photon.ParamCode) string {
	s, _ := r.Fields.String(p)
	return s
}

func (e *examination) run(ctx context.Context) *Finding {
	t := e.transport
	ns := net.JoinHostPort(e.opt.Host, fmt.Sprint(e.opt.Ports[t]))
	if t == client.WebSocket || t == client.SecureWebSocket {
		ns = t.String() + "://" + ns
	}
	e.path = append(e.path, "name server "+ns)
	p, err := e.dial(ctx, ns)
	if err != nil {
		return e.fail("connect to the name server at "+ns, err,
			"Is the name server running, is nameserver.listen.%s that port, does the firewall let it through?", t)
	}
	r, err := e.call(ctx, p, photon.OpAuthenticate, photon.Params{
		photon.Param(photon.ParamApplicationID, e.opt.AppID), photon.Param(photon.ParamAppVersion, e.opt.AppVersion),
		photon.Param(photon.ParamRegion, e.opt.Region),
	})
	p.Close()
	if err != nil {
		advice := "See the name server's log."
		switch {
		case r != nil && r.ReturnCode == photon.ReturnInvalidRegion:
			advice = "Does cluster.region match what the client asks for, and does the master listen on this transport (master.listen)?"
		case r != nil && r.ReturnCode == photon.ReturnInvalidAuthentication:
			advice = "Is the AppId in apps.allow, and apps.allow_anonymous on?"
		}
		return e.fail("authenticate at the name server", err, "%s", advice)
	}
	master, token := text(r, photon.ParamAddress), text(r, photon.ParamToken)
	e.path = append(e.path, "master "+master)
	p, err = e.dial(ctx, master)
	if err != nil {
		return e.fail("connect to the master at "+master+", which is what the name server tells clients", err,
			"Is that the master's address for players? Set master.announce.host (or master.announce.%s); the master itself listens on master.listen.%s.", t, t)
	}
	defer p.Close()
	if _, err = e.call(ctx, p, photon.OpAuthenticate, photon.Params{photon.Param(photon.ParamToken, token)}); err != nil {
		return e.fail("authenticate at the master", err, "Do name server and master have the same cluster.key, cluster.name and cluster.region?")
	}
	if r, err = e.call(ctx, p, photon.OpCreateGame, nil); err != nil {
		return e.fail("ask the master for a room", err,
			"Is a game server linked to the master (its log says \"linked to master\"), with this transport on, not full and not draining? See cluster.masters and cluster.key on the game server.")
	}
	game, room, token := text(r, photon.ParamAddress), text(r, photon.ParamRoomName), text(r, photon.ParamToken)
	e.path = append(e.path, "game server "+game)
	p.Close() // as a client does: one connection at a time
	g, err := e.dial(ctx, game)
	if err != nil {
		return e.fail("connect to the game server at "+game+", which is what the master tells clients", err,
			"Is that the game server's address for players? Set gameserver.announce.host (or gameserver.announce.%s); it listens on gameserver.listen.%s.", t, t)
	}
	defer g.Close()
	if _, err = e.call(ctx, g, photon.OpAuthenticate, photon.Params{photon.Param(photon.ParamToken, token)}); err != nil {
		return e.fail("authenticate at the game server", err, "Do master and game server have the same cluster.key, cluster.name and cluster.region?")
	}
	if _, err = e.call(ctx, g, photon.OpCreateGame, photon.Params{photon.Param(photon.ParamRoomName, room)}); err != nil {
		return e.fail("enter a room", err, "See the game server's log.")
	}
	_, _ = e.call(ctx, g, photon.OpLeave, nil) // the room goes with the connection anyway
	return nil
}
