package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// wasmApp is the AppId whose rooms have the plugins of plugins.dir.
const wasmApp = "e2e-wasm"

// buildDropIn puts a plugin into a directory as an operator would: the chat filter
// of the examples as WebAssembly, and its manifest.
func buildDropIn(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-buildmode=c-shared",
		"-o", filepath.Join(dir, "chatfilter.wasm"), "./examples/plugin-go")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the drop-in plugin can't be built: %w\n%s", err, out)
	}
	return os.WriteFile(filepath.Join(dir, "chatfilter.plugin.yaml"), []byte(`name: ChatFilter
version: "1.0"
api: 1.0
file: chatfilter.wasm
instance: shared
`), 0o644)
}
