package act

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/internal/secret"
	"github.com/belay-dr/belay/measure"
	"github.com/belay-dr/belay/measure/probe"
	"github.com/belay-dr/belay/reach/local"
)

const (
	// maxOutput is how much of a step's output is kept.
	maxOutput = 16 << 10
	// defaultPoll is the time between two looks at an expectation.
	defaultPoll = 100 * time.Millisecond
	// onceBound is how long a single look may take.
	onceBound = 5 * time.Second
)

// Actor carries out commands.
type Actor struct {
	// Dir is where programs run.
	Dir string
	// Poll is the time between two looks at an expectation; zero means the default.
	Poll time.Duration
	// Env looks up an environment variable, for secrets.
	Env func(string) (string, bool)
	// ReadFile reads a file, for secrets.
	ReadFile func(string) ([]byte, error)
	// Started is told the process group of a command's program before the program's first instruction. An error keeps it from
	// running. Nil does nothing.
	Started func(command string, group int) error
	// Notify tells people something; nil only records it.
	Notify func(to []string, text string) error

	redact secret.Redactor
	mu     sync.Mutex
	// vault holds the sensitive captures. They live as long as this process and are written nowhere.
	vault map[string]string
}

// Do carries out one command and returns the event that answers it, without its time. It returns when the command is done,
// also when ctx is cancelled.
func (a *Actor) Do(ctx context.Context, c exercise.Command) exercise.Event {
	e := exercise.Event{Kind: exercise.CommandDone, Command: c.ID}
	if c.Step == nil {
		return failed(e, fmt.Errorf("do %s: it names no step", c.Kind))
	}
	n, err := exercise.Fill(*c.Step, a.secretCapture)
	if err != nil {
		return failed(e, err)
	}
	switch c.Kind {
	case exercise.DoRun:
		e = a.run(ctx, e, n)
	case exercise.DoExpect:
		if err := a.until(ctx, n.Expect, n.Timeout); err != nil {
			e = failed(e, fmt.Errorf("it was not seen to work: %w", err))
		}
	case exercise.DoIf:
		holds := a.once(ctx, n.If) == nil
		e.Holds = &holds
	case exercise.DoDecide:
		e = a.decide(ctx, e, n)
	default:
		e = failed(e, fmt.Errorf("do %s: not something that can be carried out", c.Kind))
	}
	e.Output, e.Text = a.redact.Redact(e.Output), a.redact.Redact(e.Text)
	return e
}

func failed(e exercise.Event, err error) exercise.Event {
	e.Kind, e.Text = exercise.CommandFailed, err.Error()
	return e
}

// run carries out a step, looks at its expectation and takes its captures.
func (a *Actor) run(ctx context.Context, e exercise.Event, n exercise.Node) exercise.Event {
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	var output string
	var err error
	switch n.Kind {
	case exercise.NodeRun:
		output, err = a.command(ctx, e.Command, n)
	case exercise.NodeCheck:
		err = a.until(ctx, n.Check, n.Timeout)
	case exercise.NodeWait:
		err = wait(ctx, n.Wait)
	case exercise.NodeNotify:
		err = a.notify(n)
	default:
		err = fmt.Errorf("a step of kind %s is for people", n.Kind)
	}
	e.Output = output
	if err != nil {
		return failed(e, err)
	}
	if e.Captures, err = a.captures(n, output); err != nil {
		return failed(e, err)
	}
	if n.Expect != nil {
		if err := a.until(ctx, n.Expect, n.Timeout); err != nil {
			return failed(e, fmt.Errorf("it ran, and was not seen to work: %w", err))
		}
	}
	return e
}

// command runs the step's program. Secrets reach it as environment variables, never as arguments.
func (a *Actor) command(ctx context.Context, command string, n exercise.Node) (string, error) {
	var env []string
	for _, s := range n.Secrets {
		value, err := a.secret(s)
		if err != nil {
			return "", err
		}
		env = append(env, variable(s.Name)+"="+value)
	}
	c := local.Command{Argv: n.Argv, Shell: n.Shell, Dir: a.Dir, Env: env, Limit: maxOutput}
	if n.Where != "" && n.Where != "local" {
		var err error
		if c, err = elsewhere(n, env); err != nil {
			return "", err
		}
	}
	if a.Started != nil {
		c.Started = func(group int) error { return a.Started(command, group) }
	}
	res, err := local.Run(ctx, c)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("it was not over within %s", n.Timeout)
	}
	if err == nil && res.Exit != 0 {
		err = fmt.Errorf("exit code %d%s", res.Exit, lastLine(res.Output))
	}
	return res.Output, err
}

// variable is the name under which a program finds a secret: DB_PASSWORD for db-password.
func variable(name string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || r == '.' {
			return '_'
		}
		return r
	}, name))
}

func (a *Actor) secret(s exercise.Secret) (string, error) {
	var value string
	switch {
	case s.File != "":
		b, err := a.ReadFile(s.File)
		if err != nil {
			return "", fmt.Errorf("read secret %s: %w", s.Name, err)
		}
		value = strings.TrimRight(string(b), "\r\n")
	default:
		v, ok := a.Env(s.Env)
		if !ok {
			return "", fmt.Errorf("read secret %s: there is no environment variable %s", s.Name, s.Env)
		}
		value = v
	}
	a.redact.Add(s.Name, value)
	return value, nil
}

func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return ": " + last
	}
	return ""
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Actor) notify(n exercise.Node) error {
	if a.Notify == nil {
		return nil
	}
	return a.Notify(n.To, n.Text)
}

// decide finds the first option whose condition holds. An option without one always does.
func (a *Actor) decide(ctx context.Context, e exercise.Event, n exercise.Node) exercise.Event {
	var whys []string
	for _, o := range n.Options {
		if o.If == nil {
			e.Choice = o.ID
			break
		}
		err := a.once(ctx, o.If)
		if err == nil {
			e.Choice = o.ID
			break
		}
		whys = append(whys, o.ID+": "+err.Error())
	}
	e.Text = strings.Join(whys, "; ")
	if e.Choice == "" {
		e.Kind = exercise.CommandFailed
	}
	return e
}

// Check looks once at a check, with a bound of its own.
func (a *Actor) Check(ctx context.Context, c exercise.Check) error { return a.once(ctx, &c) }

func (a *Actor) once(ctx context.Context, c *exercise.Check) error {
	if c == nil {
		return errors.New("there is nothing to look at")
	}
	prober, err := probe.Decode("check", c.Kind, json.RawMessage(c.Config))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, onceBound)
	defer cancel()
	if ans := prober.Probe(ctx); ans.Outcome != measure.OK {
		return errors.New(ans.Reason)
	}
	return nil
}

// until looks again and again until the check holds, ctx ends, or the timeout is over.
func (a *Actor) until(ctx context.Context, c *exercise.Check, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	poll := a.Poll
	if poll == 0 {
		poll = defaultPoll
	}
	var last error
	for {
		err := a.once(ctx, c)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err // what the check itself said, not that time was up
		}
		if wait(ctx, poll) != nil {
			return last
		}
	}
}

// Redact takes every secret that the actor has seen out of a text.
func (a *Actor) Redact(text string) string { return a.redact.Redact(text) }
