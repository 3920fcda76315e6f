package admin

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/transport"
)

// ServerMetrics exports an app.Server's counters: boson_<role>_peers and so on,
// by transport.
type ServerMetrics struct {
	server                                   *app.Server
	peers, accepted, refused, closed         *prometheus.Desc
	messages, bytes, datagrams               *prometheus.Desc
	malformed, badMessages, resent, droppedU *prometheus.Desc
	limitHits                                *prometheus.Desc
	gauges                                   []Gauge
}

// Gauge is one more value of a server, read when metrics are asked for.
type Gauge struct {
	Name, Help string
	Read       func() float64
	// Counter says that the value only grows.
	Counter bool
}

// NewServerMetrics makes the collector of one server. role is "gs", "ms" or "ns".
func NewServerMetrics(role string, server *app.Server, gauges ...Gauge) *ServerMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("boson_"+role+"_"+name, help, labels, nil)
	}
	return &ServerMetrics{
		server:      server,
		gauges:      prefix(role, gauges),
		peers:       desc("peers", "clients connected", "transport"),
		accepted:    desc("peers_accepted_total", "connections accepted", "transport"),
		refused:     desc("peers_refused_total", "connections refused, by the limit that refused them", "transport", "limit"),
		limitHits:   desc("limit_hits_total", "clients disconnected because they hit a limit, by application; app is empty for those without limits of their own", "app", "limit"),
		closed:      desc("peers_closed_total", "connections ended, by reason", "transport", "reason"),
		messages:    desc("messages_total", "messages, by direction", "transport", "direction"),
		bytes:       desc("bytes_total", "bytes of the transport's payload, by direction", "transport", "direction"),
		datagrams:   desc("datagrams_total", "UDP datagrams, by direction", "transport", "direction"),
		malformed:   desc("malformed_total", "datagrams, frames and init requests that were dropped", "transport"),
		badMessages: desc("malformed_messages_total", "messages that could not be parsed"),
		resent:      desc("commands_resent_total", "reliable UDP commands sent again", "transport"),
		droppedU:    desc("unreliable_dropped_total", "unreliable messages dropped because a client's queue was full", "transport"),
	}
}

func prefix(role string, gauges []Gauge) []Gauge {
	out := make([]Gauge, len(gauges))
	for i, g := range gauges {
		g.Name = "boson_" + role + "_" + g.Name
		out[i] = g
	}
	return out
}

// Describe implements prometheus.Collector.
func (m *ServerMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.peers, m.accepted, m.refused, m.closed, m.messages, m.bytes, m.datagrams, m.malformed, m.badMessages, m.resent, m.droppedU, m.limitHits} {
		ch <- d
	}
	for _, g := range m.gauges {
		ch <- prometheus.NewDesc(g.Name, g.Help, nil, nil)
	}
}

// Collect implements prometheus.Collector.
func (m *ServerMetrics) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for _, b := range m.server.Bound() {
		t, c := b.Kind.String(), b.Counters
		ch <- prometheus.MustNewConstMetric(m.peers, prometheus.GaugeValue, float64(c.Peers.Load()), t)
		counter(m.accepted, c.Accepted.Load(), t)
		peers, address := c.RefusedPeers.Load(), c.RefusedAddress.Load()
		counter(m.refused, peers, t, "max_peers")
		counter(m.refused, address, t, "max_peers_per_address")
		counter(m.refused, max(c.Refused.Load()-peers-address, 0), t, "")
		counter(m.messages, c.MessagesIn.Load(), t, "in")
		counter(m.messages, c.MessagesOut.Load(), t, "out")
		counter(m.bytes, c.BytesIn.Load(), t, "in")
		counter(m.bytes, c.BytesOut.Load(), t, "out")
		if b.Kind == transport.UDP {
			counter(m.datagrams, c.DatagramsIn.Load(), t, "in")
			counter(m.datagrams, c.DatagramsOut.Load(), t, "out")
			counter(m.resent, c.Resent.Load(), t)
			counter(m.droppedU, c.DroppedUnreliable.Load(), t)
		}
		counter(m.malformed, c.Malformed.Load(), t)
		for _, r := range transport.Reasons() {
			counter(m.closed, c.Closed[r].Load(), t, r.String())
		}
	}
	counter(m.badMessages, m.server.Malformed())
	for _, h := range m.server.LimitHits() {
		counter(m.limitHits, h.N, h.AppID, h.Limit)
	}
	for _, g := range m.gauges {
		kind := prometheus.GaugeValue
		if g.Counter {
			kind = prometheus.CounterValue
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(g.Name, g.Help, nil, nil), kind, g.Read())
	}
}
