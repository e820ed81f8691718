package cli_test

import (
	"context"
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/belay-dr/belay/internal/cli"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// TestMain lets the scripts run belay: the test binary starts itself as belay.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"belay": func() {
			os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
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
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
	})
}
