package letter

import "time"

// After is how long a save may take before its letter is begun, though nothing has
// failed: less than a server that stops waits for its rooms.
const After = 2 * time.Second

// Draft is the letter of a save that goes on: written at the first trouble, for a
// server that stops does not wait for all attempts, and removed if the save works
// after all. Its methods are for the room's fiber; files are touched elsewhere.
type Draft struct {
	// Enqueue is that of the room's plugin.Host.
	Enqueue func(func()) bool
	// Write and Remove may block. Write is nil if there is no directory.
	Write, Remove func() error

	begun bool
	busy  bool   // Write runs
	err   error  // of Write
	ended bool   // End was called
	end   func() // what waits for Write
}

// Begin writes the letter, unless it was begun or the save is over.
func (d *Draft) Begin() {
	if d.begun || d.ended || d.Write == nil {
		return
	}
	d.begun, d.busy = true, true
	d.elsewhere(d.Write, func(err error) {
		d.busy, d.err = false, err
		if d.end != nil {
			d.end()
		}
	})
}

// End says that the save is over. then gets whether the letter is there now, and
// why it could not be written or removed.
func (d *Draft) End(saved bool, then func(there bool, err error)) {
	d.ended = true
	finish := func() {
		there := d.begun && d.err == nil
		if saved && there {
			d.elsewhere(d.Remove, func(err error) { then(err != nil, err) })
			return
		}
		then(there, d.err)
	}
	if d.busy {
		d.end = finish
		return
	}
	finish()
}

// elsewhere does what takes a disk's time on a goroutine, which ends with it, and
// then comes back to the fiber, if the room is still there.
func (d *Draft) elsewhere(do func() error, then func(error)) {
	go func() {
		err := do()
		d.Enqueue(func() { then(err) })
	}()
}
