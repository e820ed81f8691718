package remote_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/sshtest"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/remote"
	"github.com/belay-dr/belay/fault/targets"
)

func kinds() fault.Kinds { return fault.Together(targets.Host(), remote.Kinds(targets.Host())) }

func TestMain(m *testing.M) { faulttest.Main(m, kinds(), targets.Workers()) }

type object = map[string]any

// connect starts a server, and builds the program that is put on it.
func connect(t *testing.T) *sshtest.Server {
	t.Helper()
	s := sshtest.Start(t)
	if s == nil {
		return nil
	}
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "belay-hold-linux-"+runtime.GOARCH), "github.com/belay-dr/belay/cmd/belay-hold")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("BELAY_HOLD_DIR", dir)
	t.Setenv("BELAY_SSH", s.SSH)
	return s
}

// victim is a process that can be stopped. Both hosts share their processes; only the network is apart.
func victim(t testing.TB) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func stopped(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, found := bytes.Cut(b, []byte(") "))
	return err == nil && found && rest[0] == 'T'
}

func spec(t testing.TB, where string, pid int) fault.Spec {
	return faulttest.Spec(t, object{"remote": object{"where": where, "fault": object{"process": object{"stop": object{"pid": pid}}}}})
}

// nothingLeft fails when a holder program is still on the host. One that was put there by somebody who then died is removed by
// the host itself, soon.
func nothingLeft(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var all []string
		for _, place := range []string{"/run", "/dev/shm", "/tmp", "/var/tmp", os.Getenv("HOME")} {
			found, _ := filepath.Glob(filepath.Join(place, "belay-hold-f1*"))
			all = append(all, found...)
		}
		if len(all) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left on the host: %v", all)
		}
	}
}

func TestConformance(t *testing.T) {
	s := connect(t)
	if s == nil {
		return
	}
	faulttest.Run(t, func(t testing.TB) faulttest.Rig {
		if err := os.RemoveAll(s.Holds); err != nil {
			t.Fatal(err)
		}
		v := victim(t)
		pid := v.Process.Pid
		t.Cleanup(func() { nothingLeft(t) })
		return faulttest.Rig{
			Kinds: kinds(), Spec: spec(t, s.Where, pid), Within: 40 * time.Second,
			// All three on this host may be dead: the other one notices by itself.
			KernelEnds: true,
			Broken:     func() bool { return stopped(pid) },
			Change:     func() { _ = v.Process.Kill(); _ = v.Wait() },
			Intact:     func() bool { return !stopped(pid) },
			Remove:     func() { _ = v.Process.Kill(); _ = v.Wait() },
		}
	})
}

// TestSilence drops the network without a word, while the fault is held: it ends there by its lease, nobody here says that it
// has ended before that was seen, and the next command settles it.
func TestSilence(t *testing.T) {
	s := connect(t)
	if s == nil {
		return
	}
	pid := victim(t).Process.Pid
	dir := filepath.Join(t.TempDir(), "holds")
	r := hold.Request{ID: "f1", NoPlaybook: "test", Fault: spec(t, s.Where, pid), Limit: 2 * time.Minute}
	h, err := faulttest.Launcher(kinds(), dir).Hold(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = h.Release(context.Background()) })
	if !stopped(pid) {
		t.Fatal("it is held, and the process runs")
	}
	back := s.Silence(t)
	began := time.Now()
	for stopped(pid) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the network is silent, and the fault lives on")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("silence to end of the fault: %s (three beats are %s)", time.Since(began).Round(time.Millisecond), 3*remote.DefaultBeat)
	if st := h.Status(); st.State == fault.Reverted {
		t.Error("it is called reverted, and nobody can have seen that")
	}
	back()
	<-h.Done()
	st, err := h.Release(t.Context())
	if err != nil || st.State != fault.Reverted {
		t.Errorf("after the network is back: %+v, %v", st, err)
	}
	nothingLeft(t)
}

