package bench

import (
	"bytes"
	"fmt"
	"io"
	"math"
)

// Size of the plot and of its area, in pixels.
const (
	plotWidth, plotHeight = 900, 420
	plotLeft, plotRight   = 70, 20
	plotTop, plotBottom   = 50, 50
	areaWidth, areaHeight = plotWidth - plotLeft - plotRight, plotHeight - plotTop - plotBottom
	leastMs, mostMs       = 0.01, 60000
	plotFont              = `font-family="sans-serif" font-size="12"`
)

// subject is what the plot is about.
func (r *Result) subject() string {
	switch r.Scenario {
	case Lobby, Churn:
		return fmt.Sprintf("%s, %d players x %g/s: %.0f answers/s", r.Scenario, r.Rooms*r.Players, r.Rate, r.DeliveriesPerSecond)
	default:
		return fmt.Sprintf("%d rooms x %d players x %g events/s x %d bytes: %.0f deliveries/s", r.Rooms, r.Players, r.Rate, r.Bytes, r.DeliveriesPerSecond)
	}
}

// WriteSVG draws latency over time, on a logarithmic scale.
func (r *Result) WriteSVG(w io.Writer) error {
	low, high, end := math.Inf(1), 0.0, 1.0
	for _, in := range r.Intervals {
		if in.Deliveries > 0 {
			low, high = min(low, in.Latency.P50), max(high, in.Latency.Max)
		}
		end = max(end, in.Seconds)
	}
	// Whole decades around what there is.
	bottom := math.Floor(math.Log10(min(max(low, leastMs), mostMs)))
	top := max(math.Ceil(math.Log10(min(max(high, leastMs), mostMs))), bottom+1)
	x := func(s float64) float64 { return plotLeft + s/end*areaWidth }
	y := func(ms float64) float64 {
		at := (math.Log10(max(ms, leastMs)) - bottom) / (top - bottom)
		return plotTop + (1-min(max(at, 0), 1))*areaHeight
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">`+"\n", plotWidth, plotHeight, plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="24" %s>latency, %s</text>`+"\n", plotLeft, plotFont, r.subject())
	for d := bottom; d <= top; d++ {
		ms := math.Pow(10, d)
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" %s>%g ms</text>`+"\n",
			plotLeft, plotWidth-plotRight, y(ms), y(ms), plotLeft-6, y(ms)+4, plotFont, ms)
	}
	step := math.Max(1, math.Ceil(end/10))
	for s := 0.0; s <= end; s += step {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" %s>%g s</text>`+"\n", x(s), plotHeight-plotBottom+20, plotFont, s)
	}
	for i, line := range []struct {
		name, color string
		value       func(Latency) float64
	}{
		{"p50", "#1f77b4", func(l Latency) float64 { return l.P50 }},
		{"p99", "#ff7f0e", func(l Latency) float64 { return l.P99 }},
		{"max", "#d62728", func(l Latency) float64 { return l.Max }},
	} {
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="`, line.color)
		for _, in := range r.Intervals {
			if in.Deliveries > 0 {
				fmt.Fprintf(&b, "%.1f,%.1f ", x(in.Seconds), y(line.value(in.Latency)))
			}
		}
		fmt.Fprintf(&b, `"/><text x="%d" y="%d" fill="%s" %s>%s</text>`+"\n", plotLeft+60*i, plotTop-8, line.color, plotFont, line.name)
	}
	b.WriteString("</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}
