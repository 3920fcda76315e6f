// Command plugin-go is the chat filter of examples/chatfilter as a drop-in plugin:
// the same package, served as WebAssembly (docs/wasm-plugins.md).
//
//	GOOS=wasip1 GOARCH=wasm go build -ldflags="-s -w" -buildmode=c-shared -o plugins.d/chatfilter.wasm ./examples/plugin-go
package main

import (
	"github.com/boson-project/boson/examples/chatfilter"
	"github.com/boson-project/boson/pkg/plugin/wasm/guest"
)

func init() { guest.Serve(chatfilter.Factory{}) }

func main() {}
