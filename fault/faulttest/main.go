package faulttest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/internal/clock"
)

// What the test binary is started as.
const (
	asHolder = "faulttest-holder"
	asRunner = "faulttest-runner"
)

// pauseVar names the point at which a holder stops, and pausedVar the file that it makes then. It goes on when the file is removed.
// sleptVar names a file that says how long the machine slept.
const (
	pauseVar  = "BELAY_FAULTTEST_PAUSE"
	pausedVar = "BELAY_FAULTTEST_PAUSED"
	sleptVar  = "BELAY_FAULTTEST_SLEPT"
)

// Main is the TestMain of packages that use Run. The test binary then is a holder, a reaper and a worker of these faults.
func Main(m *testing.M, kinds fault.Kinds, workers fault.Workers) {
	n := len(os.Args)
	switch {
	case n > 2 && os.Args[n-2] == "work":
		// Also when a test calls Inject itself: its own arguments come first then, and must not be taken for the tests to run.
		os.Exit(process(kinds, workers).Run(os.Args[n-2:]))
	case n > 1 && os.Args[1] == asHolder:
		os.Exit(holder(process(kinds, workers), os.Args[2:]))
	case n > 1 && os.Args[1] == asRunner:
		os.Exit(runner(kinds))
	}
	os.Exit(m.Run())
}

func process(kinds fault.Kinds, workers fault.Workers) hold.Process {
	return hold.Process{
		Kinds: kinds, Workers: workers, Exe: exe(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Clock: sleeper{}, Grace: 200 * time.Millisecond,
	}
}

// sleeper is the system's clock, of a machine that slept for as long as the file named by sleptVar says.
type sleeper struct{ clock.System }

func (s sleeper) Boot() time.Duration {
	b, _ := os.ReadFile(os.Getenv(sleptVar))
	slept, _ := time.ParseDuration(string(b))
	return s.System.Boot() + slept
}

// Launcher starts this test binary as the holder.
func Launcher(kinds fault.Kinds, dir string) hold.Launcher {
	return hold.Launcher{Kinds: kinds, Exe: exe(), Dir: dir}
}

func exe() []string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return []string{path, asHolder}
}

// holder is a holder, or a reaper, that stops at a point when it is told to. A reaper never stops.
func holder(p hold.Process, args []string) int {
	if point := os.Getenv(pauseVar); point != "" && len(args) == 0 {
		p.At = func(now string) {
			if now == point {
				file := os.Getenv(pausedVar)
				_ = os.WriteFile(file, nil, 0o600)
				for {
					if _, err := os.Stat(file); err != nil {
						return // the test lets it go on
					}
					time.Sleep(2 * time.Millisecond)
				}
			}
		}
	}
	return p.Run(args)
}

// runner holds the fault of the request on its standard input until it is killed.
func runner(kinds fault.Kinds) int {
	line, err := bufio.NewReader(os.Stdin).ReadBytes('\n')
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	r, err := hold.ParseRequest(line)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	h, err := hold.Launcher{Kinds: kinds, Exe: exe()}.Hold(context.Background(), r)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_ = json.NewEncoder(os.Stdout).Encode(h.Status())
	<-h.Done()
	return 0
}
