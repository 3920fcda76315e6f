package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// peers drives players on client.Peer: every transport, every system.
type peers struct {
	opt    *Options
	counts *counts
	now    func() time.Duration

	mu   sync.Mutex
	all  map[*client.Peer]struct{}
	lost error
	over bool
}

type peerLink struct{ *client.Peer }

func (l peerLink) send(msg []byte, d photon.Delivery) error { return l.SendMessage(msg, d) }

// enter implements driver.
func (d *peers) enter(ctx context.Context, p *player, t ticket) error {
	opt := d.opt.peerOptions()
	opt.OnRawEvent = func(code photon.EventCode, msg []byte, _ photon.Delivery) bool {
		if code == eventCode {
			d.counts.mu.Lock()
			d.counts.receive(p.pairs, msg, d.now())
			d.counts.mu.Unlock()
		}
		return true
	}
	opt.OnDisconnect = func(end *client.DisconnectError) { d.fail(p, end) }
	peer, err := client.Dial(ctx, opt, t.address)
	if err != nil {
		return err
	}
	d.mu.Lock()
	if d.all == nil {
		d.all = map[*client.Peer]struct{}{}
	}
	d.all[peer] = struct{}{}
	d.mu.Unlock()
	p.link = peerLink{peer}
	if err := d.join(ctx, peer, t); err != nil {
		d.drop(peer)
		return err
	}
	return nil
}

// join takes a connected peer into its room.
func (d *peers) join(ctx context.Context, peer *client.Peer, t ticket) error {
	if d.opt.Encrypt {
		if err := peer.EstablishEncryption(ctx); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		op     photon.OpCode
		params photon.Params
	}{{photon.OpAuthenticate, t.auth}, {photon.OpJoinGame, t.join}} {
		if _, err := operation(ctx, peer, step.op, step.params); err != nil {
			return err
		}
	}
	return nil
}

// leave takes a player out of its room again and ends its connection.
func (d *peers) leave(ctx context.Context, p *player) error {
	peer := p.link.(peerLink).Peer
	_, err := operation(ctx, peer, photon.OpLeave, nil)
	d.drop(peer)
	return err
}

// drop ends a player's connection.
func (d *peers) drop(peer *client.Peer) {
	d.mu.Lock()
	delete(d.all, peer)
	d.mu.Unlock()
	peer.Close()
}

func (d *peers) fail(p *player, end error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ended *client.DisconnectError
	if errors.As(end, &ended) && ended.Cause == client.DisconnectByClientLogic {
		return
	}
	if d.lost == nil && !d.over {
		d.lost = fmt.Errorf("player %s: %w", p.user, end)
	}
}

// play implements driver.
func (d *peers) play(ctx context.Context, s *schedule) error {
	buf := make([]byte, len(s.template.msg))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !s.done(d.now()) {
		wait, err := s.step(d.now(), buf)
		if err != nil {
			return err
		}
		timer.Reset(min(wait, 10*time.Millisecond))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// err implements driver.
func (d *peers) err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost
}

// close implements driver.
func (d *peers) close() {
	d.mu.Lock()
	d.over = true
	all := d.all
	d.mu.Unlock()
	for p := range all {
		p.Disconnect()
	}
	for p := range all {
		p.Close()
	}
}
