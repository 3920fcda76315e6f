package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/photon"
)

// A traced user's way through all servers is written down, decrypted and without
// secrets; nobody else's is.
func TestTrace(t *testing.T) {
	for _, f := range []Form{{client.UDP, photon.GpBinaryV18}, {client.TCP, photon.GpBinaryV16}, {client.WebSocket, photon.JSON}} {
		t.Run(f.String(), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "traces")
			up := Start(t, func(c *config.Config) { c.Trace = config.Trace{Dir: dir, User: "ann"} })
			s := Settings(up, f, "ann")
			if f.Protocol != photon.JSON {
				s.AuthMode = client.AuthOnce // gives a key for encrypted operations
			}
			ann := newPlayer(t, s)
			ann.must(ann.Connect(ann.ctx()))
			bob := connected(t, up, Form{client.TCP, photon.GpBinaryV18}, "bob")
			ann.must(ann.CreateRoom(ann.ctx(), client.EnterRoomParams{RoomName: "traced"}))
			bob.must(bob.JoinRoom(bob.ctx(), client.EnterRoomParams{RoomName: "traced"}))
			ann.must(ann.RaiseEvent(5, "under cover", nil, photon.Delivery{Mode: photon.Reliable, Encrypt: true}))
			next(t, bob.events, "event")
			bob.must(bob.RaiseEvent(6, "to ann", nil, client.SendReliable))
			next(t, ann.events, "event")
			ann.Close()

			read := func() (all string, n int) {
				files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range files {
					b, err := os.ReadFile(f)
					if err != nil {
						t.Fatal(err)
					}
					all += string(b)
				}
				return all, len(files)
			}
			eventually(t, func() bool { all, n := read(); return n == 3 && strings.Count(all, "closed: ") == 3 }, "three traces that have ended")
			all, _ := read()
			for _, want := range []string{`"under cover"`, `"to ann"`, "request 227 ", `"traced"`, `"***"`} {
				if !strings.Contains(all, want) {
					t.Errorf("the traces lack %s:\n%s", want, all)
				}
			}
			for _, name := range []string{" 221 ", " 192 "} { // token, key
				for _, line := range strings.Split(all, "\n") {
					if _, value, found := strings.Cut(line, "|"+name); found && !strings.Contains(strings.Split(value, " | ")[0], `"***"`) {
						t.Errorf("not masked: %s", line)
					}
				}
			}
			if strings.Contains(all, `= "bob" |`) || strings.Contains(all, `225 UserID = "bob"`) {
				t.Error("bob was traced")
			}
		})
	}
}
