package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/belay-dr/belay/measure"
)

// Probe runs the program, without a shell. When time is up it and everything it started in its process group are killed.
func (c *Run) Probe(ctx context.Context) Answer {
	ctx, cancel := withTimeout(ctx, c.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = os.Environ()
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		cmd.Env = append(cmd.Env, name+"="+c.Env[name])
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out := &limited{limit: BodyLimit}
	errs := &limited{limit: BodyLimit}
	cmd.Stdout, cmd.Stderr = out, errs
	began := time.Now()
	err := cmd.Run()
	a := c.judge(ctx, err, out.Bytes(), errs.Bytes())
	a.Explain = Explanation{
		Asked:   strings.Join(c.Argv, " "),
		Body:    head(append(slices.Clone(out.Bytes()), errs.Bytes()...)),
		Timings: []Timing{{Name: "run", Took: time.Since(began)}},
	}
	if cmd.ProcessState != nil {
		a.Explain.Got = cmd.ProcessState.String()
	}
	return a
}

func (c *Run) judge(ctx context.Context, err error, out, errs []byte) Answer {
	var exit *exec.ExitError
	switch {
	case err != nil && ctx.Err() == nil && errors.As(err, &exit):
		return failed("%s: %s", exit, firstLine(append(slices.Clone(errs), out...)))
	case err != nil && ctx.Err() == nil && errors.Is(err, os.ErrPermission):
		return failed("%s", err) // a program that may not be run is the playbook's mistake, not the observer's
	case err != nil:
		return answer(ctx, err)
	case c.Contains != "" && !bytes.Contains(out, []byte(c.Contains)):
		return failed("the output does not contain %q", c.Contains)
	}
	return Answer{Outcome: measure.OK}
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	if line == "" {
		return "no output"
	}
	return fmt.Sprintf("%.200s", line)
}

// limited keeps the first bytes of an output and lets the rest go by.
type limited struct {
	bytes.Buffer
	limit int
}

func (l *limited) Write(b []byte) (int, error) {
	l.Buffer.Write(b[:min(len(b), max(0, l.limit-l.Len()))])
	return len(b), nil
}
