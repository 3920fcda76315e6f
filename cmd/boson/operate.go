package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	adminv1 "github.com/boson-project/boson/proto/admin/v1"
)

// operator is the connection to a server's operators' API.
type operator struct {
	address, token string
}

// call runs fn with a client of the API.
func (o *operator) call(ctx context.Context, fn func(context.Context, adminv1.AdminClient) error) error {
	conn, err := grpc.NewClient(o.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if o.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+o.token)
	}
	return fn(ctx, adminv1.NewAdminClient(conn))
}

// operatorCommands are the commands that look after a running server.
func operatorCommands() []*cobra.Command {
	o := &operator{}
	var listRooms adminv1.ListRoomsRequest
	var off bool
	closeRoom := adminv1.CloseRoomRequest{}

	status := &cobra.Command{Use: "status", Short: "Show the servers that a process runs and knows", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.call(cmd.Context(), func(ctx context.Context, c adminv1.AdminClient) error {
				r, err := c.Status(ctx, &adminv1.StatusRequest{})
				if err != nil {
					return err
				}
				fmt.Println("version", r.Version)
				w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ROLE\tID\tREADY\tSTATE\tLOAD\tPEERS\tROOMS\tANNOUNCED")
				for _, s := range r.Servers {
					ready := "yes"
					if !s.Ready {
						ready = "no: " + s.NotReadyBecause
					}
					var addresses []string
					for k, a := range s.Announced {
						addresses = append(addresses, k+"="+a)
					}
					slices.Sort(addresses)
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", s.Role, s.Id, ready, s.State, s.LoadLevel, s.Peers, s.Rooms, strings.Join(addresses, " "))
				}
				return w.Flush()
			})
		}}
	rooms := &cobra.Command{Use: "rooms", Short: "List rooms: of the cluster at a master, its own at a game server", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.call(cmd.Context(), func(ctx context.Context, c adminv1.AdminClient) error {
				stream, err := c.ListRooms(ctx, &listRooms)
				if err != nil {
					return err
				}
				w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "APP\tVERSION\tROOM\tLOBBY\tSERVER\tPLAYERS\tMAX\tOPEN\tVISIBLE")
				for {
					r, err := stream.Recv()
					if errors.Is(err, io.EOF) {
						return w.Flush()
					}
					if err != nil {
						return err
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%t\t%t\n", r.AppId, r.AppVersion, r.Name, r.Lobby, r.GameServer, r.Players, r.MaxPlayers, r.Open, r.Visible)
				}
			})
		}}
	rooms.Flags().StringVar(&listRooms.AppId, "app", "", "only rooms of this AppId")
	rooms.Flags().StringVar(&listRooms.NamePrefix, "prefix", "", "only rooms whose name begins so")

	drain := &cobra.Command{Use: "drain", Short: "Let a game server take no new rooms (--off: again)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.call(cmd.Context(), func(ctx context.Context, c adminv1.AdminClient) error {
				r, err := c.Drain(ctx, &adminv1.DrainRequest{On: !off})
				if err == nil {
					fmt.Printf("%d rooms are running\n", r.Rooms)
				}
				return err
			})
		}}
	drain.Flags().BoolVar(&off, "off", false, "take new rooms again")

	closing := &cobra.Command{Use: "close ROOM", Short: "End a room on a game server; its players are disconnected", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			closeRoom.Name = args[0]
			return o.call(cmd.Context(), func(ctx context.Context, c adminv1.AdminClient) error {
				_, err := c.CloseRoom(ctx, &closeRoom)
				return err
			})
		}}
	closing.Flags().StringVar(&closeRoom.AppId, "app", "", "the room's AppId")
	closing.Flags().StringVar(&closeRoom.AppVersion, "app-version", "", "the room's AppVersion")
	closing.Flags().StringVar(&closeRoom.Reason, "reason", "closed by an operator", "what the players are told")

	all := []*cobra.Command{status, rooms, drain, closing, kickCommand(o), pluginsCommand(o)}
	for _, c := range all {
		c.Flags().StringVar(&o.address, "admin", "127.0.0.1:8089", "the server's admin.grpc address")
		c.Flags().StringVar(&o.token, "token", os.Getenv("BOSON_ADMIN_TOKEN"), "the server's admin.token")
	}
	return all
}

// kickCommand removes players from a room.
func kickCommand(o *operator) *cobra.Command {
	req := &adminv1.KickUserRequest{}
	c := &cobra.Command{Use: "kick ROOM {--user ID | --actor NUMBER}", Short: "Remove a player from a room on a game server (--ban: for good)", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Name = args[0]
			return o.call(cmd.Context(), func(ctx context.Context, c adminv1.AdminClient) error {
				r, err := c.KickUser(ctx, req)
				if err == nil {
					fmt.Printf("%d actors were removed\n", r.Removed)
				}
				return err
			})
		}}
	c.Flags().StringVar(&req.AppId, "app", "", "the room's AppId")
	c.Flags().StringVar(&req.AppVersion, "app-version", "", "the room's AppVersion")
	c.Flags().StringVar(&req.UserId, "user", "", "all actors of this user id")
	c.Flags().Int32Var(&req.ActorNr, "actor", 0, "the actor of this number")
	c.Flags().BoolVar(&req.Ban, "ban", false, "the user can't come back to this room")
	c.Flags().StringVar(&req.Reason, "reason", "removed by an operator", "what the player is told")
	c.MarkFlagsOneRequired("user", "actor")
	c.MarkFlagsMutuallyExclusive("user", "actor")
	return c
}

// pluginsCommand lists drop-in plugins.
func pluginsCommand(o *operator) *cobra.Command {
	var reload bool
	c := &cobra.Command{Use: "plugins", Short: "List the drop-in plugins of a game server (--reload: look at their directory first)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.call(cmd.Context(), func(ctx context.Context, c adminv1.AdminClient) error {
				list := func() (*adminv1.PluginList, error) { return c.ListPlugins(ctx, &adminv1.ListPluginsRequest{}) }
				if reload {
					list = func() (*adminv1.PluginList, error) { return c.ReloadPlugins(ctx, &adminv1.ReloadPluginsRequest{}) }
				}
				r, err := list()
				if err != nil {
					return err
				}
				w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "PLUGIN\tVERSION\tMANIFEST\tSTATE\tROOMS\tERROR")
				for _, p := range r.Plugins {
					state := "older"
					switch {
					case p.Removed:
						state = "ending"
					case p.Active:
						state = "active"
					case p.Error != "":
						state = "failed"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", p.Name, p.Version, p.Manifest, state, p.Rooms, p.Error)
				}
				return w.Flush()
			})
		}}
	c.Flags().BoolVar(&reload, "reload", false, "load what changed now, without waiting for the next look")
	return c
}
