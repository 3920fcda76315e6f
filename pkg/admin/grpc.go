package admin

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	adminv1 "github.com/boson-project/boson/proto/admin/v1"
)

// Backend is what the operators' API is served from. Its methods may be called
// from any goroutine.
type Backend interface {
	Status() *adminv1.StatusResponse
	// Rooms returns the rooms that match; ctx bounds the time it may take.
	Rooms(ctx context.Context, req *adminv1.ListRoomsRequest) ([]*adminv1.Room, error)
	// Drain switches the taking of new rooms and returns how many there are.
	Drain(on bool) (rooms int, err error)
	// CloseRoom ends a room. ErrNoRoom: it is not here.
	CloseRoom(app, version, name, reason string) error
	// Kick removes actors from a room and returns how many; ctx bounds the time it
	// may take. ErrNoRoom: the room is not here. ErrNoActor: nobody in it is meant.
	Kick(ctx context.Context, req *adminv1.KickUserRequest) (removed int, err error)
	// Plugins lists the drop-in plugins, after a look at their directory if reload
	// is set, which can take seconds.
	Plugins(reload bool) ([]*adminv1.Plugin, error)
}

// Errors of a Backend.
var (
	ErrNoRoom        = errors.New("no such room on this server")
	ErrNoActor       = errors.New("no such player in this room")
	ErrNotGameServer = errors.New("this process runs no game server")
)

// GRPC is the operators' API server.
type GRPC struct {
	server   *grpc.Server
	listener net.Listener
	done     chan struct{}
}

// ListenGRPC serves the API on address. With a token every call must bring it
// as "authorization: Bearer TOKEN"; without one address must be on loopback.
func ListenGRPC(address, token string, backend Backend) (*GRPC, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); token == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("admin API on %s needs a token (admin.token), or listen on loopback", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	g := &GRPC{listener: l, done: make(chan struct{})}
	g.server = grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := authorize(ctx, token); err != nil {
				return nil, err
			}
			return next(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if err := authorize(s.Context(), token); err != nil {
				return err
			}
			return next(srv, s)
		}),
	)
	adminv1.RegisterAdminServer(g.server, &service{backend: backend})
	go func() {
		defer close(g.done)
		_ = g.server.Serve(l) // ends with Stop
	}()
	return g, nil
}

func authorize(ctx context.Context, token string) error {
	if token == "" {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	for _, v := range md.Get("authorization") {
		given, ok := strings.CutPrefix(v, "Bearer ")
		if ok && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1 {
			return nil
		}
	}
	return status.Error(codes.Unauthenticated, "a token is needed")
}

// Addr is where it listens.
func (g *GRPC) Addr() net.Addr { return g.listener.Addr() }

// Stop ends the server and waits for its goroutine.
func (g *GRPC) Stop() {
	g.server.Stop()
	<-g.done
}

// service puts a Backend behind the generated interface.
type service struct {
	adminv1.UnimplementedAdminServer
	backend Backend
}

func (s *service) Status(context.Context, *adminv1.StatusRequest) (*adminv1.StatusResponse, error) {
	return s.backend.Status(), nil
}

func (s *service) ListRooms(req *adminv1.ListRoomsRequest, out grpc.ServerStreamingServer[adminv1.Room]) error {
	rooms, err := s.backend.Rooms(out.Context(), req)
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	for _, r := range rooms {
		if err := out.Send(r); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) Drain(_ context.Context, req *adminv1.DrainRequest) (*adminv1.DrainResponse, error) {
	rooms, err := s.backend.Drain(req.On)
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &adminv1.DrainResponse{Rooms: int64(rooms)}, nil
}

func (s *service) CloseRoom(_ context.Context, req *adminv1.CloseRoomRequest) (*adminv1.CloseRoomResponse, error) {
	err := s.backend.CloseRoom(req.AppId, req.AppVersion, req.Name, req.Reason)
	switch {
	case errors.Is(err, ErrNoRoom):
		return nil, status.Error(codes.NotFound, err.Error())
	case err != nil:
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &adminv1.CloseRoomResponse{}, nil
}

func (s *service) KickUser(ctx context.Context, req *adminv1.KickUserRequest) (*adminv1.KickUserResponse, error) {
	if (req.UserId == "") == (req.ActorNr == 0) {
		return nil, status.Error(codes.InvalidArgument, "say who: a user id or an actor number")
	}
	removed, err := s.backend.Kick(ctx, req)
	switch {
	case errors.Is(err, ErrNoRoom), errors.Is(err, ErrNoActor):
		return nil, status.Error(codes.NotFound, err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil, status.FromContextError(err).Err()
	case err != nil:
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &adminv1.KickUserResponse{Removed: int32(removed)}, nil
}

func (s *service) ListPlugins(context.Context, *adminv1.ListPluginsRequest) (*adminv1.PluginList, error) {
	return s.plugins(false)
}

func (s *service) ReloadPlugins(context.Context, *adminv1.ReloadPluginsRequest) (*adminv1.PluginList, error) {
	return s.plugins(true)
}

func (s *service) plugins(reload bool) (*adminv1.PluginList, error) {
	list, err := s.backend.Plugins(reload)
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &adminv1.PluginList{Plugins: list}, nil
}
