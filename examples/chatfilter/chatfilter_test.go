package chatfilter

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/plugintest"
)

// room runs a test in virtual time, with ann and bob in a room.
func room(t *testing.T, config plugin.Config, test func(t *testing.T, ann, bob *plugintest.Client)) {
	synctest.Test(t, func(t *testing.T) {
		s := plugintest.New(t, plugintest.Options{Factory: Factory{}, Config: config})
		defer s.Stop()
		ann, bob := s.Client("ann"), s.Client("bob")
		if r := ann.Create("room"); r.ReturnCode != 0 || r.Get(photon.ParamPluginName) != Name {
			t.Fatalf("%+v", r)
		}
		if r := bob.Join("room"); r.ReturnCode != 0 {
			t.Fatalf("%+v", r)
		}
		test(t, ann, bob)
	})
}

// refused raises chat and checks that the sender is told why.
func refused(t *testing.T, c *plugintest.Client, data any, reason string) {
	t.Helper()
	c.Raise(EvChat, data)
	r := c.WaitResponse(photon.OpRaiseEvent)
	if why, _ := r.Params.Get(ParamReason); r.ReturnCode != photon.ReturnPluginReportedError || why != reason || r.Debug == "" {
		t.Errorf("%v: %d %q %v, want %s", data, r.ReturnCode, r.Debug, why, reason)
	}
}

// heard are the contents of all events that a client got.
func heard(from, to *plugintest.Client) (list []any) {
	from.Sync()
	for _, e := range to.Events() {
		list = append(list, e.Data())
	}
	return list
}

func TestMask(t *testing.T) {
	room(t, plugin.Config{"words": "darn, Heck,böse"}, func(t *testing.T, ann, bob *plugintest.Client) {
		for text, want := range map[string]string{
			"hello":                   "hello",
			"darn it, what the HECK!": "**** it, what the ****!",
			"darned checkers":         "darned checkers",
			"Böse":                    "****",
			"":                        "",
		} {
			ann.Raise(EvChat, text)
			if e := bob.WaitEvent(EvChat); e.Data() != want || e.Sender() != 1 {
				t.Errorf("%q arrives as %v", text, e)
			}
		}
	})
}

func TestRefuse(t *testing.T) {
	room(t, plugin.Config{"words": "darn", "action": "refuse", "max_length": "10"}, func(t *testing.T, ann, bob *plugintest.Client) {
		refused(t, ann, "oh darn", ReasonWords)
		refused(t, ann, strings.Repeat("ä", 11), ReasonTooLong)
		refused(t, ann, int32(7), ReasonNotText)
		refused(t, ann, nil, ReasonNotText)
		ann.Raise(EvChat, strings.Repeat("ä", 10))
		ann.Raise(1, "darn") // another event
		if got := heard(ann, bob); len(got) != 2 || got[1] != "darn" {
			t.Errorf("bob heard %v", got)
		}
	})
}

func TestRate(t *testing.T) {
	room(t, plugin.Config{"messages": "2", "per": "10s"}, func(t *testing.T, ann, bob *plugintest.Client) {
		ann.Raise(EvChat, "1")
		ann.Raise(EvChat, "2")
		refused(t, ann, "3", ReasonTooFast)
		bob.Raise(EvChat, "bob's") // has a limit of his own
		if e := ann.WaitEvent(EvChat); e.Data() != "bob's" {
			t.Errorf("ann heard %v", e)
		}
		time.Sleep(10 * time.Second) // virtual
		ann.Raise(EvChat, "4")
		got := heard(ann, bob)
		if len(got) != 3 || got[2] != "4" {
			t.Errorf("bob heard %v", got)
		}
	})
}

// Who rejoins has not been forgiven; who joins anew is somebody else.
func TestRateOfRejoiners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plugintest.New(t, plugintest.Options{Factory: Factory{}, Config: plugin.Config{"messages": "1", "per": "1h"}})
		defer s.Stop()
		ann, bob := s.Client("ann"), s.Client("bob")
		ann.Create("room", photon.Param(photon.ParamPlayerTTL, int32(60_000)))
		bob.Join("room")
		bob.Raise(EvChat, "1")
		bob.Leave(true)
		bob = s.Client("bob")
		if r := bob.JoinMode("room", photon.RejoinOnly, photon.Param(photon.ParamActorNr, int32(2))); r.ReturnCode != 0 {
			t.Fatalf("%+v", r)
		}
		refused(t, bob, "2", ReasonTooFast)
		bob.Leave(false)
		bob = s.Client("bob")
		bob.Join("room")
		bob.Raise(EvChat, "3")
		if got := heard(bob, ann); len(got) != 2 || got[1] != "3" {
			t.Errorf("ann heard %v", got)
		}
	})
}

func TestCheckConfig(t *testing.T) {
	for key, bad := range map[string]string{"action": "shout", "messages": "0", "per": "10", "max_length": "long", "event": "200"} {
		if err := (Factory{}).CheckConfig(plugin.Config{key: bad}); err == nil || !strings.HasPrefix(err.Error(), key+" is ") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := (Factory{}).CheckConfig(nil); err != nil {
		t.Error(err)
	}
}
