package daemon

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/nameserver"
)

const (
	// tryEvery is the pause between two attempts to reach a master of the list,
	// tryTimeout how long one may take.
	tryEvery   = time.Second
	tryTimeout = time.Second
)

// regionList is a name server's list of masters from the configuration. Where a
// region has several, those that don't answer are left out: unless none does, for
// then it is rather the name server that can't reach them.
type regionList struct {
	log   zerolog.Logger
	all   []nameserver.Region
	check []string      // by index: what to try; "": it counts as alive
	dead  []atomic.Bool // by index
	live  atomic.Pointer[[]nameserver.Region]
}

func newRegionList(all []nameserver.Region, check []string, log zerolog.Logger) *regionList {
	l := &regionList{log: log, all: all, check: make([]string, len(all)), dead: make([]atomic.Bool, len(all))}
	type place struct{ code, cluster string }
	masters := map[place]int{}
	for _, r := range all {
		masters[place{r.Code, r.Cluster}]++
	}
	for i, r := range all {
		if masters[place{r.Code, r.Cluster}] < 2 {
			continue // there is no other to send clients to
		}
		if l.check[i] = check[i]; l.check[i] == "" {
			l.check[i] = tcpAddress(r.Masters)
		}
	}
	l.publish()
	return l
}

// tcpAddress is an address of a set that TCP can try, "" if there is none.
func tcpAddress(set announce.Set) string {
	if host, port, err := net.SplitHostPort(set[announce.TCP4]); err == nil && host != "" {
		return net.JoinHostPort(host, port)
	}
	return ""
}

// regions returns the masters that clients may be sent to. It does not block.
func (l *regionList) regions() []nameserver.Region { return *l.live.Load() }

// publish makes the list of those that live.
func (l *regionList) publish() {
	live := make([]nameserver.Region, 0, len(l.all))
	for i, r := range l.all {
		answers := false // does any master of its region?
		for j, o := range l.all {
			answers = answers || o.Code == r.Code && o.Cluster == r.Cluster && !l.dead[j].Load()
		}
		if !l.dead[i].Load() || !answers {
			live = append(live, r)
		}
	}
	l.live.Store(&live)
}

// run tries the masters until ctx ends.
func (l *regionList) run(ctx context.Context) {
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	for {
		var trying sync.WaitGroup
		var changed atomic.Bool
		for i, address := range l.check {
			if address == "" {
				continue
			}
			trying.Go(func() {
				dead := !answers(ctx, address)
				if ctx.Err() != nil || l.dead[i].Swap(dead) == dead {
					return
				}
				changed.Store(true)
				e, what := l.log.Info(), "master answers again"
				if dead {
					e, what = l.log.Warn(), "master does not answer; clients are sent to the others of its region"
				}
				e.Str("region", l.all[i].Code).Str("address", address).Msg(what)
			})
		}
		trying.Wait()
		if changed.Load() {
			l.publish()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func answers(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}
