package room

import (
	"slices"
	"time"

	"github.com/boson-project/boson/pkg/photon"
)

// Hooks is a room's plugin as the room sees it (plugins.md 4). The room calls
// it, on its fiber, before it acts. What it gets is a step that it must end by
// one of its methods, at once or, while the room goes on, later on the fiber.
// Whatever a hook does with the room in the meantime, the step copes.
//
// A room without hooks takes the same steps without a stop.
type Hooks interface {
	// CreateGame is asked before the room comes to be. SetState may be called.
	CreateGame(now time.Duration, e *Entry)
	// BeforeJoin is asked before the room checks whether a client may enter.
	BeforeJoin(now time.Duration, e *Entry)
	// Join is asked when the actor has its number, before anybody was told.
	Join(now time.Duration, e *Entry)
	// Leave is asked when an actor is about to go. It gets no more messages.
	Leave(now time.Duration, l *Leave)
	// WantsEvent says whether RaiseEvent is to be asked about events of that code.
	WantsEvent(code photon.EventCode) bool
	RaiseEvent(now time.Duration, e *Raise)
	// WantsProperties says whether the next two are to be asked.
	WantsProperties() bool
	// BeforeSetProperties is asked before properties change, SetProperties told after.
	BeforeSetProperties(now time.Duration, s *SetProperties)
	SetProperties(now time.Duration, s *SetProperties)
	// BeforeClose and Close are asked before the room ends.
	BeforeClose(now time.Duration, c *Closing)
	Close(now time.Duration, c *Closing)
}

// SetHooks gives a room that has no actor yet its plugin.
func (r *Room) SetHooks(h Hooks) { r.hooks = h }

// errGone says that a step can't be taken any more: its client or the room is gone.
var errGone = &Error{Code: photon.ReturnOperationNotAllowedInCurrentState, Text: "the client is not in the room any more"}

// IsGone says whether a step came to nothing because its client, or the room,
// was gone meanwhile. Nobody was answered.
func IsGone(err error) bool { return err == error(errGone) }

// Closing is the end of a room: nobody can enter it any more, and its name is
// not free yet.
type Closing struct {
	room *Room
	// FailedOnCreate says that the room never came to be.
	FailedOnCreate bool
	stage          closingStage
}

type closingStage uint8

const (
	beforeClose closingStage = iota
	closing
	closed
)

// EmptyRoomTTL in ms.
func (c *Closing) EmptyRoomTTL() int32 { return c.room.set.emptyTTL }

// Continue goes on: from BeforeClose to Close, from there to the end.
func (c *Closing) Continue(now time.Duration) {
	switch c.stage {
	case beforeClose:
		c.stage = closing
		c.room.hooks.Close(now, c)
	case closing:
		c.Fail()
	}
}

// Fail ends the room without further questions.
func (c *Closing) Fail() {
	if c.stage != closed {
		c.stage = closed
		c.room.finish()
	}
}

// end begins the room's end, for all but those who are in its steps.
func (r *Room) end(now time.Duration) { r.close(now, false) }

func (r *Room) close(now time.Duration, failedOnCreate bool) {
	if r.phase >= ending {
		return
	}
	r.phase = ending
	r.changed = true
	r.deadline = Never
	if r.hooks == nil {
		r.finish()
		return
	}
	// Who is leaving for good is not to be saved, even if the plugin has not let go.
	for _, a := range slices.Clone(r.actors) {
		if a.leaving != nil && !a.leaving.IsInactive {
			r.remove(a)
		}
	}
	r.hooks.BeforeClose(now, &Closing{room: r, FailedOnCreate: failedOnCreate})
}

func (r *Room) finish() {
	r.phase = done
	r.changed = true
}
