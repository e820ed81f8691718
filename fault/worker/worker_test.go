package worker_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/fault/worker"
)

// TestMain makes this binary a worker, or a holder that starts one and says its process ID.
func TestMain(m *testing.M) {
	n := len(os.Args)
	switch {
	case n > 2 && os.Args[n-2] == "work":
		os.Exit(hold.Process{Workers: workers(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}.Run(os.Args[n-2:]))
	case n > 2 && os.Args[1] == "holder":
		p, err := worker.Start(os.Args[2], map[string]int{"number": 7}, nil, 5*time.Second)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.PID())
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

func workers() fault.Workers {
	return fault.Workers{
		// good does as it should.
		"good": func(in io.Reader, out io.Writer) error {
			var config struct{ Number int }
			rest, err := worker.Read(in, &config)
			if err != nil || config.Number != 7 {
				return fmt.Errorf("the config is %+v, %w", config, err)
			}
			if err := worker.Ready(out); err != nil {
				return err
			}
			fmt.Fprintln(out, "working")
			<-worker.Ended(rest)
			return nil
		},
		// told begins when it is told to.
		"told": func(in io.Reader, out io.Writer) error {
			rest, err := worker.Read(in, new(any))
			if err != nil {
				return err
			}
			if err := worker.Ready(out); err != nil || !worker.Told(rest) {
				return err
			}
			fmt.Fprintln(out, "told")
			<-worker.Ended(rest)
			return nil
		},
		// deaf never looks at its input and ignores all that can be ignored.
		"deaf": func(_ io.Reader, out io.Writer) error {
			signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
			_ = worker.Ready(out)
			time.Sleep(time.Hour)
			return nil
		},
		// burning keeps every processor busy while it looks.
		"burning": func(in io.Reader, out io.Writer) error {
			for range runtime.NumCPU() {
				go func() {
					runtime.LockOSThread()
					for n := uint64(1); n > 0; n += 2 { // for ever
					}
				}()
			}
			_ = worker.Ready(out)
			<-worker.Ended(in)
			return nil
		},
		"mute":  func(in io.Reader, _ io.Writer) error { <-worker.Ended(in); return nil },
		"wordy": func(_ io.Reader, out io.Writer) error { fmt.Fprintln(out, "hello"); return nil },
		"ill":   func(io.Reader, io.Writer) error { return errors.New("there is no memory") },
	}
}

func over(pid int) bool {
	i, err := proc.Look(pid)
	return errors.Is(err, proc.ErrGone) || err == nil && i.Over()
}

func within(t *testing.T, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

func TestStartAndStop(t *testing.T) {
	var prepared int
	p, err := worker.Start("good", map[string]int{"number": 7}, func(pid int) error { prepared = pid; return nil }, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if prepared != p.PID() || over(p.PID()) {
		t.Errorf("process %d was prepared, and %d runs", prepared, p.PID())
	}
	if line := <-p.Lines(); line != "working" {
		t.Errorf("it says %q", line)
	}
	p.Stop()
	p.Stop()
	<-p.Done()
	if !over(p.PID()) || p.Err() != nil {
		t.Errorf("after its stop: over %v, %v", over(p.PID()), p.Err())
	}
}

func TestTell(t *testing.T) {
	p, err := worker.Start("told", nil, nil, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	select {
	case line := <-p.Lines():
		t.Fatalf("it says %q before it is told", line)
	case <-time.After(20 * time.Millisecond):
	}
	if err := p.Tell("go"); err != nil {
		t.Fatal(err)
	}
	if line := <-p.Lines(); line != "told" {
		t.Errorf("it says %q", line)
	}
}

func TestDeafWorkerIsKilled(t *testing.T) {
	p, err := worker.Start("deaf", nil, nil, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p.Stop()
	if took := time.Since(began); !over(p.PID()) || took > 3*time.Second {
		t.Errorf("over %v after %s", over(p.PID()), took)
	}
}

func TestDoesNotBegin(t *testing.T) {
	for _, c := range []struct {
		name  string
		bound time.Duration
		want  string
	}{
		{"mute", 200 * time.Millisecond, "start worker mute: it did not begin within 200ms"},
		{"wordy", 10 * time.Second, "start worker wordy: it did not begin"},
		{"ill", 10 * time.Second, "there is no memory"},
		{"none", 10 * time.Second, `no worker "none": there are burning, deaf, good, ill, mute, told, wordy`},
	} {
		var pid int
		_, err := worker.Start(c.name, nil, func(p int) error { pid = p; return nil }, c.bound)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		if !over(pid) {
			t.Errorf("%s: it still runs", c.name)
		}
	}
	var pid int
	_, err := worker.Start("good", nil, func(p int) error { pid = p; return errors.New("no such cgroup") }, time.Second)
	if err == nil || !strings.Contains(err.Error(), "no such cgroup") || !over(pid) {
		t.Errorf("it cannot be prepared: %v, over %v", err, over(pid))
	}
}

// TestNeverOutlivesItsHolder kills holders, running and frozen, and workers that listen, do not listen, are busy, or are frozen
// themselves.
func TestNeverOutlivesItsHolder(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"good", "deaf", "burning"} {
		if name == "deaf" && runtime.GOOS != "linux" {
			continue // only the pipe ends it there
		}
		for _, frozen := range []string{"", "holder", "worker"} {
			if frozen == "worker" && runtime.GOOS != "linux" {
				continue
			}
			t.Run(name+"/"+frozen, func(t *testing.T) {
				cmd := exec.Command(exe, "holder", name)
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				defer cmd.Wait()
				defer cmd.Process.Kill()
				line, _ := bufio.NewReader(out).ReadString('\n')
				pid, err := strconv.Atoi(strings.TrimSpace(line))
				if err != nil {
					t.Fatalf("the holder says %q", line)
				}
				switch frozen {
				case "holder":
					_ = cmd.Process.Signal(syscall.SIGSTOP)
					if over(pid) {
						t.Error("a frozen holder is no end")
					}
				case "worker":
					_ = syscall.Kill(pid, syscall.SIGSTOP)
				}
				if over(pid) {
					t.Fatal("it is over before its holder died: this test tests nothing")
				}
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				took := within(t, time.Second, "the worker is over", func() bool { return over(pid) })
				t.Logf("over %s after its holder was killed", took.Round(100*time.Microsecond))
			})
		}
	}
}
