package store

import (
	"context"
	"sync"
	"time"
)

// shared is a store that the rooms of this process have in common. It is open
// while any of them needs it, and linger longer.
type shared struct {
	setting string
	open    func() (Store, error)
	queue   queue

	// opening is held by the worker that opens the store, and guards the next two:
	// why it could not, and until when nobody tries again.
	opening sync.Mutex
	failed  error
	again   time.Time

	mu    sync.Mutex // guards the rest
	users int        // rooms and requests
	store Store
	idle  *time.Timer
}

const (
	linger    = 10 * time.Second
	openPause = time.Second
)

// stores are the shared stores by setting.
var stores = struct {
	sync.Mutex
	m map[string]*shared
}{m: map[string]*shared{}}

// acquire returns the store of a setting, which need not be there yet: its errors
// come from requests. Each acquire is followed by one release.
func acquire(setting string) (*shared, error) {
	stores.Lock()
	defer stores.Unlock()
	s := stores.m[setting]
	if s == nil {
		open, err := parseStore(setting)
		if err != nil {
			return nil, err
		}
		s = &shared{setting: setting, open: open}
		stores.m[setting] = s
	}
	s.use()
	return s, nil
}

func (s *shared) use() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
	if s.idle != nil {
		s.idle.Stop()
		s.idle = nil
	}
}

// release says that the caller is done.
func (s *shared) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		s.idle = time.AfterFunc(linger, s.closeIdle)
	}
}

func (s *shared) closeIdle() {
	stores.Lock()
	defer stores.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users > 0 {
		return
	}
	if stores.m[s.setting] == s {
		delete(stores.m, s.setting)
	}
	if s.store != nil {
		_ = s.store.Close()
		s.store = nil
	}
}

// do queues a request. f gets the store, or why there is none, on another
// goroutine. size is what the request keeps in memory.
func (s *shared) do(key string, size int, timeout time.Duration, f func(context.Context, Store, error)) error {
	s.use()
	err := s.queue.add(key, size, func() {
		defer s.release()
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		store, err := s.opened()
		f(ctx, store, err)
	})
	if err != nil {
		s.release()
	}
	return err
}

// opened opens the store if it is not.
func (s *shared) opened() (Store, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.mu.Lock()
	store := s.store
	s.mu.Unlock()
	if store != nil {
		return store, nil
	}
	if s.failed != nil && time.Now().Before(s.again) {
		return nil, s.failed
	}
	store, err := s.open()
	if err != nil {
		s.failed, s.again = err, time.Now().Add(openPause)
		return nil, err
	}
	s.mu.Lock()
	s.store = store
	s.mu.Unlock()
	return store, nil
}
