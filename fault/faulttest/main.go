package faulttest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/hold"
)

// What the test binary is started as.
const (
	asHolder = "faulttest-holder"
	asRunner = "faulttest-runner"
)

// pauseVar names the point at which a holder stops, and pausedVar the file that it makes then. It goes on when the file is removed.
const (
	pauseVar  = "BELAY_FAULTTEST_PAUSE"
	pausedVar = "BELAY_FAULTTEST_PAUSED"
)

// Main is the TestMain of packages that use Run.
func Main(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case asHolder:
			os.Exit(holder(os.Args[2:]))
		case asRunner:
			os.Exit(runner())
		}
	}
	os.Exit(m.Run())
}

// Launcher starts this test binary as the holder.
func Launcher(dir string) hold.Launcher { return hold.Launcher{Exe: exe(), Dir: dir} }

func exe() []string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return []string{path, asHolder}
}

// holder is a holder, or a reaper, that stops at a point when it is told to. A reaper never stops.
func holder(args []string) int {
	p := hold.Process{Exe: exe(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Grace: 200 * time.Millisecond}
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
func runner() int {
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
	h, err := hold.Launcher{Exe: exe()}.Hold(context.Background(), r)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_ = json.NewEncoder(os.Stdout).Encode(h.Status())
	<-h.Done()
	return 0
}
