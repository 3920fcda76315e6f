package store

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// BenchmarkSave saves 10 000 rooms with states of 2 KB by the way that rooms use:
// queue, workers, database. ns/op is per room.
func BenchmarkSave(b *testing.B) {
	redis := miniredis.NewMiniRedis()
	if err := redis.Start(); err != nil {
		b.Fatal(err)
	}
	defer redis.Close()
	for name, setting := range map[string]string{"bolt": "bolt:" + b.TempDir(), "redis": "redis://" + redis.Addr()} {
		b.Run(name, func(b *testing.B) {
			s, err := acquire(setting)
			if err != nil {
				b.Fatal(err)
			}
			defer s.release()
			state := make([]byte, 2048)
			var done sync.WaitGroup
			version := time.Now().UnixMilli()
			slots := make(chan struct{}, 200)
			for n := 0; b.Loop(); n++ {
				key := fmt.Sprint("room", n%10000)
				saved := Saved{Version: version + int64(n), Expires: time.Now().Add(time.Hour), State: state}
				slots <- struct{}{}
				done.Add(1)
				err := s.do(key, len(state), time.Minute, func(ctx context.Context, st Store, err error) {
					defer done.Done()
					if err == nil {
						err = st.Save(ctx, key, saved)
					}
					if err != nil {
						b.Error(err)
					}
					<-slots
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			done.Wait()
		})
	}
}
