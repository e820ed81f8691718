//go:build linux

package shape

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/network/nettest"
)

// TestDeath kills the holder and waits for the first normal answer: the kernel takes the packets back at once.
func TestDeath(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	const soon = 50 * time.Millisecond
	here, _ := echoes(t)
	client := dial(t, here, "10.77.0.2:7000")
	l := line{Netns: here.Name, To: []string{"10.77.0.2:7000"}, Engine: Queue, Spec: Spec{Delay: 100 * time.Millisecond}}
	spec := faulttest.Spec(t, map[string]any{"line": l})
	var took []time.Duration
	for n := range 5 {
		dir := filepath.Join(t.TempDir(), "holds")
		id := fmt.Sprintf("f%d", n)
		h, err := faulttest.Launcher(kindsForTests(), dir).Hold(t.Context(), hold.Request{ID: id, NoPlaybook: "test", Fault: spec, Limit: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		pid := holderOf(t, dir, id)
		if d := trips(t, client, 1); len(d) == 0 || d[0] < l.Spec.Delay {
			t.Fatalf("held, and an answer takes %s", d)
		}
		began := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		took = append(took, normal(t, client, began))
		<-h.Done()
	}
	slices.Sort(took)
	t.Logf("from SIGKILL of the holder to the first normal answer: p50 %s, max %s", percentile(took, 50), percentile(took, 100))
	if p := percentile(took, 50); p > soon {
		t.Errorf("p50 is %s, want %s at most", p, soon)
	}
}

// TestLost: an engine that stops by itself says so, and the packets pass.
func TestLost(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, _ := echoes(t)
	client := dial(t, here, "10.77.0.2:7000")
	l := line{Netns: here.Name, To: []string{"10.77.0.2:7000"}, Engine: Queue, Spec: Spec{Delay: 100 * time.Millisecond}}
	h := l.confirmed(t)
	lost := h.target.(fault.Watched).Lost()
	select {
	case <-lost:
		t.Error("it is lost while it is held")
	default:
	}
	e := h.target.(*target).hand.(*queue).engine
	if _, err := unix.Write(e.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-lost:
	case <-time.After(5 * time.Second):
		t.Fatal("nobody is told")
	}
	normal(t, client, time.Now())
	h.revert(t)
}

// holderOf is the process that holds a fault.
func holderOf(t testing.TB, dir, id string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, id+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var rec struct{ Holder struct{ PID int } }
	if err := json.Unmarshal(b, &rec); err != nil || rec.Holder.PID < 2 {
		t.Fatalf("holder %d, %v", rec.Holder.PID, err)
	}
	return rec.Holder.PID
}

// normal waits for an answer that is not late, and says when it came. The last late one may come before it.
func normal(t testing.TB, c interface {
	Write([]byte) (int, error)
	Read([]byte) (int, error)
	SetReadDeadline(time.Time) error
}, began time.Time,
) time.Duration {
	t.Helper()
	b := make([]byte, 100)
	for n := 0; time.Since(began) < 2*time.Second; n++ {
		word := fmt.Sprint("after ", n)
		sent := time.Now()
		if _, err := c.Write([]byte(word)); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(sent.Add(2 * time.Millisecond))
		for {
			m, err := c.Read(b)
			if err != nil {
				break
			}
			if string(b[:m]) == word {
				return time.Since(began)
			}
		}
	}
	t.Fatal("it never became normal")
	return 0
}
