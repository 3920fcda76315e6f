package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/boson-project/boson/pkg/gpbinary"
	"github.com/boson-project/boson/pkg/photon"
)

// authenticate tells the present server who the client is (loadbalancing.md 3.3).
// region is for the name server.
func (c *Client) authenticate(ctx context.Context, at role, region string) (*Response, error) {
	var r *Response
	var err error
	if at != nameServer && c.settings.AuthMode != Auth {
		r, err = c.authenticateByInit(ctx, at)
	} else {
		op, params, d := c.credentials(at, region)
		r, err = c.operation(ctx, op, params, d, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	if err := c.identify(r); err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	c.arrived(at)
	return r, nil
}

// authenticateByInit waits for the answer to the token in the init request.
func (c *Client) authenticateByInit(ctx context.Context, at role) (*Response, error) {
	r, err := c.Peer().TokenResponse(ctx)
	if err != nil {
		return nil, err
	}
	c.keepToken(&r.Fields)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if at == masterServer && c.settings.EnableLobbyStatistics {
		params := photon.Params{photon.Param(photon.ParamReceiveLobbyStats, true)}
		if err := c.Peer().Send(photon.OpServerSettings, params, SendReliable); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// credentials makes the request of an authentication: the token where there is
// one, everything about the player elsewhere, encrypted.
func (c *Client) credentials(at role, region string) (photon.OpCode, photon.Params, photon.Delivery) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := &c.settings
	var params photon.Params
	add := func(p photon.ParamCode, v any) { params = append(params, photon.Param(p, v)) }
	if at == masterServer && s.EnableLobbyStatistics {
		add(photon.ParamLobbyStats, true)
	}
	if at != nameServer && c.token != nil {
		add(photon.ParamToken, c.token)
		return photon.OpAuthenticate, params, SendReliable
	}
	op := photon.OpAuthenticate
	if at == nameServer && s.AuthMode != Auth {
		op = photon.OpAuthenticateOnce
		add(photon.ParamExpectedProtocol, byte(s.Transport))
		add(photon.ParamEncryptionMode, byte(0))
	}
	add(photon.ParamAppVersion, s.AppVersion)
	add(photon.ParamApplicationID, s.AppID)
	if region != "" {
		add(photon.ParamRegion, region)
	}
	if c.userID != "" {
		add(photon.ParamUserID, c.userID)
	}
	if a := s.CustomAuth; a != nil {
		add(photon.ParamClientAuthenticationType, a.Type)
		if a.Parameters != "" {
			add(photon.ParamClientAuthenticationParams, a.Parameters)
		}
		if a.Data != nil {
			add(photon.ParamClientAuthenticationData, a.Data)
		}
	}
	return op, params, photon.Delivery{Mode: photon.Reliable, Encrypt: true}
}

// identify takes over what a server says of the player.
func (c *Client) identify(r *Response) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id, ok := r.String(photon.ParamUserID); ok && id != "" {
		c.userID = id
	}
	if name, ok := r.String(photon.ParamNickName); ok && name != "" {
		c.nickName = name
	}
	if cluster, ok := r.String(photon.ParamCluster); ok {
		c.cluster = cluster
	}
	if data, ok := r.Value(photon.ParamData); ok {
		c.authData = data
	}
	v, ok := r.Value(photon.ParamEncryptionData)
	if !ok || v == nil {
		return nil
	}
	data, ok := v.(*gpbinary.Dictionary)
	if !ok {
		return fmt.Errorf("client: encryption data is a %T", v)
	}
	// This client has no cipher for datagrams; servers answer with mode 0.
	if mode, _ := data.Get(byte(0)); mode != byte(0) {
		return fmt.Errorf("client: encryption mode %v", mode)
	}
	secret, _ := data.Get(byte(1))
	if c.secret, ok = secret.([]byte); !ok {
		return errors.New("client: encryption data has no secret")
	}
	return nil
}
