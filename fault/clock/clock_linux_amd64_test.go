package clock

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/proc"
)

// asVictim is what a copy of this test binary is called to be a process with a clock.
const asVictim = "belay-clock-victim"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == asVictim {
		tell(os.Args[1], os.Args[2])
	}
	faulttest.Main(m, Kinds(), fault.Workers{})
}

type object = map[string]any

// told is what a victim tells of its clock, in a file that it has mapped.
type told struct {
	N    uint64 // how often it has looked
	Wall int64  // Unix nanoseconds
	Mono int64  // since it began
	Late int64  // the worst that a timer of a millisecond took
}

func mapped(path string) *told {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	m, err := syscall.Mmap(int(f.Fd()), 0, int(unsafe.Sizeof(told{})), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*told)(unsafe.Pointer(&m[0]))
}

// tell looks at the clock all the time, from many threads, and tells what one of them sees. With "busy" every thread
// asks as fast as it can.
func tell(path, how string) {
	m := mapped(path)
	if how == "busy" {
		for range 16 {
			go func() {
				for {
					_ = time.Now()
				}
			}()
		}
	}
	began := time.Now()
	for {
		before := time.Now()
		time.Sleep(time.Millisecond)
		now := time.Now()
		atomic.StoreInt64(&m.Wall, now.UnixNano())
		atomic.StoreInt64(&m.Mono, int64(now.Sub(began)))
		atomic.StoreInt64(&m.Late, max(atomic.LoadInt64(&m.Late), int64(now.Sub(before))))
		atomic.AddUint64(&m.N, 1)
	}
}

// victim is a running one.
type victim struct {
	t   testing.TB
	pid int
	m   *told
}

// program is a copy of this binary, which is not the program of the holder.
func program(t testing.TB) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(t.TempDir(), asVictim)
	if err := os.WriteFile(exe, self, 0o700); err != nil {
		t.Fatal(err)
	}
	return exe
}

func start(t testing.TB, how string) *victim {
	t.Helper()
	file := filepath.Join(t.TempDir(), "told")
	write(t, file, strings.Repeat("\x00", int(unsafe.Sizeof(told{}))))
	v := &victim{t: t, m: mapped(file)}
	v.pid = foreign(t, program(t), file, how)
	until(t, "it tells its time", func() bool { return atomic.LoadUint64(&v.m.N) > 3 })
	return v
}

// ahead is how far its clock is ahead of ours, seen by itself, after this call began.
func (v *victim) ahead() (time.Duration, bool) {
	n := atomic.LoadUint64(&v.m.N)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end) && runs(v.pid); time.Sleep(500 * time.Microsecond) {
		if atomic.LoadUint64(&v.m.N) > n+2 {
			return time.Until(time.Unix(0, atomic.LoadInt64(&v.m.Wall))), true
		}
	}
	return 0, false
}

func (v *victim) end() {
	_ = syscall.Kill(v.pid, syscall.SIGKILL)
	until(v.t, "it has ended", func() bool { return !runs(v.pid) })
}

func runs(pid int) bool {
	i, err := proc.Look(pid)
	return err == nil && !i.Over()
}

