package letter

import (
	"errors"
	"slices"
	"testing"
)

// A draft is written once, at the first trouble, and what comes after the save waits
// for it.
func TestDraft(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name            string
		write, remove   error
		begin, nowhere  bool
		saved           bool
		want            []string // what was done with the file
		there, complain bool
	}{
		{name: "no trouble", saved: true},
		{name: "nowhere", begin: true, nowhere: true},
		{name: "lost", begin: true, write: broken, want: []string{"write"}, complain: true},
		{name: "not saved", begin: true, want: []string{"write"}, there: true},
		{name: "saved after all", begin: true, saved: true, want: []string{"write", "remove"}},
		{name: "not removed", begin: true, saved: true, remove: broken, want: []string{"write", "remove"}, there: true, complain: true},
		{name: "saved, not written", begin: true, saved: true, write: broken, want: []string{"write"}, complain: true},
	} {
		for _, early := range []bool{false, true} { // the save is over before the letter is written
			fiber := make(chan func(), 4)
			hold := make(chan struct{})
			var did []string
			d := &Draft{
				Enqueue: func(f func()) bool { fiber <- f; return true },
				Write:   func() error { <-hold; did = append(did, "write"); return test.write },
				Remove:  func() error { did = append(did, "remove"); return test.remove },
			}
			if test.nowhere {
				d.Write = nil
			}
			if test.begin {
				d.Begin()
				d.Begin()
			}
			if !early {
				close(hold)
				if test.begin && !test.nowhere {
					(<-fiber)()
				}
			}
			ended := false
			d.End(test.saved, func(there bool, err error) {
				ended = true
				if there != test.there || (err != nil) != test.complain {
					t.Errorf("%s: there %v, %v", test.name, there, err)
				}
			})
			d.Begin() // too late
			if early {
				close(hold)
			}
			for !ended {
				(<-fiber)()
			}
			if !slices.Equal(did, test.want) || len(fiber) > 0 {
				t.Errorf("%s: did %v, want %v; %d more", test.name, did, test.want, len(fiber))
			}
		}
	}
}
