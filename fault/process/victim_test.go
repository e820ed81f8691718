package process

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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

// asVictim is what a copy of this test binary is called to be a process with many threads.
const asVictim = "belay-victim"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == asVictim {
		busy(os.Args[1])
	}
	faulttest.Main(m, Kinds(), fault.Workers{})
}

type object = map[string]any

// busy counts in a file that it has mapped, from threads that come and go all the time.
func busy(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	count := (*uint64)(unsafe.Pointer(&m[0]))
	var thread func(n int)
	thread = func(n int) {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		for range 50 {
			atomic.AddUint64(count, 1)
			time.Sleep(time.Duration(n) * 10 * time.Microsecond)
		}
		go thread(n)
	}
	for n := range 20 {
		go thread(n + 1)
	}
	for {
		time.Sleep(time.Hour)
	}
}

// manyThreads starts such a process, and returns it with its count.
func manyThreads(t testing.TB) (int, func() uint64) {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	exe, file := filepath.Join(dir, asVictim), filepath.Join(dir, "count")
	if err := os.WriteFile(exe, b, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, file, strings.Repeat("\x00", 8))
	count := func() uint64 {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return binary.NativeEndian.Uint64(b)
	}
	pid := foreign(t, exe, file)
	until(t, "it counts", func() bool { return count() > 1000 })
	return pid, count
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
	until(t, "it runs its program", func() bool {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		return err == nil && !strings.HasSuffix(exe, "sh") || name == "sh"
	})
	return pid
}

func run(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	return cmd
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

// state is the letter of ps; 0 for a process that has ended.
func state(pid int) byte {
	out, _ := exec.Command("ps", "-o", "stat=", "-p", fmt.Sprint(pid)).Output()
	s := strings.TrimSpace(string(out))
	if s == "" || s[0] == proc.Zombie || s[0] == proc.Dead {
		return 0
	}
	return s[0]
}

// plan plans a fault in this process.
func plan(t testing.TB, spec object) (fault.Target, fault.Plan, error) {
	t.Helper()
	target, err := Kinds().Decode(faulttest.Spec(t, object{"process": spec}))
	if err != nil {
		return nil, fault.Plan{}, err
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	return target, p, err
}
