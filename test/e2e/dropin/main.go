// Command dropin is the drop-in plugin of the end-to-end tests: it puts its
// version before the text of every event 1.
package main

import (
	"github.com/boson-project/boson/pkg/plugin"
	"github.com/boson-project/boson/pkg/plugin/wasm/guest"
)

// version is set by the linker.
var version = "0"

type marker struct{ plugin.Base }

func (*marker) Name() string    { return "Marker" }
func (*marker) Version() string { return version }

func (m *marker) OnRaiseEvent(c *plugin.RaiseEventCall) {
	if text, err := c.Request.Data(); err == nil && c.Request.EvCode == 1 {
		if s, ok := text.(string); ok {
			c.Request.SetData(version + ": " + s)
		}
	}
	_ = c.Continue()
}

func init() {
	guest.Serve(plugin.FactoryFunc(func(host plugin.Host, _ string, _ plugin.Config) (plugin.Plugin, error) {
		return &marker{plugin.Base{Host: host}}, nil
	}))
}

func main() {}
