package exercise_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belay-dr/belay/exercise/exercisetest"
)

var update = flag.Bool("update", false, "write the actual output into the scripts")

// TestScripts runs the interaction scripts. Each shows the machine's full output: every phase, step and command.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 12 {
		t.Fatalf("found %d scripts: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			o, err := exercisetest.Run(string(text))
			if err != nil {
				t.Fatal(err)
			}
			got := exercisetest.Format(o.Blocks)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), got); diff != "" {
				t.Errorf("the output differs; run go test ./exercise -update and look at the change (-want +got):\n%s", diff)
			}
		})
	}
}
