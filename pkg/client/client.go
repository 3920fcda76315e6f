package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// State is where a client is.
type State uint8

// States, by the names of Photon's clients. What comes between two of them is
// the state before.
const (
	Disconnected State = iota
	ConnectedToNameServer
	ConnectedToMasterServer
	ConnectedToGameServer // not in a room (yet)
	Joined                // in a room
)

// String returns the state's name.
func (s State) String() string {
	return [...]string{"Disconnected", "ConnectedToNameServer", "ConnectedToMasterServer", "ConnectedToGameServer", "Joined"}[s]
}

// Client is a player: it moves between the servers and keeps a model of the
// room that it is in. Its methods may be called from any goroutine, but those
// that wait for the server not from a callback. Methods that move the client
// from one server to another run one at a time.
type Client struct {
	settings Settings
	handler  Handler
	busy     chan struct{} // capacity 1: full while a call moves the client
	rpc      chan struct{} // capacity 1: full while a WebRPC is under way
	// life ends with Close, and with it the call that moves the client.
	life context.Context
	end  context.CancelFunc
	// closing fills busy for good.
	closing sync.Once

	mu       sync.RWMutex // guards what follows
	conn     *connection
	state    State
	token    any    // string or []byte, from the servers
	secret   []byte // for payload encryption, from the name server
	userID   string
	nickName string
	cluster  string
	authData any // parameter 245 of the authentication
	master   string
	room     *model
	inLobby  bool
	lobby    *TypedLobby
	rooms    map[string]RoomInfo
	stats    AppStats
}

// connection is one of the client's peers, and what its callbacks belong to.
type connection struct {
	c    *Client
	role role
	peer *Peer // nil until Dial has returned
	// left is true when the client gave the connection up; its end is no news then.
	left bool
}

var errClosed = fmt.Errorf("client: closed: %w", ErrState)

// New returns a client that is not connected yet.
func New(settings Settings, handler Handler) *Client {
	c := &Client{
		settings: settings, handler: handler, busy: make(chan struct{}, 1), rpc: make(chan struct{}, 1),
		userID: settings.UserID, nickName: settings.NickName,
	}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// begin makes the caller the only one that moves the client, until it calls
// finish. The context it is to use ends with the client as well.
func (c *Client) begin(ctx context.Context) (_ context.Context, finish func(), err error) {
	select {
	case c.busy <- struct{}{}:
	case <-c.life.Done():
		return nil, nil, errClosed
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if c.life.Err() != nil {
		<-c.busy
		return nil, nil, errClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.life, cancel)
	return ctx, func() {
		stop()
		cancel()
		<-c.busy
	}, nil
}

// State is where the client is.
func (c *Client) State() State {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.state
}

// Peer is the connection to the present server, or nil. It is for what the
// client has no method for.
func (c *Client) Peer() *Peer {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.conn == nil {
		return nil
	}
	return c.conn.peer
}

// UserID is the id that the servers know the player by.
func (c *Client) UserID() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.userID
}

// NickName is the player's name.
func (c *Client) NickName() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.nickName
}

// MasterAddress is the master that the client returns to, or empty.
func (c *Client) MasterAddress() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.master
}

// Cluster is the region's cluster that the name server chose, or empty.
func (c *Client) Cluster() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.cluster
}

// AuthData is what the authentication provider returned for the client
// (parameter 245), or nil.
func (c *Client) AuthData() any {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.authData
}

// AppStats are the latest statistics from the master.
func (c *Client) AppStats() AppStats {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.stats
}

// RTT is the round-trip time to the present server, zero if it is not known.
func (c *Client) RTT() time.Duration {
	if p := c.Peer(); p != nil {
		return p.RTT()
	}
	return 0
}

// ServerTime is the present server's clock in ms, see Peer.ServerTime.
func (c *Client) ServerTime() (ms uint32, ok bool) {
	if p := c.Peer(); p != nil {
		return p.ServerTime()
	}
	return 0, false
}

// Connect goes to a master, by the name server or directly, as the settings
// say, and authenticates. Whatever the client was connected to is left.
func (c *Client) Connect(ctx context.Context) error {
	ctx, finish, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer finish()
	c.mu.Lock()
	c.token, c.secret, c.room = nil, nil, nil
	c.mu.Unlock()
	if c.settings.Master != "" {
		if c.settings.AuthMode != Auth {
			return errors.New("client: without a name server only mode Auth works")
		}
		return c.enterMaster(ctx, withPort(c.settings.Master, masterServer, c.settings.Transport))
	}
	region := c.settings.Region
	if err := c.connectNameServer(ctx); err != nil {
		return err
	}
	if region == "" {
		regions, err := c.regions(ctx)
		if err != nil {
			return err
		}
		best, err := BestRegion(ctx, regions, c.settings.RegionPingPort)
		if err != nil {
			return err
		}
		region = best.Code
	}
	r, err := c.authenticate(ctx, nameServer, region)
	if err != nil {
		return err
	}
	master, ok := r.String(photon.ParamAddress)
	if !ok {
		return errors.New("client: the name server named no master")
	}
	return c.enterMaster(ctx, master)
}

// ReconnectToMaster goes back to the last master with the present token, after
// the connection was lost.
func (c *Client) ReconnectToMaster(ctx context.Context) error {
	ctx, finish, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer finish()
	return c.returnToMaster(ctx)
}

