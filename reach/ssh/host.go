// Package ssh reaches another host through the system's own ssh, so that a user's configuration, keys, agent, jump hosts and
// known hosts hold here too. It must never ask for a password, never accept an unknown host key, and never build a
// remote command line out of unquoted words. Start at Parse and Host.Command.
package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Scheme is how a place that is reached by this package begins.
const Scheme = "ssh://"

// commandVar is an environment variable that replaces the command `ssh`, with arguments, separated by blanks.
const commandVar = "BELAY_SSH"

// Host is one host as ssh knows it.
type Host struct {
	User, Name, Port string
	// Sudo says that commands run as root there, by `sudo -n`.
	Sudo bool
}

// Parse reads ssh://user@host:port?sudo. User and port are optional: ssh's own configuration has them otherwise.
func Parse(where string) (Host, error) {
	u, err := url.Parse(where)
	if err != nil {
		return Host{}, fmt.Errorf("read %q: it is not of the form ssh://user@host:port", where)
	}
	h := Host{User: u.User.Username(), Name: u.Hostname(), Port: u.Port()}
	_, secret := u.User.Password()
	switch {
	case u.Scheme != "ssh" || h.Name == "" || u.Path != "" && u.Path != "/" || u.Fragment != "":
		return Host{}, fmt.Errorf("read %q: it is not of the form ssh://user@host:port", where)
	case secret:
		return Host{}, errors.New("read place: a password does not belong into an ssh:// place: use a key")
	case strings.HasPrefix(h.Name, "-") || strings.HasPrefix(h.User, "-") || strings.ContainsAny(h.User+h.Name, " \t\n'\"\\$`;|&"):
		return Host{}, fmt.Errorf("read %q: user and host must be plain names", where)
	}
	for key, values := range u.Query() {
		if key != "sudo" || len(values) != 1 || values[0] != "" && values[0] != "true" {
			return Host{}, fmt.Errorf("read %q: the only option is ?sudo", where)
		}
		h.Sudo = true
	}
	return h, nil
}

// String is the host as a person names it.
func (h Host) String() string {
	name := h.Name
	if h.User != "" {
		name = h.User + "@" + name
	}
	if h.Port != "" {
		name += ":" + h.Port
	}
	return name
}

// ErrUnreachable says that ssh itself failed: no connection, no authentication, an unknown host key.
var ErrUnreachable = errors.New("host cannot be reached by ssh")

// unreachable is the exit code of ssh for that.
const unreachable = 255

// Command is a shell line to be run there. The line is the caller's to quote; Quote does so. Nothing of the terminal is
// shared, and a connection that is silent for fifteen seconds ends.
func (h Host) Command(ctx context.Context, line string) *exec.Cmd {
	argv := h.Argv(line)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	// An interrupt at the terminal is ours to handle, not ssh's.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = time.Second
	return cmd
}

// Argv is the command line of Command.
func (h Host) Argv(line string) []string {
	argv := append(program(), "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3",
		"-o", "ClearAllForwardings=yes", "-o", "RequestTTY=no", "-o", "LogLevel=ERROR")
	if h.User != "" {
		argv = append(argv, "-l", h.User)
	}
	if h.Port != "" {
		argv = append(argv, "-p", h.Port)
	}
	return append(argv, "--", h.Name, h.as(line))
}

// WithEnvironment is a shell line that first reads variables, one to a line of its standard input, and then runs another line.
// So their values are on no command line. A value must not hold a line break.
func WithEnvironment(names []string, line string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "IFS= read -r %s && export %s || exit 74; ", name, name)
	}
	return b.String() + line
}

// as wraps the line so that a plain shell runs it, as root where that was asked for.
func (h Host) as(line string) string {
	sh := "/bin/sh -c " + Quote(line)
	if h.Sudo {
		return "sudo -n " + sh
	}
	return "exec " + sh
}

func program() []string {
	if words := strings.Fields(os.Getenv(commandVar)); len(words) > 0 {
		return words
	}
	return []string{"ssh"}
}

// Here says whether there is an ssh to reach hosts with, and if not, why.
func Here() (ok bool, why string) {
	if _, err := exec.LookPath(program()[0]); err != nil {
		return false, err.Error()
	}
	return true, ""
}

// Run runs a shell line there and returns its standard output. The error wraps ErrUnreachable when ssh failed, and has what the
// command said on standard error.
func (h Host) Run(ctx context.Context, line string, stdin io.Reader) ([]byte, error) {
	cmd := h.Command(ctx, line)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &complaint
	err := cmd.Run()
	if err == nil {
		return out.Bytes(), nil
	}
	return out.Bytes(), h.Explain(ctx, err, complaint.String())
}

// Explain turns the end of a Command into an error that says which of the two failed, ssh or what it ran.
func (h Host) Explain(ctx context.Context, err error, said string) error {
	said = strings.TrimSpace(said)
	if said != "" {
		said = ": " + said
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s: %w%s", ErrUnreachable, h, ctx.Err(), said)
	case errors.As(err, &exit) && exit.ExitCode() == unreachable:
		if strings.Contains(said, "Host key verification failed") {
			return fmt.Errorf("%w: %s: its key is not the one in known_hosts, or not there: connect once by hand with `%s`, and compare the key", ErrUnreachable, h, h.hand(""))
		}
		return fmt.Errorf("%w: %s%s: try `%s` by hand", ErrUnreachable, h, strings.TrimSuffix(said, "."), h.hand("-o BatchMode=yes ")+" true")
	case errors.As(err, &exit) && h.Sudo && strings.Contains(said, "sudo: "):
		return fmt.Errorf("on %s: %w%s: ?sudo needs sudo there, and without a password", h, err, said)
	case errors.As(err, &exit):
		return fmt.Errorf("on %s: %w%s", h, err, said)
	}
	return fmt.Errorf("%w: %s: %w: install ssh, or name the command in %s", ErrUnreachable, h, err, commandVar)
}

// hand is the command that a person would type to get there.
func (h Host) hand(options string) string {
	s := h.Name
	if h.User != "" {
		s = h.User + "@" + s
	}
	if h.Port != "" {
		s = "-p " + h.Port + " " + s
	}
	return strings.Join(program(), " ") + " " + options + s
}

// Quote makes one shell line of words, each of which arrives as it is.
func Quote(words ...string) string {
	out := make([]string, len(words))
	for n, w := range words {
		out[n] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(out, " ")
}
