package transport

// udpTurn measures how many messages leave a shard per datagram that comes in,
// and from that how many datagrams its reader takes in at a stretch. A reader that
// finds more waiting is behind, and then the longer it reads before rooms and pump
// run, the more messages there are for one client to share a datagram: twice as
// many as in the turn before cost little more. What is not behind never reads that
// far, for its socket is empty first.
type udpTurn struct {
	in     int // datagrams since the pump last looked
	fanOut int // messages per datagram, smoothed, in sixteenths
}

// The messages that a turn should have to send, and the bounds of a turn in
// batches of datagrams. Large rooms fill the first with few batches.
const (
	turnMessages = 32768
	leastReads   = 16
	mostReads    = 128
)

// sent is what the pump found in the outbox.
func (t *udpTurn) sent(messages int) {
	if t.in >= udpBatch {
		t.fanOut += (16*messages/t.in - t.fanOut) / 4
		t.in = 0
	}
}

// reads is the length of a turn in batches.
func (t *udpTurn) reads() int {
	return min(max(16*turnMessages/(max(t.fanOut, 1)*udpBatch), leastReads), mostReads)
}
