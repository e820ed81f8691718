package bookstore

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
)

// command is one sub-command of the bookstore.
type command struct {
	usage string
	about string
	run   func(ctx context.Context, c call) error
}

// call is what a sub-command is started with.
type call struct {
	dir    string
	args   []string
	given  []string // everything that Main was given
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// errUsage makes Main return 2.
var errUsage = errors.New("wrong usage")

// commands lists the sub-commands. Those that serve are started by the supervisor, the others by people and playbooks.
func commands() map[string]command {
	return map[string]command{
		"up":              {"up", "start everything and return once it is healthy", runUp},
		"down":            {"down", "stop everything", runDown},
		"status":          {"status [--json]", "show what is running, and where", runStatus},
		"restart":         {"restart COMPONENT", "stop and start api, database or cdn", runControl("restart")},
		"stop":            {"stop COMPONENT", "stop api, database or cdn", runControl("stop")},
		"start":           {"start COMPONENT", "start api, database or cdn", runControl("start")},
		"snapshot":        {"snapshot", "take a snapshot of the database now", runSnapshot},
		"replace":         {"replace database|api", "lay out a replacement that is not started yet", runReplace},
		"restore":         {"restore", "put the latest complete snapshot into the stopped database", runRestore},
		"recreate-bucket": {"recreate-bucket", "make the CDN's bucket again; one that cannot be read is put aside", runRecreateBucket},
		"upload":          {"upload", "copy the backup of the static files into the bucket", runUpload},
		"verify-bucket":   {"verify-bucket", "compare the bucket with the backup", runVerifyBucket},
		"resolve":         {"resolve COMPONENT", "print where a component is to be found", runResolve},
		"supervise":       {"supervise", "run the three components (started by up)", runSupervise},
		"api":             {"api", "serve the API (started by the supervisor)", runAPI},
		"database":        {"database", "serve the database (started by the supervisor)", runDatabase},
		"cdn":             {"cdn", "serve the CDN (started by the supervisor)", runCDN},
	}
}

// Main carries out one sub-command and returns the exit code: 0 done, 1 it went wrong, 2 wrong usage.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	all := commands()
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		printUsage(stdout, all)
		return 0
	}
	cmd, ok := all[args[0]]
	if !ok {
		fmt.Fprintf(stderr, "bookstore: error: unknown command %q\nbookstore: hint: run `bookstore help`\n", args[0])
		return 2
	}
	dir, rest, err := takeDir(args[1:])
	if err == nil {
		err = cmd.run(context.Background(), call{dir, rest, args, stdin, stdout, stderr})
	}
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "bookstore: error: %v\nbookstore: hint: usage: bookstore %s [--dir DIR]\n", err, cmd.usage)
		return 2
	default:
		fmt.Fprintf(stderr, "bookstore: error: %v\n", err)
		return 1
	}
}

// takeDir takes --dir out of the arguments. Without it, BOOKSTORE_DIR counts, which the command in DIR/bin sets.
func takeDir(args []string) (dir string, rest []string, err error) {
	dir = os.Getenv("BOOKSTORE_DIR")
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--dir" || a == "-dir":
			if i+1 == len(args) {
				return "", nil, fmt.Errorf("%w: --dir needs a directory", errUsage)
			}
			i++
			dir = args[i]
		case strings.HasPrefix(a, "--dir="):
			dir = strings.TrimPrefix(a, "--dir=")
		default:
			rest = append(rest, a)
		}
	}
	if dir == "" {
		dir = "."
	}
	return dir, rest, nil
}

func printUsage(w io.Writer, all map[string]command) {
	fmt.Fprintln(w, "The Bookstore: an example application that is weak on purpose.\n\nUsage: bookstore COMMAND [--dir DIR]\n\nCommands:")
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(w, "  %-22s %s\n", all[name].usage, all[name].about)
	}
}
