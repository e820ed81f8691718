package cli_test

import (
	"context"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/belay-dr/belay/internal/cli"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// TestMain lets the scripts run belay: the test binary starts itself as belay, and belay starts itself by its path as
// the Bookstore and as the holder.
func TestMain(m *testing.M) {
	belay := func() {
		os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	if len(os.Args) > 1 && (os.Args[1] == "bookstore" || os.Args[1] == "hold-internal") {
		belay()
	}
	testscript.Main(m, map[string]func(){"belay": belay})
}

// TestScript runs testdata/script/*.txtar, at least one for each command.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("BELAY_STATE_DIR", env.WorkDir+"/.state")
			env.Setenv("HOME", env.WorkDir+"/.home")
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true") // nobody outside is asked
			env.Defer(func() { demoDown(env.WorkDir + "/shop") })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
	})
}

// demoDown stops the Bookstore that a failed script left running.
func demoDown(dir string) {
	if _, err := os.Stat(dir); err != nil {
		return
	}
	cli.Main(context.Background(), []string{"demo", "down", "--dir", dir}, strings.NewReader(""), io.Discard, io.Discard)
}
