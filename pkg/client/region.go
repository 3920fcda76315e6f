package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// Region is a region that the name server offers.
type Region struct {
	Code    string
	Address string
	// Ping is the round-trip time, set by BestRegion; 0 when there was no answer.
	Ping time.Duration
}

// Region ping (loadbalancing.md 4.4).
const (
	defaultPingPort = 5055
	pingSize        = 13
	pingByte        = 0x7D
	pingAttempts    = 5
	pingTimeout     = 800 * time.Millisecond
)

// Regions asks the name server for the regions of the application. The client
// is connected to the name server afterwards.
func (c *Client) Regions(ctx context.Context) ([]Region, error) {
	ctx, finish, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer finish()
	if err := c.connectNameServer(ctx); err != nil {
		return nil, err
	}
	return c.regions(ctx)
}

func (c *Client) regions(ctx context.Context) ([]Region, error) {
	r, err := c.operation(ctx, photon.OpGetRegions,
		photon.Params{photon.Param(photon.ParamApplicationID, c.settings.AppID)},
		photon.Delivery{Mode: photon.Reliable, Encrypt: true}, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", nameServer, err)
	}
	codes, _ := r.Strings(photon.ParamRegion)
	addresses, _ := r.Strings(photon.ParamAddress)
	if len(codes) == 0 || len(codes) != len(addresses) {
		return nil, fmt.Errorf("client: name server sent %d regions and %d addresses", len(codes), len(addresses))
	}
	regions := make([]Region, len(codes))
	for i := range regions {
		code, _, _ := strings.Cut(strings.ToLower(codes[i]), "/")
		regions[i] = Region{Code: code, Address: addresses[i]}
	}
	return regions, nil
}

// BestRegion pings all regions at once and returns the best one: of those whose
// ping is at most 1.2 times the shortest, the first by code. When none answers it
// is the first one. port is the UDP port to ping; 0 is 5055.
func BestRegion(ctx context.Context, regions []Region, port int) (Region, error) {
	if len(regions) == 0 {
		return Region{}, errors.New("client: no regions")
	}
	regions = slices.Clone(regions)
	var pings sync.WaitGroup
	for i := range regions {
		pings.Go(func() {
			// A region that does not answer has no ping.
			regions[i].Ping, _ = PingRegion(ctx, hostOf(regions[i].Address), port)
		})
	}
	pings.Wait()
	if err := ctx.Err(); err != nil {
		return Region{}, err
	}
	return best(regions), nil
}

func best(regions []Region) Region {
	shortest := time.Duration(0)
	for _, r := range regions {
		if r.Ping > 0 && (shortest == 0 || r.Ping < shortest) {
			shortest = r.Ping
		}
	}
	if shortest == 0 {
		return regions[0]
	}
	near := slices.DeleteFunc(slices.Clone(regions), func(r Region) bool {
		return r.Ping == 0 || r.Ping > shortest*12/10
	})
	return slices.MinFunc(near, func(a, b Region) int { return cmp.Compare(a.Code, b.Code) })
}

// PingRegion measures the round-trip time to a host, as official clients do: five
// datagrams one after the other, the worst result replaced by the best.
func PingRegion(ctx context.Context, host string, port int) (time.Duration, error) {
	if port == 0 {
		port = defaultPingPort
	}
	conn, err := new(net.Dialer).DialContext(ctx, "udp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var results []time.Duration
	for i := range pingAttempts {
		d, err := pingOnce(conn, byte(rand.N(255-pingAttempts)+i))
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err == nil {
			results = append(results, d)
		}
	}
	if len(results) == 0 {
		return 0, fmt.Errorf("client: no answer to pings from %s", host)
	}
	return pingResult(results), nil
}

// pingResult is the average, with the worst replaced by the best.
func pingResult(results []time.Duration) time.Duration {
	sum := time.Duration(0)
	for _, d := range results {
		sum += d
	}
	sum += slices.Min(results) - slices.Max(results)
	return max(sum/time.Duration(len(results)), 1)
}

func pingOnce(conn net.Conn, id byte) (time.Duration, error) {
	ping := slices.Repeat([]byte{pingByte}, pingSize)
	ping[pingSize-1] = id
	start := time.Now()
	if err := conn.SetDeadline(start.Add(pingTimeout)); err != nil {
		return 0, err
	}
	if _, err := conn.Write(ping); err != nil {
		return 0, err
	}
	buf := make([]byte, pingSize+1)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return 0, err
		}
		if n == pingSize && buf[pingSize-1] == id {
			return time.Since(start), nil
		}
	}
}
