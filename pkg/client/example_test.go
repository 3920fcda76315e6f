package client_test

import (
	"context"
	"fmt"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
)

// Two players meet in a room, and one says hello.
func ExampleClient() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	up, err := startCluster(ctx) // or "boson up", or any Photon name server
	if err != nil {
		fmt.Println(err)
		return
	}
	defer up.Stop(ctx)

	const hello = 1
	heard := make(chan string, 1)
	settings := client.Settings{
		AppID: "my-game", NameServer: address(up.NameServer(), client.UDP), Region: "eu",
	}
	settings.NickName = "Ann"
	ann := client.New(settings, client.Handler{
		OnEvent: func(e *client.Event) {
			if e.Code == hello {
				heard <- fmt.Sprint(e.CustomData())
			}
		},
	})
	defer ann.Close()
	settings.NickName = "Bob"
	bob := client.New(settings, client.Handler{})
	defer bob.Close()

	for _, c := range []*client.Client{ann, bob} {
		if err := c.Connect(ctx); err != nil {
			fmt.Println(err)
			return
		}
		if err := c.JoinOrCreateRoom(ctx, client.EnterRoomParams{RoomName: "den"}); err != nil {
			fmt.Println(err)
			return
		}
	}
	room := bob.CurrentRoom()
	fmt.Println(len(room.Actors), "players, the first is", room.Actors[1].NickName)
	if err := bob.RaiseEvent(hello, "Hello, Ann!", nil, client.SendReliable); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-heard)
	// Output:
	// 2 players, the first is Ann
	// Hello, Ann!
}

// One connection, without the model of a Client.
func ExamplePeer() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	up, err := startCluster(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer up.Stop(ctx)

	peer, err := client.Dial(ctx, client.Options{Transport: client.TCP, AppID: "my-game"}, address(up.NameServer(), client.TCP))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer peer.Close()
	r, err := peer.Operation(ctx, photon.OpGetRegions, photon.Params{photon.Param(photon.ParamApplicationID, "my-game")})
	if err != nil {
		fmt.Println(err)
		return
	}
	regions, _ := r.Strings(photon.ParamRegion)
	fmt.Println(r.ReturnCode, regions)
	// Output:
	// Ok [eu]
}
