package transport

import "testing"

// A reader that is behind takes in as many datagrams as make a full turn of the
// pump, whatever the size of the rooms.
func TestUDPTurn(t *testing.T) {
	for _, c := range []struct{ fanOut, want int }{
		{0, mostReads}, {1, mostReads}, {3, mostReads}, {7, 73}, {15, 34}, {63, leastReads}, {499, leastReads},
	} {
		var turn udpTurn
		for range 64 {
			turn.in += 2 * udpBatch
			turn.sent(2 * udpBatch * c.fanOut)
		}
		if got := turn.reads(); got < c.want-3 || got > c.want+3 { // it is smoothed in whole sixteenths
			t.Errorf("%d receivers: %d batches, want %d", c.fanOut, got, c.want)
		}
	}
	// A few datagrams say nothing: they are counted with those that follow.
	turn := udpTurn{in: 1}
	turn.sent(10000)
	if turn.fanOut != 0 || turn.in != 1 {
		t.Errorf("after one datagram: %+v", turn)
	}
}
