package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/reach/local"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		command local.Command
		exit    int
		output  string
	}{
		"output and error":     {local.Command{Shell: "echo out; echo err >&2"}, 0, "out\nerr\n"},
		"exit code":            {local.Command{Argv: []string{"sh", "-c", "exit 7"}}, 7, ""},
		"signal":               {local.Command{Shell: "kill -TERM $$"}, 143, ""},
		"no shell":             {local.Command{Argv: []string{"echo", "$HOME; ls"}}, 0, "$HOME; ls\n"},
		"directory":            {local.Command{Argv: []string{"pwd"}, Dir: dir}, 0, dir + "\n"},
		"environment":          {local.Command{Shell: "echo $WORD", Env: []string{"WORD=rope"}}, 0, "rope\n"},
		"input":                {local.Command{Argv: []string{"cat"}, Stdin: strings.NewReader("in")}, 0, "in"},
		"empty input":          {local.Command{Argv: []string{"cat"}}, 0, ""},
		"limit":                {local.Command{Shell: "printf 0123456789abcdef", Limit: 8}, 0, "0123\n... 8 bytes left out ...\ncdef"},
		"limit just held":      {local.Command{Shell: "printf 01234567", Limit: 8}, 0, "01234567"},
		"held until it may go": {local.Command{Shell: "echo go", Started: func(int) error { return nil }}, 0, "go\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stream bytes.Buffer
			c.command.Stream = &stream
			res, err := local.Run(t.Context(), c.command)
			if err != nil || res.Exit != c.exit || res.Output != c.output {
				t.Errorf("exit %d, output %q, %v; want %d, %q", res.Exit, res.Output, err, c.exit, c.output)
			}
			if res.Truncated != strings.Contains(c.output, "left out") {
				t.Errorf("truncated is %v", res.Truncated)
			}
			if !res.Truncated && stream.String() != c.output {
				t.Errorf("the stream has %q", stream.String())
			}
			if res.Start.IsZero() || res.End.Before(res.Start) {
				t.Errorf("from %s to %s", res.Start, res.End)
			}
		})
	}
}

func TestCannotRun(t *testing.T) {
	for want, c := range map[string]local.Command{
		"it has no arguments":                                       {},
		"it has both arguments and a shell line":                    {Argv: []string{"a"}, Shell: "b"},
		"executable file not found":                                 {Argv: []string{"no-such-program"}},
		"run /no/such: ":                                            {Argv: []string{"/no/such"}},
		"run true: not today":                                       {Argv: []string{"true"}, Started: func(int) error { return errors.New("not today") }},
		"run pwd: enter directory: stat /no/such/dir: no such file": {Argv: []string{"pwd"}, Dir: "/no/such/dir"},
	} {
		res, err := local.Run(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), want) || res.Exit != -1 {
			t.Errorf("%v: exit %d, %v, want %q", c.Argv, res.Exit, err, want)
		}
	}
}

// TestCancelEndsTheGroup looks for the grandchild of a command that ignores the polite signal.
func TestCancelEndsTheGroup(t *testing.T) {
	for name, stop := range map[string]func(context.Context) (context.Context, context.CancelFunc, local.Command){
		"context": func(ctx context.Context) (context.Context, context.CancelFunc, local.Command) {
			ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			return ctx, cancel, local.Command{}
		},
		"timeout": func(ctx context.Context) (context.Context, context.CancelFunc, local.Command) {
			return ctx, func() {}, local.Command{Timeout: 200 * time.Millisecond}
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			ctx, cancel, c := stop(t.Context())
			defer cancel()
			c.Shell = fmt.Sprintf("(trap '' TERM; echo $$ >/dev/null; sh -c 'echo $PPID' > %s; while :; do sleep 0.05; done) & wait", file)
			_, err := local.Run(ctx, c)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want deadline exceeded", err)
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
			if err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(time.Second); alive(pid); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("process %d of the cancelled command is alive", pid)
				}
			}
		})
	}
}

func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(b), ") Z ")
}

// TestDaemonLivesOn restarts something in the background, as a recovery step does: Run returns and leaves it alone.
func TestDaemonLivesOn(t *testing.T) {
	began := time.Now()
	res, err := local.Run(t.Context(), local.Command{Shell: "sleep 5 & echo $!"})
	if err != nil || res.Exit != 0 {
		t.Fatalf("exit %d, %v", res.Exit, err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it waited %s for a daemon", took)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(res.Output))
	if err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Error("the daemon was killed")
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// TestAnswer keeps standard output apart from standard error.
func TestAnswer(t *testing.T) {
	var answer strings.Builder
	res, err := local.Run(t.Context(), local.Command{Argv: []string{"sh", "-c", "cat; echo oh >&2"}, Stdin: strings.NewReader("{}"), Answer: &answer})
	if err != nil || answer.String() != "{}" || res.Output != "oh\n" {
		t.Errorf("answer %q, output %q, %v", answer.String(), res.Output, err)
	}
}