func TestRefusals(t *testing.T) {
	s := connect(t)
	if s == nil {
		return
	}
	gone := victim(t)
	_ = gone.Process.Kill()
	_ = gone.Wait()
	pid := victim(t).Process.Pid
	empty := t.TempDir()
	for name, c := range map[string]struct {
		spec fault.Spec
		dir  string
		want string
	}{
		"dead process":      {spec(t, s.Where, gone.Process.Pid), "", "does not run"},
		"unknown host":      {spec(t, "ssh://root@10.111.22.9", pid), "", "host cannot be reached by ssh"},
		"nobody listens":    {spec(t, "ssh://root@10.111.22.2", pid), "", "host cannot be reached by ssh"},
		"no program for it": {spec(t, s.Where, pid), empty, "no holder program for linux/" + runtime.GOARCH},
	} {
		t.Run(name, func(t *testing.T) {
			if c.dir != "" {
				t.Setenv("BELAY_HOLD_DIR", c.dir)
			}
			dir := filepath.Join(t.TempDir(), "holds")
			_, err := faulttest.Launcher(kinds(), dir).Hold(t.Context(), hold.Request{ID: "f1", NoPlaybook: "test", Fault: c.spec, Limit: time.Minute})
			if !errors.Is(err, hold.ErrRefused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want refused with %q", err, c.want)
			}
			if stopped(pid) {
				t.Error("something was changed")
			}
			nothingLeft(t)
		})
	}
}

func TestCheckConfig(t *testing.T) {
	for name, c := range map[string]struct {
		config object
		want   string
	}{
		"no place":     {object{"fault": object{"process": object{"stop": object{"pid": 77}}}}, "where: is missing"},
		"not ssh":      {object{"where": "http://x", "fault": object{"process": object{"stop": object{"pid": 77}}}}, "where: must begin with ssh://"},
		"an option":    {object{"where": "ssh://-oProxyCommand=x", "fault": object{"process": object{"stop": object{"pid": 77}}}}, "user and host must be plain names"},
		"a password":   {object{"where": "ssh://u:secret@h", "fault": object{"process": object{"stop": object{"pid": 77}}}}, "a password does not belong"},
		"wrong inside": {object{"where": "ssh://h", "fault": object{"process": object{"stop": object{"pid": 1}}}}, "fault: fault process: stop.pid: must be above 1"},
		"unknown":      {object{"where": "ssh://h", "fault": object{"aws": object{}}}, `fault: "aws" is not made on another host: leave where out, or take one of clock, `},
		"twice":        {object{"where": "ssh://h", "fault": object{"remote": object{"where": "ssh://h"}}}, "fault: is on another host already"},
	} {
		_, err := kinds().Decode(faulttest.Spec(t, object{"remote": c.config}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

// TestNotRevertedThere injects half a fault there that cannot be taken back: nobody here may call it ended, although its effect was
// never confirmed.
func TestNotRevertedThere(t *testing.T) {
	s := connect(t)
	if s == nil {
		return
	}
	mark, allow := filepath.Join(t.TempDir(), "mark"), filepath.Join(t.TempDir(), "allow")
	r := hold.Request{ID: "f1", NoPlaybook: "test", Limit: time.Minute, Fault: faulttest.Spec(t, object{"remote": object{"where": s.Where, "fault": object{"command": object{
		"inject": []string{"sh", "-c", `touch "$1"; exit 1`, "sh", mark}, "confirm": []string{"test", "-e", mark},
		"revert": []string{"sh", "-c", `test -e "$1" && rm -f "$2"`, "sh", allow, mark},
	}}}})}
	dir := filepath.Join(t.TempDir(), "holds")
	_, err := faulttest.Launcher(kinds(), dir).Hold(t.Context(), r)
	if !errors.Is(err, fault.ErrNotReverted) {
		t.Errorf("%v, want that it is not reverted", err)
	}
	if st, _, err := hold.Find(dir, "f1"); err != nil || st.State != fault.Failed {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(allow, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	swept, err := hold.Sweep(t.Context(), kinds(), dir)
	if err != nil || len(swept) != 1 {
		t.Errorf("sweep, once it can be taken back: %+v, %v", swept, err)
	}
	if _, err := os.Stat(mark); !os.IsNotExist(err) {
		t.Errorf("the fault is still there: %v", err)
	}
	nothingLeft(t)
}
