package lobby

// await is somebody who waits for word of a user or of a room.
type await struct {
	key awaitKey
	fn  func()
}

// awaitKey has one of the two.
type awaitKey struct{ user, room string }

// AwaitUser calls fn once, from within the method that takes the word, when
// anything changes about a room that the user is in or was: what Seated says may be
// otherwise then. fn must not call methods of App. Calling cancel calls it off.
func (a *App) AwaitUser(id string, fn func()) (cancel func()) {
	return a.await(awaitKey{user: id}, fn)
}

// AwaitRoom is AwaitUser for all that changes about a room, its end as well, and
// what Ending says.
func (a *App) AwaitRoom(name string, fn func()) (cancel func()) {
	return a.await(awaitKey{room: name}, fn)
}

func (a *App) await(key awaitKey, fn func()) (cancel func()) {
	w := &await{key, fn}
	if a.awaits[key] == nil {
		a.awaits[key] = map[*await]struct{}{}
	}
	a.awaits[key][w] = struct{}{}
	return func() {
		delete(a.awaits[key], w)
		if len(a.awaits[key]) == 0 {
			delete(a.awaits, key)
		}
	}
}

// tell wakes those who wait for word of a room, or of one of the users that were
// in it before the change.
func (a *App) tell(r *room, before []string) {
	if len(a.awaits) == 0 {
		return
	}
	a.wake(awaitKey{room: r.name})
	for _, id := range before {
		a.wake(awaitKey{user: id})
	}
}

func (a *App) wake(key awaitKey) {
	woken := a.awaits[key]
	delete(a.awaits, key)
	for w := range woken {
		w.fn()
	}
}