// foreign starts a process that is not a child of this one: nobody may wait for a child that he traces too.
func foreign(t testing.TB, name string, args ...string) int {
	t.Helper()
	out, err := exec.Command("sh", append([]string{"-c", `"$@" >/dev/null 2>&1 & echo $!`, "sh", name}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	return pid
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestConformance(t *testing.T) {
	t.Run("clock", func(t *testing.T) {
		t.Parallel()
		faulttest.Run(t, rig)
	})
}

func rig(t testing.TB) faulttest.Rig {
	file := filepath.Join(t.TempDir(), "app.pid")
	begin := func() *victim {
		v := start(t, "idle")
		write(t, file, fmt.Sprintln(v.pid))
		return v
	}
	v := begin()
	var next *victim
	shifted := func(v *victim) bool { d, ok := v.ahead(); return ok && d.Abs() > time.Hour }
	return faulttest.Rig{
		Kinds: Kinds(), Spec: faulttest.Spec(t, object{"clock": object{"pid_file": file, "shift": "-26h"}}),
		Broken: func() bool { return shifted(v) },
		Remove: v.end,
		Change: func() { v.end(); next = begin() },
		Intact: func() bool { d, ok := next.ahead(); return ok && d.Abs() < time.Minute },
	}
}

// held is a fault that this process made.
type held struct {
	t      *testing.T
	target fault.Target
	undo   json.RawMessage
}

func inject(t *testing.T, pid int, shift string) held {
	t.Helper()
	h, err := plan(t, object{"pid": pid, "shift": shift})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.target.Inject(t.Context(), h.undo, nil); err != nil {
		t.Fatal(err)
	}
	return h
}

func plan(t *testing.T, config object) (held, error) {
	t.Helper()
	target, err := Kinds().Decode(faulttest.Spec(t, object{"clock": config}))
	if err != nil {
		return held{}, err
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	return held{t, target, p.Undo}, err
}

func (h held) confirm() string {
	h.t.Helper()
	seen, err := h.target.Confirm(h.t.Context(), h.undo)
	if err != nil {
		h.t.Fatal(err)
	}
	return seen
}

func (h held) revert() fault.Outcome {
	h.t.Helper()
	out, err := h.target.Revert(h.t.Context(), h.undo, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if left, err := h.target.Residue(h.t.Context(), h.undo); err != nil || len(left) > 0 {
		h.t.Fatalf("residue: %v, %v", left, err)
	}
	return out
}

// TestAccuracy shifts a Go process with idle and with busy threads, both ways and far, and takes it back exactly.
func TestAccuracy(t *testing.T) {
	for _, how := range []string{"idle", "busy"} {
		v := start(t, how)
		vdso := func() string {
			a, err := findArea(v.pid)
			if err != nil {
				t.Fatal(err)
			}
			b, err := readMemory(v.pid, a.From, int(a.To-a.From))
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		before := vdso()
		for _, shift := range []string{"+24h", "-90s", "1s", "-87840h", "+87840h"} {
			want, _ := time.ParseDuration(shift)
			mono, wall := atomic.LoadInt64(&v.m.Mono), time.Now()
			h := inject(t, v.pid, shift)
			seen := h.confirm()
			if !strings.Contains(seen, "asked for the time") {
				t.Errorf("%s: confirmed by %q", how, seen)
			}
			t.Log(seen)
			got, ok := v.ahead()
			if !ok || (got-want).Abs() > 200*time.Millisecond {
				t.Errorf("%s: asked for %s, got %s (%v)", how, shift, got, ok)
			}
			if passed, real := time.Duration(atomic.LoadInt64(&v.m.Mono)-mono), time.Since(wall); (passed - real).Abs() > time.Second {
				t.Errorf("%s: its monotonic clock moved %s in %s", how, passed, real)
			}
			if out := h.revert(); len(out.Superseded) > 0 {
				t.Errorf("%s: %+v", how, out)
			}
			if got, ok := v.ahead(); !ok || got.Abs() > 200*time.Millisecond {
				t.Errorf("%s: after the revert it is %s (%v) from ours", how, got, ok)
			}
			if vdso() != before {
				t.Errorf("%s: its vDSO is not what it was", how)
			}
		}
		t.Logf("%s: the worst timer of 1 ms took %s", how, time.Duration(atomic.LoadInt64(&v.m.Late)))
		v.end()
	}
}

// TestManyTimes patches a busy process again and again: no thread may ever run into half of a change.
func TestManyTimes(t *testing.T) {
	v := start(t, "busy")
	rounds := 10
	if os.Getenv("BELAY_TORTURE") != "" {
		rounds = 2000
	}
	for range rounds {
		h := inject(t, v.pid, "+1h")
		h.confirm()
		h.revert()
	}
	if _, ok := v.ahead(); !ok {
		t.Error("it does not run any more")
	}
}
