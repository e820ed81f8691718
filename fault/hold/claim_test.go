package hold_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/targets"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/hold"
)

func lost(t *testing.T, path string) hold.Request {
	t.Helper()
	return hold.Request{NoPlaybook: "test", Limit: time.Minute, Fault: faulttest.Spec(t, map[string]any{"file": map[string]any{"lost": path}})}
}

// TestOneFaultPerTarget refuses a second fault on what another one has, below it and above it, and allows it afterwards.
func TestOneFaultPerTarget(t *testing.T) {
	path, dir := place(t), filepath.Join(t.TempDir(), "holds")
	l := faulttest.Launcher(targets.Host(), dir)
	corrupt := func(path string) hold.Request {
		return hold.Request{NoPlaybook: "test", Limit: time.Minute, Fault: faulttest.Spec(t, map[string]any{"file": map[string]any{"corrupt": map[string]any{"path": path, "bytes": 1}}})}
	}
	first, err := l.Hold(t.Context(), corrupt(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []hold.Request{corrupt(path), lost(t, path), lost(t, filepath.Dir(path))} {
		if _, err := l.Hold(t.Context(), r); !errors.Is(err, hold.ErrRefused) || !strings.Contains(err.Error(), first.Status().ID) {
			t.Errorf("%s: %v, want a refusal that names the fault", r.Fault.Config, err)
		}
	}
	if _, err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, err := l.Hold(t.Context(), lost(t, filepath.Dir(path)))
	if err != nil {
		t.Fatalf("after its end: %v", err)
	}
	if _, err := second.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestClaimAtOnce starts many holders of one file at the same time: exactly one may have it.
func TestClaimAtOnce(t *testing.T) {
	path, dir := place(t), filepath.Join(t.TempDir(), "holds")
	r := hold.Request{NoPlaybook: "test", Limit: time.Minute, Fault: faulttest.Spec(t, map[string]any{"file": map[string]any{"corrupt": map[string]any{"path": path, "bytes": 1}}})}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var held []*hold.Held
	for range 8 {
		wg.Go(func() {
			h, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), r)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				held = append(held, h)
			} else if !errors.Is(err, hold.ErrRefused) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(held) != 1 {
		t.Errorf("%d faults are held on one file, want 1", len(held))
	}
	for _, h := range held {
		if _, err := h.Release(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(path); string(b) != "original" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

// TestSweepBeforeHold proves that a holder started alone takes back what a power loss left, and then has the target.
func TestSweepBeforeHold(t *testing.T) {
	path, dir := place(t), filepath.Join(t.TempDir(), "holds")
	leave(t, dir, path)
	h, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), lost(t, path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(path); string(b) != "original" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

// leave makes a held fault whose processes are all gone, as a power loss does: the record and the moved file.
func leave(t *testing.T, dir, path string) {
	t.Helper()
	h, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), func() hold.Request { r := lost(t, path); r.ID = "left"; return r }())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "left.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	stash := filepath.Join(filepath.Dir(path), ".file.belay-left")
	if err := os.Rename(path, stash); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "left.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDiscard keeps the original beside a recovery until a person asks for its end, and deletes nothing else.
func TestDiscard(t *testing.T) {
	path, dir := place(t), filepath.Join(t.TempDir(), "holds")
	r := lost(t, path)
	r.ID = "f1"
	h, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hold.Discard(t.Context(), targets.Host(), dir, "f1"); !errors.Is(err, hold.ErrRefused) {
		t.Errorf("discard while it is held: %v, want a refusal", err)
	}
	if err := os.WriteFile(path, []byte("recovered"), 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := h.Release(t.Context())
	stash := filepath.Join(filepath.Dir(path), ".file.belay-f1")
	if err != nil || st.State != fault.Superseded || len(st.Kept) != 1 || st.Kept[0] != stash {
		t.Fatalf("%+v, %v", st, err)
	}
	if all, err := hold.List(dir); err != nil || len(all) != 1 || len(all[0].Kept) != 1 {
		t.Errorf("list: %+v, %v", all, err)
	}
	// Something else in its place is never deleted.
	if err := errors.Join(os.Rename(stash, stash+".mine"), os.WriteFile(stash, []byte("foreign"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if st, err := hold.Discard(t.Context(), targets.Host(), dir, "f1"); err == nil || len(st.Kept) != 1 {
		t.Errorf("discard of a foreign file: %+v, %v", st, err)
	}
	if b, _ := os.ReadFile(stash); string(b) != "foreign" {
		t.Fatalf("the foreign file is %q", b)
	}
	if err := os.Rename(stash+".mine", stash); err != nil {
		t.Fatal(err)
	}
	st, err = hold.Discard(t.Context(), targets.Host(), dir, "f1")
	if err != nil || len(st.Kept) != 0 || len(st.Discarded) != 1 {
		t.Errorf("discard: %+v, %v", st, err)
	}
	if _, err := os.Lstat(stash); !os.IsNotExist(err) {
		t.Errorf("the original is still there: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "recovered" {
		t.Errorf("the recovery is %q", b)
	}
	if st, err := hold.Discard(t.Context(), targets.Host(), dir, "f1"); err != nil || len(st.Kept) != 0 {
		t.Errorf("a second time: %+v, %v", st, err)
	}
}

// TestRecordTakenAway removes the undo directory while a fault is held, and kills the holder: the reaper remembers.
func TestRecordTakenAway(t *testing.T) {
	path, dir := place(t), filepath.Join(t.TempDir(), "holds")
	h, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), lost(t, path))
	if err != nil {
		t.Fatal(err)
	}
	pid := holderPID(t, dir, h.Status().ID)
	time.Sleep(250 * time.Millisecond) // the reaper looks ten times a second
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	kill(t, pid)
	for end := time.Now().Add(time.Second); ; time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(path); err == nil && string(b) == "original" {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the file is not back within a second")
		}
	}
}

// TestRecordTakenAwayFirst removes the undo directory under a fault that would save its progress before it is taken back.
func TestRecordTakenAwayFirst(t *testing.T) {
	path, dir := place(t), filepath.Join(t.TempDir(), "holds")
	r := hold.Request{NoPlaybook: "test", Limit: time.Minute, Fault: faulttest.Spec(t, map[string]any{"file": map[string]any{"read_only": path}})}
	h, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	_, _ = h.Release(t.Context()) // whatever it can say of a fault without a record
	if err := os.WriteFile(path, []byte("written"), 0o600); err != nil {
		t.Errorf("the file is still read-only: %v", err)
	}
}

// TestLockTakenAway removes the lock's file while a fault is held: a sweep must leave the living holder alone.
func TestLockTakenAway(t *testing.T) {
	path, dir := place(t), filepath.Join(t.TempDir(), "holds")
	h, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), lost(t, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, h.Status().ID+".lock")); err != nil {
		t.Fatal(err)
	}
	if swept, err := hold.Sweep(t.Context(), targets.Host(), dir); err != nil || len(swept) > 0 {
		t.Errorf("sweep took a held fault: %+v, %v", swept, err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is back: %v", err)
	}
	if st, err := h.Release(t.Context()); err != nil || st.State != fault.Reverted {
		t.Errorf("release: %+v, %v", st, err)
	}
}

// TestKeptIsGone forgets what was kept in a place that somebody has removed as a whole.
func TestKeptIsGone(t *testing.T) {
	path, dir := place(t), filepath.Join(t.TempDir(), "holds")
	h, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), lost(t, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("recovered"), 0o600); err != nil {
		t.Fatal(err)
	}
	if st, err := h.Release(t.Context()); err != nil || len(st.Kept) != 1 {
		t.Fatalf("%+v, %v", st, err)
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if all, err := hold.List(dir); err != nil || len(all) != 1 || len(all[0].Kept) != 0 {
		t.Errorf("list: %+v, %v", all, err)
	}
}

// TestStoppedHolder stops the holder, long before its limit: it could not see its input end, so its reaper ends the fault.
func TestStoppedHolder(t *testing.T) {
	path, dir := place(t), filepath.Join(t.TempDir(), "holds")
	h, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), lost(t, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(holderPID(t, dir, h.Status().ID), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	select {
	case <-h.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the fault lives although its holder is stopped")
	}
	if st := h.Status(); st.State != fault.Reverted || st.Cause != "reaper" {
		t.Errorf("%+v", st)
	}
	if b, err := os.ReadFile(path); string(b) != "original" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

// TestOneRevertAtOnce kills the holder in the middle of a revert command: the reaper ends that one before it runs it again.
func TestOneRevertAtOnce(t *testing.T) {
	top, dir := t.TempDir(), filepath.Join(t.TempDir(), "holds")
	mark, log := filepath.Join(top, "mark"), filepath.Join(top, "log")
	r := hold.Request{NoPlaybook: "test", Limit: time.Minute, Fault: faulttest.Spec(t, map[string]any{"command": map[string]any{
		"inject": []string{"touch", mark}, "confirm": []string{"test", "-e", mark},
		"revert": []string{"sh", "-c", `echo begin >> "$1"; sleep 1; rm -f "$2"; echo end >> "$1"`, "sh", log, mark},
	}})}
	h, err := faulttest.Launcher(targets.Host(), dir).Hold(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	pid := holderPID(t, dir, h.Status().ID)
	go func() { _, _ = h.Release(t.Context()) }()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if _, err := os.Stat(log); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the revert does not begin")
		}
	}
	kill(t, pid)
	<-h.Done()
	time.Sleep(1200 * time.Millisecond) // longer than the first revert would have taken
	if b, err := os.ReadFile(log); string(b) != "begin\nbegin\nend\n" {
		t.Errorf("the reverts ran %q, %v", b, err)
	}
	if st := h.Status(); st.State != fault.Reverted {
		t.Errorf("%+v", st)
	}
}
