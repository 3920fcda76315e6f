// Command pluginserver is a studio's own server: "boson up" with the studio's
// plugins compiled in.
//
//	go run ./examples/pluginserver
//
// It takes the settings of boson up (--help lists them). A studio copies this
// file into a module of its own, imports its own plugins, and builds a binary. To
// run the servers one by one, the game servers' binary is the one that needs the
// plugins: daemon.Main with daemon.NewGameServer, as in cmd/gameserver.
//
// Clients choose a plugin by RoomOptions.Plugins: "ChatFilter", "TicTacToe" or
// "MatchTimer". Rooms whose creator asks for none have a chat filter. What is not
// there is answered with 32751, PluginMismatch.
package main

import (
	"os"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/examples/chatfilter"
	"github.com/boson-project/boson/examples/matchtimer"
	"github.com/boson-project/boson/examples/turnbased"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/daemon"
	"github.com/boson-project/boson/pkg/plugin"
)

// An application has one factory. This one has all of the studio's plugins; to
// use only one, name it in the configuration: importing a package registers it
// (builtin:chatfilter).
func init() {
	plugin.Register("studio", plugin.Mux{
		"":              chatfilter.Factory{},
		chatfilter.Name: chatfilter.Factory{},
		turnbased.Name:  turnbased.Factory,
		matchtimer.Name: matchtimer.Factory{},
	})
}

// preset makes the plugins part of the binary's defaults. plugins.apps of a
// configuration file takes their place.
func preset(c *config.Config) {
	daemon.UpPreset(c)
	c.Plugins.Apps = []config.PluginApp{{
		AppID: "*", Factory: "builtin:studio",
		Config: map[string]string{"words": "darn, heck"},
	}}
}

func main() {
	os.Exit(daemon.Main("pluginserver", os.Args[1:], preset, func(cfg *config.Config, log zerolog.Logger) (daemon.Node, error) {
		return daemon.NewUp(cfg, log, os.Stdout)
	}))
}
