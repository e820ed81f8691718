package act

import (
	"fmt"
	"strings"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/reach/local"
	"github.com/belay-dr/belay/reach/ssh"
)

// elsewhere is a step's command on another host. What it must not show goes there on its standard input. When the
// connection is cut the command may go on there: a step that must not is not repeated without being looked at.
func elsewhere(n exercise.Node, env []string) (local.Command, error) {
	host, err := ssh.Parse(n.Where)
	if err != nil {
		return local.Command{}, fmt.Errorf("run at %s: %w", n.Where, err)
	}
	line := n.Shell
	if len(n.Argv) > 0 {
		line = "exec " + ssh.Quote(n.Argv...)
	}
	var names []string
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if strings.ContainsAny(value, "\r\n") {
			return local.Command{}, fmt.Errorf("run at %s: the secret %s has more than one line", n.Where, name)
		}
		names = append(names, name)
	}
	return local.Command{
		Argv: host.Argv(ssh.WithEnvironment(names, line)), Stdin: strings.NewReader(values(env)), Limit: maxOutput,
	}, nil
}

// values are the variables' values, one to a line.
func values(env []string) string {
	var b strings.Builder
	for _, e := range env {
		_, value, _ := strings.Cut(e, "=")
		b.WriteString(value + "\n")
	}
	return b.String()
}
