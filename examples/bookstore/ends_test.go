package bookstore

import (
	"context"
	"os"
	"testing"
	"time"
)

// ends waits until no process of the Bookstore in dir is left.
func ends(t *testing.T, info *Info) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for isSupervised(layout(info.Dir)) {
		if time.Now().After(deadline) {
			t.Fatal("the supervisor is still there")
		}
		time.Sleep(5 * time.Millisecond)
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	if err := waitGone(ctx, info); err != nil {
		t.Fatal(err)
	}
}

// TestUpInterrupted cancels Up at different moments: nothing that it started may be left.
func TestUpInterrupted(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond, 120 * time.Millisecond, 250 * time.Millisecond} {
		dir := t.TempDir()
		t.Cleanup(func() { Down(context.Background(), dir) })
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, err := Up(ctx, Options{Dir: dir, Exe: []string{exe}, Delay: time.Minute})
		cancel()
		if err == nil {
			t.Fatalf("after %v: Up says that a component is healthy which takes a minute", after)
		}
		if info, err := ReadInfo(dir); err == nil {
			ends(t, info)
		}
	}
}

// TestTethered lets go of the Bookstore, as the end of the process that started it does.
func TestTethered(t *testing.T) {
	s := startShopIn(t, t.TempDir(), Options{Tethered: true})
	if err := s.info.tether.Close(); err != nil {
		t.Fatal(err)
	}
	ends(t, s.info)
}