// Disconnect ends the present connection and returns at once. Connect and the
// reconnect methods work afterwards.
func (c *Client) Disconnect() {
	if conn := c.leaveConnection(); conn != nil && conn.peer != nil {
		conn.peer.Disconnect()
	}
}

// Close ends the client for good and waits for its goroutines. Calls that are
// under way fail.
func (c *Client) Close() {
	c.end()
	c.Disconnect()
	// Wait for the call that is under way. No other one begins.
	c.closing.Do(func() { c.busy <- struct{}{} })
	c.dropConnection()
}

// leaveConnection marks the present connection as given up.
func (c *Client) leaveConnection() *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.left = true
	}
	c.state = Disconnected
	c.inLobby, c.lobby, c.rooms = false, nil, nil
	return c.conn
}

// dropConnection ends the present connection and waits for it.
func (c *Client) dropConnection() {
	conn := c.leaveConnection()
	if conn != nil && conn.peer != nil {
		conn.peer.Close()
	}
	c.mu.Lock()
	c.conn = nil
	c.mu.Unlock()
}

func (c *Client) connectNameServer(ctx context.Context) error {
	t := c.settings.Transport
	if c.settings.AuthMode == AuthOnceWss {
		t = SecureWebSocket
	}
	return c.connect(ctx, nameServer, withPort(c.settings.NameServer, nameServer, t))
}

// connect leaves the present server for another one and gets ready to
// authenticate there.
func (c *Client) connect(ctx context.Context, r role, address string) error {
	c.dropConnection()
	conn := &connection{c: c, role: r}
	opt := c.settings.Peer
	opt.Transport, opt.Protocol, opt.AppID, opt.TLS = c.settings.Transport, c.settings.Protocol, c.settings.AppID, c.settings.TLS
	opt.Token, opt.Secret = nil, nil
	c.mu.Lock()
	switch {
	case r == nameServer && c.settings.AuthMode == AuthOnceWss:
		opt.Transport = SecureWebSocket
	case r != nameServer && c.settings.AuthMode != Auth:
		opt.Token, opt.Secret = c.token, c.secret
	}
	c.conn = conn
	c.mu.Unlock()
	opt.OnEvent, opt.OnResponse, opt.OnDisconnect = conn.onEvent, conn.onResponse, conn.onDisconnect
	if c.handler.OnRawEvent != nil {
		opt.OnRawEvent = conn.onRawEvent
	}
	peer, err := Dial(ctx, opt, address)
	if err != nil {
		return fmt.Errorf("%s: %w", r, err)
	}
	c.mu.Lock()
	conn.peer = peer
	left := conn.left
	c.mu.Unlock()
	if left {
		peer.Disconnect()
		return fmt.Errorf("%s: %w", r, ErrState)
	}
	if c.settings.AuthMode == Auth || r == nameServer {
		if err := peer.EstablishEncryption(ctx); err != nil {
			return fmt.Errorf("%s: %w", r, err)
		}
	}
	return nil
}

// enterMaster connects to a master and authenticates.
func (c *Client) enterMaster(ctx context.Context, address string) error {
	c.mu.Lock()
	c.master = address
	c.mu.Unlock()
	if err := c.connect(ctx, masterServer, address); err != nil {
		return err
	}
	_, err := c.authenticate(ctx, masterServer, "")
	return err
}

func (c *Client) returnToMaster(ctx context.Context) error {
	master := c.MasterAddress()
	if master == "" {
		return fmt.Errorf("no master known: %w", ErrState)
	}
	return c.enterMaster(ctx, master)
}

// arrived sets the state after an authentication, unless the client was
// disconnected meanwhile.
func (c *Client) arrived(r role) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil && !c.conn.left {
		c.state = [...]State{ConnectedToNameServer, ConnectedToMasterServer, ConnectedToGameServer}[r]
	}
}

// operation asks the present server and turns a return code other than Ok into
// an error. apply, if not nil, is called with the response, also a failed one, on
// the receiving goroutine.
func (c *Client) operation(ctx context.Context, op photon.OpCode, params photon.Params, d photon.Delivery, apply func(*Response)) (*Response, error) {
	peer := c.Peer()
	if peer == nil {
		return nil, fmt.Errorf("%s: %w", op, ErrState)
	}
	r, err := peer.operation(ctx, op, params, d, func(r *Response) {
		c.responded(peer, r)
		if apply != nil {
			apply(r)
		}
	})
	if err != nil {
		return nil, err
	}
	return r, r.Err()
}

// responded does what any response asks for (loadbalancing.md 2, rules 4 and 5):
// keep its token, and disconnect when a limit was reached.
func (c *Client) responded(peer *Peer, r *Response) {
	c.keepToken(&r.Fields)
	if r.ReturnCode == photon.ReturnOperationLimitReached && peer != nil {
		peer.fail(&DisconnectError{Cause: DisconnectByOperationLimit})
		peer.Disconnect()
	}
}

// keepToken takes the token out of a response or an event.
func (c *Client) keepToken(f *Fields) {
	v, ok := f.Value(photon.ParamToken)
	if !ok {
		return
	}
	switch v.(type) {
	case string, []byte:
		c.mu.Lock()
		c.token = v
		c.mu.Unlock()
	}
}
