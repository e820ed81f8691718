package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the path of the built belay; TestMain sets it once, before any test.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if spec, ok := os.LookupEnv(serving); ok {
		return serve(spec)
	}
	if spec, ok := os.LookupEnv(watching); ok {
		return watch(spec)
	}
	dir, err := os.MkdirTemp("", "belay-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "belay")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/belay")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build belay:", err)
		return 1
	}
	return m.Run()
}

// torture says that the long version is wanted.
func torture() bool { return os.Getenv("BELAY_TORTURE") != "" }

// times is how often something is repeated.
func times(normally, tortured int) int {
	if torture() {
		return tortured
	}
	return normally
}
