// Command e2e runs the end-to-end tests: the official JavaScript SDK, in Node,
// plays against a cluster that is started as a newcomer starts it, with "make
// run". Without Node or npm it says so and leaves the tests out, except in CI.
//
// The tests are in test/e2e/js; E2E_* environment variables tell them where the
// cluster is. Run it from the root of the repository.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	jsDir = "test/e2e/js"
	// totalLimit bounds everything, the compiler and npm included.
	totalLimit = 5 * time.Minute
	// reportLimit bounds what of the cluster's log is printed after a failure.
	reportLimit = 64 << 10
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, totalLimit)
	err := run(ctx)
	cancel()
	stop()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = errors.Join(err, fmt.Errorf("stopped after %v", totalLimit))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if missing := missingTools(ctx); missing != "" {
		if os.Getenv("CI") == "true" {
			return fmt.Errorf("%s; CI must run the end-to-end tests", missing)
		}
		fmt.Printf("e2e: %s: the end-to-end tests with the official JavaScript SDK are left out\n", missing)
		return nil
	}
	if err := installPackages(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "boson-e2e-plugins-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	plugins := filepath.Join(dir, "plugins.d")
	next, err := dropIns(ctx, plugins)
	if err != nil {
		return err
	}
	web := startWebService()
	defer web.Close()
	further, remove, err := webServiceSettings(web.URL, plugins)
	if err != nil {
		return err
	}
	defer remove()
	c, err := startCluster(ctx, further)
	if err != nil {
		return err
	}
	// From here on, whatever happens, the cluster ends.
	failed := runTests(ctx, append(c.testEnvironment(), "E2E_PLUGINS="+plugins, "E2E_NEXT_PLUGINS="+next))
	if failed == nil {
		failed = c.waitEmpty(ctx)
	}
	failed = errors.Join(failed, c.stop())
	if failed != nil {
		log := c.log.String()
		if len(log) > reportLimit {
			log = "...\n" + log[len(log)-reportLimit:]
		}
		fmt.Printf("\n--- the cluster's log ---\n%s--- end of the cluster's log ---\n", log)
	}
	return failed
}

// runTests runs all test files at once, each in a process of its own.
// environment tells them where things are.
func runTests(ctx context.Context, environment []string) error {
	files, err := filepath.Glob(filepath.Join(jsDir, "*.test.mjs"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no tests in %s: run this from the root of the repository", jsDir)
	}
	args := []string{"--test", "--test-concurrency=4", "--test-reporter=spec"}
	for _, f := range files {
		args = append(args, filepath.Base(f))
	}
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = jsDir
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	ownGroup(cmd)
	cmd.Cancel = func() error { return killGroup(cmd) }
	err = cmd.Run()
	_ = killGroup(cmd) // its children, should it have left any
	if err != nil {
		return fmt.Errorf("tests failed: %w", err)
	}
	return nil
}

// installPackages makes npm install what package.json pins, unless it is there.
func installPackages(ctx context.Context) error {
	want, err := pinned(filepath.Join(jsDir, "package.json"))
	if err != nil {
		return err
	}
	installed := true
	for name, version := range want {
		have, err := packageVersion(filepath.Join(jsDir, "node_modules", name, "package.json"))
		installed = installed && err == nil && have == version
	}
	if installed {
		return nil
	}
	cmd := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock")
	cmd.Dir = jsDir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("npm install in %s: %w\n%s", jsDir, err, out)
	}
	return nil
}

// missingTools says what the tests need and this machine lacks.
func missingTools(ctx context.Context) string {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " was not found"
		}
	}
	out, err := exec.CommandContext(ctx, "node", "--version").Output()
	version := strings.TrimSpace(string(out))
	var major, minor int
	if err == nil {
		_, err = fmt.Sscanf(version, "v%d.%d", &major, &minor)
	}
	if err != nil || major < 20 || major == 20 && minor < 10 {
		return fmt.Sprintf("node 20.10 or later was not found (%q)", version)
	}
	return ""
}
