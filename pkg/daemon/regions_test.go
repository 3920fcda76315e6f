package daemon

import (
	"net"
	"slices"
	"testing"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/announce"
	"github.com/boson-project/boson/pkg/nameserver"
)

// Masters that do not answer are left out where their region has others that do;
// those that are alone in theirs are not even tried. CL-57
func TestRegionList(t *testing.T) {
	region := func(code, name string) nameserver.Region {
		return nameserver.Region{Code: code, Cluster: "default", Masters: announce.Set{announce.TCP4: name + ":4530"}}
	}
	l := newRegionList([]nameserver.Region{region("eu", "a"), region("eu", "b"), region("us", "c"), region("eu", "")},
		[]string{"check-a:1", "", "check-c:1", ""}, zerolog.Nop())
	if want := []string{"check-a:1", "b:4530", "", ""}; !slices.Equal(l.check, want) {
		t.Errorf("tries %q, want %q", l.check, want)
	}
	live := func() (names []string) {
		for _, r := range l.regions() {
			host, _, _ := net.SplitHostPort(r.Masters[announce.TCP4])
			names = append(names, host)
		}
		return names
	}
	for _, c := range []struct {
		dead []int
		want []string
	}{
		{nil, []string{"a", "b", "c", ""}},
		{[]int{0}, []string{"b", "c", ""}},
		{[]int{0, 1}, []string{"c", ""}},
		{[]int{0, 1, 3}, []string{"a", "b", "c", ""}}, // none answers: it is the way that is broken
	} {
		for i := range l.dead {
			l.dead[i].Store(slices.Contains(c.dead, i))
		}
		l.publish()
		if got := live(); !slices.Equal(got, c.want) {
			t.Errorf("without %v: %q, want %q", c.dead, got, c.want)
		}
	}
}
