package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	region     = "eu"
	readyLine  = "boson up is ready"
	readyLimit = 60 * time.Second // the compiler included
	emptyLimit = 10 * time.Second
	stopLimit  = 20 * time.Second
	// portTries is how often other ports are tried when another process was
	// quicker to take one.
	portTries = 3
)

// cluster is a whole cluster that runs as "make run".
type cluster struct {
	cmd   *exec.Cmd
	log   *logBuffer
	ended chan struct{} // closed when the last process of the cluster is gone

	nameServer, master, gameServer, admin string // host:port: WebSocket, and HTTP

	service *service // the web service that knows users
	dir     string   // of the configuration file
}

// startCluster returns when the cluster is ready for clients. further are flags
// beside those for ports.
func startCluster(ctx context.Context, further string) (*cluster, error) {
	for try := 1; ; try++ {
		c, err := launch(further)
		if err != nil {
			return nil, err
		}
		err = c.waitReady(ctx)
		if err == nil {
			return c, nil
		}
		c.kill()
		log := c.log.String()
		if !strings.Contains(log, "address already in use") || try == portTries {
			return nil, fmt.Errorf("%w\n%s", err, log)
		}
	}
}

func launch(further string) (*cluster, error) {
	ports, err := freePorts(15)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "boson-e2e")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "boson.yaml")
	service := startService()
	if err := os.WriteFile(file, service.configuration(), 0o600); err != nil {
		service.Close()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	local := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	c := &cluster{
		service: service, dir: dir,
		log: &logBuffer{ready: make(chan struct{})}, ended: make(chan struct{}),
		nameServer: local(ports[2]), master: local(ports[5]), gameServer: local(ports[8]), admin: local(ports[10]),
	}
	args := "--config=" + file + fmt.Sprintf(" --nameserver.listen.udp=:%d --nameserver.listen.tcp=:%d --nameserver.listen.ws=:%d"+
		" --master.listen.udp=:%d --master.listen.tcp=:%d --master.listen.ws=:%d"+
		" --gameserver.listen.udp=:%d --gameserver.listen.tcp=:%d --gameserver.listen.ws=:%d"+
		" --master.s2s=127.0.0.1:%d --admin.listen=127.0.0.1:%d --admin.grpc=127.0.0.1:%d"+
		" --nameserver.listen.wss=:%d --master.listen.wss=:%d --gameserver.listen.wss=:%d",
		ports[0], ports[1], ports[2], ports[3], ports[4], ports[5], ports[6], ports[7], ports[8], ports[9], ports[10], ports[11],
		ports[12], ports[13], ports[14]) + further
	cmd := exec.Command("make", "run", "ARGS="+args)
	for _, v := range os.Environ() {
		// Settings of the one who runs the tests, and of the make around them, are not the newcomer's.
		if !strings.HasPrefix(v, "BOSON_") && !strings.HasPrefix(v, "MAKE") && !strings.HasPrefix(v, "MFLAGS=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Stdout, cmd.Stderr = c.log, c.log
	ownGroup(cmd)
	c.cmd = cmd
	if err := cmd.Start(); err != nil {
		c.tidy()
		return nil, fmt.Errorf("make run: %w", err)
	}
	go func() {
		// Wait returns when all processes that write to the log are gone, not only
		// make. Its error is of no use: make and go wrap the exit code.
		_ = cmd.Wait()
		c.tidy()
		close(c.ended)
	}()
	return c, nil
}

// tidy removes what the cluster needed beside its processes.
func (c *cluster) tidy() {
	c.service.Close()
	_ = os.RemoveAll(c.dir)
}

func (c *cluster) waitReady(ctx context.Context) error {
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	select {
	case <-c.log.ready:
		return nil
	case <-c.ended:
		return errors.New("make run ended before the cluster was ready")
	case <-limit.C:
		return fmt.Errorf("make run was not ready after %v", readyLimit)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// testEnvironment tells the tests where the cluster is.
func (c *cluster) testEnvironment() []string {
	return []string{
		"E2E_NAMESERVER=" + c.nameServer, "E2E_MASTER=" + c.master, "E2E_GAMESERVER=" + c.gameServer,
		"E2E_REGION=" + region,
	}
}

// emptyMetrics are counts that must be zero when all clients are gone.
var emptyMetrics = regexp.MustCompile(`(?m)^(boson_gs_rooms|boson_(?:ns|ms|gs)_peers)(\{[^}]*\})? (\S+)$`)

// waitEmpty waits until the cluster has no clients and no rooms: nothing that
// the tests did may leave a trace.
func (c *cluster) waitEmpty(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, emptyLimit)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	last := "nothing is known of it"
	for {
		left, err := c.left(ctx)
		switch {
		case err == nil && left == "":
			return nil
		case err == nil:
			last = left
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after the tests the cluster is not empty: %s: %w", last, errors.Join(err, ctx.Err()))
		case <-poll.C:
		}
	}
}

// left names the counts that are not zero.
func (c *cluster) left(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.admin+"/metrics", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	var left []string
	rooms := false
	for _, m := range emptyMetrics.FindAllStringSubmatch(string(body), -1) {
		rooms = rooms || m[1] == "boson_gs_rooms"
		if m[3] != "0" {
			left = append(left, m[0])
		}
	}
	if !rooms {
		return "", errors.New("/metrics has no boson_gs_rooms")
	}
	return strings.Join(left, ", "), nil
}

// badLog are lines that a cluster must not log, whatever clients do.
var badLog = regexp.MustCompile(`(?m)^.*(?:\bERR\b|\bFTL\b|\bPNC\b|^panic:|^fatal error:|DATA RACE).*$`)

// stop asks the cluster to end, as an operator does, and checks that it ended well.
func (c *cluster) stop() error {
	select {
	case <-c.ended:
		return errors.New("the cluster ended by itself")
	default:
	}
	if err := terminateGroup(c.cmd); err != nil {
		c.kill()
		return fmt.Errorf("stopping the cluster: %w", err)
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-c.ended:
	case <-limit.C:
		c.kill()
		return fmt.Errorf("the cluster did not end within %v of SIGTERM", stopLimit)
	}
	log := c.log.String()
	if !strings.Contains(log, " stopped\n") {
		return errors.New("the cluster did not stop in good order")
	}
	if lines := badLog.FindAllString(log, 5); lines != nil {
		return fmt.Errorf("the cluster logged errors:\n%s", strings.Join(lines, "\n"))
	}
	return nil
}

func (c *cluster) kill() {
	_ = killGroup(c.cmd)
	<-c.ended
}

// logBuffer keeps what the cluster writes. ready is closed at readyLine.
type logBuffer struct {
	ready chan struct{}

	mu   sync.Mutex
	buf  bytes.Buffer
	seen bool
}

// Write implements io.Writer.
func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(b)
	if !l.seen && bytes.Contains(l.buf.Bytes(), []byte(readyLine)) {
		l.seen = true
		close(l.ready)
	}
	return len(b), nil
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// freePorts returns ports that are free for TCP and UDP now. They are below
// those that systems give to outgoing connections, which could take one before
// the cluster does.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		if p := 10000 + rand.IntN(20000); !slices.Contains(ports, p) && free(p) {
			ports = append(ports, p)
		}
	}
	return nil, errors.New("no free ports")
}

func free(port int) bool {
	address := fmt.Sprintf(":%d", port)
	t, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer t.Close()
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return u.Close() == nil
}
