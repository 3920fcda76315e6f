package cluster

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/photon"
)

// LB-292, LB-293 with this repository's client: clients come, play and go while
// every server is restarted once. Whoever lost a connection connects anew; in
// the end no room and no user is left that nobody is in.
func TestChurnWithRestarts(t *testing.T) {
	cfg := separate(t)
	cfg.Master.LostHold, cfg.Master.StatsInterval = time.Second, 200*time.Millisecond
	cfg.GameServer.Listen = config.Endpoints{UDP: freeAddress(t), TCP: freeAddress(t)}
	stopNS := run(t, daemon.NewNameServer, cfg)
	stopMS := run(t, daemon.NewMaster, cfg)
	stopGS := run(t, daemon.NewGameServer, cfg)

	done := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { close(done) }) }
	defer end()
	var clients sync.WaitGroup
	cycles := make(chan string, 1024)
	for i := range 8 {
		name := fmt.Sprint("p", i)
		s := client.Settings{AppID: "test", AppVersion: "1.0", NameServer: cfg.NameServer.Listen.TCP, Region: "eu", UserID: name, Transport: client.TCP}
		if i%2 == 0 {
			s.NameServer, s.Transport = cfg.NameServer.Listen.UDP, client.UDP
		}
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				c := client.New(s, client.Handler{})
				ctx, cancel := context.WithTimeout(context.Background(), Timeout/4)
				err := c.Connect(ctx)
				for n := 0; err == nil && n < 3; n++ {
					opt := client.NewRoomOptions()
					opt.MaxPlayers = 3
					if err = c.JoinRandomOrCreateRoom(ctx, client.JoinRandomRoomParams{}, client.EnterRoomParams{RoomOptions: opt}); err == nil {
						err = c.RaiseEvent(1, "x", nil, client.SendReliable)
					}
					if err == nil {
						err = c.LeaveRoom(ctx, false)
					}
				}
				cancel()
				c.Close()
				if err == nil {
					select {
					case cycles <- name:
					case <-done:
						return
					}
				}
			}
		})
	}
	// all waits until every client has gone round once more.
	all := func(after string) {
		t.Helper()
		for range len(cycles) { // those of before
			<-cycles
		}
		seen := map[string]bool{}
		for len(seen) < 8 {
			seen[next(t, cycles, "cycle of every client "+after)] = true
		}
	}
	all("at first")
	stopNS()
	run(t, daemon.NewNameServer, cfg)
	all("with another name server")
	stopMS()
	run(t, daemon.NewMaster, cfg)
	all("with another master")
	stopGS()
	run(t, daemon.NewGameServer, cfg)
	all("with another game server")
	end()
	clients.Wait()

	watcher := newPlayer(t, client.Settings{AppID: "test", AppVersion: "1.0", NameServer: cfg.NameServer.Listen.TCP, Region: "eu", UserID: "watcher", Transport: client.TCP})
	watcher.must(watcher.Connect(watcher.ctx()))
	for {
		s := next(t, watcher.stats, "statistics")
		if s.Rooms == 0 && s.PlayersInRooms == 0 && s.PlayersOnMaster == 1 {
			break
		}
	}
	eventually(t, func() bool {
		names := []string{"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"}
		friends, err := watcher.FindFriends(watcher.ctx(), names, photon.FindFriendsOptions(0))
		for _, f := range friends {
			if f.Room != "" {
				return false
			}
		}
		return err == nil
	}, "nobody is left in a room")
}
