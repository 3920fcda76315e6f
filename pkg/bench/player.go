package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// player is one client. Its loop sends for it; its pairs belong to whoever
// receives, with the counts' mutex held.
type player struct {
	index  uint32 // in its room
	room   string
	user   string
	number uint32     // of its next event
	pairs  []pair     // by sender
	from   netip.Addr // of its connection; may be invalid
	link   link
}

// link is a player's connection in its room.
type link interface {
	// send takes an event; it copies what it keeps. Called from the loop.
	send(msg []byte, d photon.Delivery) error
}

// driver runs the players of one loop.
type driver interface {
	// enter takes a player into its room and waits until it is there. It may be
	// called from many goroutines at once.
	enter(ctx context.Context, p *player, t ticket) error
	// play raises events until the plan is over, and returns after the drain.
	play(ctx context.Context, s *schedule) error
	// err is the first connection that was lost, or nil.
	err() error
	close()
}

// ticket is where a player goes, and with what.
type ticket struct {
	address string
	auth    photon.Params
	join    photon.Params
}

var reliably = photon.Delivery{Mode: photon.Reliable}

// reachMaster connects a player to the master, from the name server if there is
// one. auth is what a game server takes of it; the token in r, if there is one, is
// worth more.
func (o *Options) reachMaster(ctx context.Context, p *player) (ms *client.Peer, r *client.Response, auth photon.Params, err error) {
	auth = o.who(p)
	master := o.Master
	if o.NameServer != "" {
		region := append(auth[:len(auth):len(auth)], photon.Param(photon.ParamRegion, o.Region))
		ns, r, err := o.greet(ctx, o.NameServer, region)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("name server: %w", err)
		}
		ns.Disconnect()
		if master, auth, err = next(r); err != nil {
			return nil, nil, nil, fmt.Errorf("name server: %w", err)
		}
	}
	if ms, r, err = o.greet(ctx, master, auth); err != nil {
		return nil, nil, nil, fmt.Errorf("master: %w", err)
	}
	return ms, r, auth, nil
}

// who are the parameters of a player's first authentication.
func (o *Options) who(p *player) photon.Params {
	return photon.Params{
		photon.Param(photon.ParamAppVersion, o.AppVersion), photon.Param(photon.ParamApplicationID, o.AppID),
		photon.Param(photon.ParamUserID, p.user),
	}
}

// route takes a player to the master, and returns what it needs to enter its
// room on a game server. atMaster is when it had arrived at the master.
func (o *Options) route(ctx context.Context, p *player) (t ticket, atMaster time.Time, err error) {
	join := photon.Params{
		photon.Param(photon.ParamRoomName, p.room), photon.Param(photon.ParamJoinMode, byte(photon.CreateIfNotExists)),
	}
	t.join = append(join[:2:2], photon.Param(photon.ParamBroadcast, true), photon.Param(photon.ParamCleanupCacheOnLeave, true))
	if o.GameServer != "" {
		t.address, t.auth = o.GameServer, o.who(p)
		return t, time.Now(), nil
	}
	ms, r, auth, err := o.reachMaster(ctx, p)
	if err != nil {
		return t, atMaster, err
	}
	defer ms.Disconnect()
	atMaster = time.Now()
	if token, ok := r.Value(photon.ParamToken); ok {
		auth = photon.Params{photon.Param(photon.ParamToken, token)}
	}
	if r, err = operation(ctx, ms, photon.OpJoinGame, join); err != nil {
		return t, atMaster, fmt.Errorf("master: %w", err)
	}
	if _, ok := r.Value(photon.ParamToken); !ok {
		var found bool
		if t.address, found = r.String(photon.ParamAddress); !found {
			return t, atMaster, errors.New("master: names no game server")
		}
		t.auth = auth
		return t, atMaster, nil
	}
	if t.address, t.auth, err = next(r); err != nil {
		return t, atMaster, fmt.Errorf("master: %w", err)
	}
	return t, atMaster, nil
}

// next reads where an answer sends a player.
func next(r *client.Response) (address string, auth photon.Params, err error) {
	address, ok := r.String(photon.ParamAddress)
	token, ok2 := r.Value(photon.ParamToken)
	if !ok || !ok2 {
		return "", nil, errors.New("the answer has no address and token")
	}
	return address, photon.Params{photon.Param(photon.ParamToken, token)}, nil
}

// greet connects and authenticates.
func (o *Options) greet(ctx context.Context, address string, auth photon.Params) (*client.Peer, *client.Response, error) {
	p, err := client.Dial(ctx, o.peerOptions(), address)
	if err != nil {
		return nil, nil, err
	}
	r, err := operation(ctx, p, photon.OpAuthenticate, auth)
	if err != nil {
		p.Disconnect()
		return nil, nil, err
	}
	return p, r, nil
}

func (o *Options) peerOptions() client.Options {
	c := client.Options{Transport: o.Transport, Protocol: o.Protocol, AppID: o.AppID}
	if o.Insecure {
		c.TLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // on request, for self-signed certificates
	}
	return c
}
