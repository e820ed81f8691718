package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/belay-dr/belay/internal/clock"
)

const (
	// defaultLimit is how much output is kept unless the command says otherwise.
	defaultLimit = 64 << 10
	// grace is how long a cancelled group may take to end by itself before it is killed.
	grace = 2 * time.Second
	// drain is how long output is still read after the command ended, when a child of it keeps the pipe open.
	drain = 500 * time.Millisecond
)

// Command is one command. Exactly one of Argv and Shell is set.
type Command struct {
	Argv []string
	// Shell is a line for /bin/sh.
	Shell string
	Dir   string
	// Env is added to this process's own environment, as KEY=value.
	Env   []string
	Stdin io.Reader
	// Limit is how many bytes of output are kept, first and last half; 0 means 64 KiB.
	Limit int
	// Timeout ends the whole process group after this long; 0 means that only the context does.
	Timeout time.Duration
	// Stream gets all output as it comes. It is called from one goroutine at a time.
	Stream io.Writer
	// Answer gets standard output, whole and by itself; Output is only standard error then.
	Answer io.Writer
	// Started is called with the process group before the command's first instruction; an error keeps it from running.
	Started func(group int) error
}

// Result is what became of a command that could be started.
type Result struct {
	// Exit is the exit code, 128 plus the signal's number when a signal ended it, and -1 when it never ran.
	Exit int
	// Output is standard output and error together, in the order they came.
	Output string
	// Truncated says that the middle of Output is missing.
	Truncated  bool
	Start, End time.Time
}

// Run runs a command and waits for it. An exit code other than 0 is no error; an error says that the command could not be
// started, or that the context or the timeout ended it. On return after a cancellation, no process of its group is left.
// Children that outlive a command that ended by itself are left alone: restarting a daemon is such a command.
func Run(ctx context.Context, c Command) (Result, error) {
	argv, err := c.argv()
	if err != nil {
		return Result{Exit: -1}, err
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return Result{Exit: -1}, fmt.Errorf("run %s: %w", argv[0], err)
	}
	out := newKeeper(c.Limit, c.Stream)
	res := Result{Exit: -1, Start: clock.System{}.Now()}
	cmd, open, err := start(c, argv, out)
	if err != nil {
		res.End = clock.System{}.Now()
		return res, err
	}
	res.Exit, err = wait(ctx, cmd, argv[0], open())
	res.End = clock.System{}.Now()
	res.Output, res.Truncated = out.text()
	return res, err
}

func (c Command) argv() ([]string, error) {
	switch {
	case len(c.Argv) > 0 && c.Shell != "":
		return nil, errors.New("run command: it has both arguments and a shell line")
	case c.Shell != "":
		return []string{"/bin/sh", "-c", c.Shell}, nil
	case len(c.Argv) == 0 || c.Argv[0] == "":
		return nil, errors.New("run command: it has no arguments")
	}
	return c.Argv, nil
}

// start starts the command in a process group of its own. open lets it go on to its first instruction.
func start(c Command, argv []string, out io.Writer) (cmd *exec.Cmd, open func() error, err error) {
	if c.Dir != "" {
		if _, err := os.Stat(c.Dir); err != nil {
			return nil, nil, fmt.Errorf("run %s: enter directory: %w", argv[0], err)
		}
	}
	path, err := lookPath(argv[0], c.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("run %s: %w", argv[0], err)
	}
	cmd = &exec.Cmd{Path: path, Args: argv}
	open = func() error { return nil }
	if c.Started != nil {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, nil, fmt.Errorf("run %s: %w", argv[0], err)
		}
		defer r.Close()
		// The shell waits for a line. If we die first it reads end-of-file and never starts the command.
		cmd = &exec.Cmd{
			Path: "/bin/sh", ExtraFiles: []*os.File{r},
			Args: append([]string{"sh", "-c", `read -r go <&3 || exit 125; exec 3<&-; exec "$@"`, "sh", path}, argv[1:]...),
		}
		open = func() error {
			defer w.Close()
			if err := c.Started(cmd.Process.Pid); err != nil {
				return err
			}
			_, err := w.WriteString("go\n")
			return err
		}
		defer func() {
			if err != nil {
				w.Close()
			}
		}()
	}
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Dir, c.Stdin, out, out
	if c.Answer != nil {
		cmd.Stdout = c.Answer
	}
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = drain
	if err = cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("run %s: %w", argv[0], err)
	}
	return cmd, open, nil
}

// lookPath finds the program; a name with a slash is relative to the directory the command runs in.
func lookPath(name, dir string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil && dir != "" {
		return name, nil // the start itself will say what is wrong, seen from dir
	}
	return path, err
}

// wait returns the exit code. failed is what kept the command from being let go, if anything.
func wait(ctx context.Context, cmd *exec.Cmd, name string, failed error) (int, error) {
	group := cmd.Process.Pid
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if failed != nil {
		endGroup(group, 0)
	}
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		endGroup(group, grace)
		<-done
		return exitCode(cmd), fmt.Errorf("run %s: %w", name, ctx.Err())
	}
	if failed != nil {
		return -1, fmt.Errorf("run %s: %w", name, failed)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return exitCode(cmd), fmt.Errorf("run %s: %w", name, err)
	}
	return exitCode(cmd), nil
}

func exitCode(cmd *exec.Cmd) int {
	if cmd.ProcessState == nil {
		return -1
	}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return cmd.ProcessState.ExitCode()
}
