package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// dropInApp is the AppId whose rooms have drop-in plugins; test/e2e/js/dropin.test.mjs knows it.
const dropInApp = "e2e-dropin"

// dropIns builds the plugin in test/e2e/dropin, twice: version 1.9.0 into dir,
// version 1.10.0 into the directory that it returns, from where a scenario moves it.
func dropIns(ctx context.Context, dir string) (next string, err error) {
	next = filepath.Join(dir, "..", "next")
	for version, to := range map[string]string{"1.9.0": dir, "1.10.0": next} {
		if err := os.MkdirAll(to, 0o700); err != nil {
			return "", err
		}
		file := "marker-" + version + ".wasm"
		cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w -X main.version="+version, "-buildmode=c-shared", "-o", filepath.Join(to, file), "./test/e2e/dropin")
		cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("the drop-in plugin: %w\n%s", err, out)
		}
		// Shared, and with much time for a call: the machine that runs the tests is busy.
		manifest := fmt.Sprintf("name: Marker\nversion: %s\napi: 1.0\nfile: %s\ninstance: shared\nhooks: [OnRaiseEvent]\nlimits: { memoryMiB: 32, callTimeoutMs: 10000 }\n", version, file)
		if err := os.WriteFile(filepath.Join(to, "marker-"+version+".plugin.yaml"), []byte(manifest), 0o600); err != nil {
			return "", err
		}
	}
	return next, nil
}
