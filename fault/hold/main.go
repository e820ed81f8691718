package hold

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/internal/clock"
)

// The exit codes of a holder; the same numbers as the rest of the command line.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitRefused     = 3
	exitNotReverted = 9
)

// Process is one holder or reaper process. The zero value of a field means what Main uses.
type Process struct {
	// Exe is the command line that starts this process again, as the reaper.
	Exe    []string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Kinds are the faults that it can hold, and Workers the helpers that they may start.
	Kinds   fault.Kinds
	Workers fault.Workers
	// At is told how far the work has come: recorded, armed, injecting, injected, confirmed, holding, reverting, saved,
	// reverted, settled. Tests stop there.
	At func(point string)
	// Clock is the system's; tests let it jump, as a machine's does that slept.
	Clock clock.Clock
	// Grace is how long after its limit a holder may still be busy before the reaper kills it.
	Grace time.Duration
}

// Main is the whole holder process. With "reap" and two more arguments it is the reaper of a holder, with "work" and a
// name it is a worker.
func Main(kinds fault.Kinds, workers fault.Workers, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	exe := []string{self()}
	if n := len(os.Args) - len(args); n > 1 {
		exe = append(exe, os.Args[1:n]...)
	}
	return Process{Kinds: kinds, Workers: workers, Exe: exe, Stdin: stdin, Stdout: stdout, Stderr: stderr}.Run(args)
}

// self is a name for this binary that stays good when the file is replaced or removed.
func self() string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	exe, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return exe
}

// onceVar names the directory of a holder program that was put here for one fault. It is removed at once: the running
// program does not need its file, and nobody may be left later to remove it.
const onceVar = "BELAY_HOLD_ONCE"

// once removes this program's file and directory, and nothing else that the variable may name.
func once(dir string) {
	path := filepath.Join(dir, "belay-hold")
	there, err := os.Lstat(path)
	if err != nil {
		return
	}
	if us, err := os.Stat(self()); err == nil && os.SameFile(us, there) && strings.HasPrefix(filepath.Base(dir), "belay-hold-") {
		_ = os.Remove(path)
		_ = os.Remove(dir)
	}
}

// Run is the process. It returns the exit code.
func (p Process) Run(args []string) int {
	if dir := os.Getenv(onceVar); dir != "" && runtime.GOOS == "linux" {
		once(dir)
		_ = os.Unsetenv(onceVar)
	}
	if p.At == nil {
		p.At = func(string) {}
	}
	if p.Clock == nil {
		p.Clock = clock.System{}
	}
	if p.Grace == 0 {
		p.Grace = 3 * time.Second
	}
	k := keeper{kinds: p.Kinds, clk: p.Clock, at: p.At}
	var err error
	code := exitError
	switch {
	case len(args) == 0:
		h := holder{Process: p, keeper: k}
		code, err = h.run()
	case len(args) == 3 && args[0] == "reap":
		k.store = store{args[1]}
		code, err = p.reap(k, args[2])
	case len(args) > 0 && answers(args):
		return p.answer(args)
	case len(args) == 2 && args[0] == "work":
		return p.work(args[1])
	case len(args) == 1 && (args[0] == "-h" || args[0] == "--help" || args[0] == "help"):
		fmt.Fprint(p.Stdout, usage)
		return exitOK
	default:
		code, err = exitUsage, errors.New("it takes no arguments; the request is one JSON line on standard input")
	}
	if err != nil {
		fmt.Fprintf(p.Stderr, "belay-hold: error: %v\n", err)
	}
	return code
}

const usage = `Hold one fault for as long as standard input stays open.

The first line of standard input is the request, as JSON:
  {"no_playbook": "why", "fault": {"process": {"stop": {"pid_file": "/run/app.pid"}}}, "limit": "30s", "beat": "1s"}
Every further line is a beat. The fault ends at end-of-file, on INT, TERM or HUP, after three missed beats,
or at its limit, whichever comes first. Status lines (JSON) appear on standard output: armed, holding, ended.

  permit         what an exercise's guard gave; without it:
  no_playbook    the reason; refused in production
  fault          exactly one kind, as in a playbook
  faults         or a list of them, which begin in this order and end together
  netns          the network namespace, by name, in which they are made; only for faults of the network
  limit          mandatory; the fault ends then
  beat           how often a line must come; always use it over a network

Other words, each of which writes one line of JSON:
  belay-hold plan        what the request on standard input would change; nothing is changed
  belay-hold list        the faults that are held here, and those that ended lately
  belay-hold status ID   one of them
  belay-hold revert ID   end one now
  belay-hold sweep       take back what a crash left behind
  belay-hold halt        end all now
`
