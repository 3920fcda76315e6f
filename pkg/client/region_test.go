package client

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"
)

// TestRegions finds the best region by pings. // wire W-37
func TestRegions(t *testing.T) {
	ctx := testContext(t)
	cl := newCluster(t, TCP)
	ping := start(t, UDP, echo)
	_, port, _ := net.SplitHostPort(ping.address)
	s := cl.settings(TCP)
	s.Region = ""
	s.RegionPingPort, _ = net.LookupPort("udp", port)
	c := connected(t, s, Handler{})
	if got := cl.last("NS Authenticate")[210]; got != "eu" && got != "us" {
		t.Errorf("region %v", got)
	}
	regions, err := c.Regions(ctx)
	if want := []Region{{Code: "eu", Address: cl.mast.address}, {Code: "us", Address: cl.mast.address}}; err != nil || !slices.Equal(regions, want) {
		t.Error(regions, err)
	}
}

func TestBestRegion(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, tt := range []struct {
		regions []Region
		want    string
	}{
		{[]Region{{"us", "", ms(90)}, {"eu", "", ms(20)}}, "eu"},
		{[]Region{{"us", "", ms(20)}, {"eu", "", ms(24)}}, "eu"},
		{[]Region{{"us", "", ms(20)}, {"eu", "", ms(25)}}, "us"},
		{[]Region{{"us", "", 0}, {"eu", "", ms(300)}}, "eu"},
		{[]Region{{"us", "", 0}, {"eu", "", 0}}, "us"},
	} {
		if got := best(tt.regions); got.Code != tt.want {
			t.Errorf("%v: %s, want %s", tt.regions, got.Code, tt.want)
		}
	}
	if got := pingResult([]time.Duration{10, 20, 90}); got != 13 {
		t.Errorf("result %d", got)
	}
	if _, err := BestRegion(context.Background(), nil, 0); err == nil {
		t.Error("the best of none")
	}
}
