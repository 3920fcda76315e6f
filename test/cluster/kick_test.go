package cluster

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/photon"
	adminv1 "github.com/boson-project/boson/proto/admin/v1"
)

// An operator removes a player by the API: it is told why, the others hear that it
// left, and it comes back unless it was banned.
func TestOperatorKicks(t *testing.T) {
	var address string
	up := Start(t, func(c *config.Config) {
		address = freeAddress(t)
		c.Admin.GRPC = address
	})
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	api := adminv1.NewAdminClient(conn)

	f := Form{client.UDP, photon.GpBinaryV18}
	ann, bob, room := pair(t, up, f, nil)
	ann.forget()
	kick := func(want int32, wantCode codes.Code, req *adminv1.KickUserRequest) {
		t.Helper()
		req.AppId, req.AppVersion = "test", "1.0"
		if req.Name == "" {
			req.Name = room
		}
		r, err := api.KickUser(ann.ctx(), req)
		if status.Code(err) != wantCode || r.GetRemoved() != want {
			t.Errorf("%v: removed %d, %v; want %d, %v", req, r.GetRemoved(), err, want, wantCode)
		}
	}
	kick(0, codes.NotFound, &adminv1.KickUserRequest{Name: "no room", UserId: bob.user})
	kick(0, codes.NotFound, &adminv1.KickUserRequest{UserId: "nobody"})
	kick(0, codes.InvalidArgument, &adminv1.KickUserRequest{})
	kick(0, codes.InvalidArgument, &adminv1.KickUserRequest{UserId: bob.user, ActorNr: 2})

	kick(1, codes.OK, &adminv1.KickUserRequest{ActorNr: 2, Reason: "mind your words"})
	ann.until("leave 2")
	bob.until("disconnected")
	bob = enters(t, up, f, "bob")
	bob.must(bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: room}))
	kick(1, codes.OK, &adminv1.KickUserRequest{UserId: bob.user, Ban: true})
	ann.until("leave 3")
	bob.until("disconnected")
	bob = enters(t, up, f, "bob")
	bob.fails(bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: room}), photon.ReturnJoinFailedFoundExcludedUserID)
	kick(0, codes.OK, &adminv1.KickUserRequest{UserId: "somebody", Ban: true})
}
