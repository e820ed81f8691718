package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const brokenDir = "../../playbook/testdata/broken"

// otherKinds are the fixtures whose message lists the kinds of probe or fault: the loader's own tests use kinds of
// their own, the binary has the real ones. What must hold for them is everything but the text after the position.
func otherKinds(name string) bool { return strings.Contains(name, "kind") }

// Each broken playbook gives exit code 2 and its one line, and nothing is written.
func TestBrokenPlaybooks(t *testing.T) {
	dirs, err := filepath.Glob(brokenDir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) < 60 {
		t.Fatalf("%d broken playbooks, want at least 60", len(dirs))
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			w := newWorld(t)
			want := copyBroken(t, dir, w.dir)
			before := tree(t, w.dir)
			o := w.try(20*time.Second, "lint", w.dir)
			if o.code != 2 {
				t.Errorf("exit code %d, want 2\n%s", o.code, o)
			}
			got := mistakes(o)
			if otherKinds(filepath.Base(dir)) {
				got, want = positions(got), positions(want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tree(t, w.dir)); diff != "" {
				t.Errorf("something was written (-before +after):\n%s", diff)
			}
		})
	}
}

// Every command that reads a playbook refuses a broken one in the same words.
func TestEveryCommandRefusesABrokenPlaybook(t *testing.T) {
	for _, args := range [][]string{
		{"render"},
		{"doctor", "--env", "staging"},
		{"stage"},
		{"agree", "--as", "alice", "--role", "stakeholder"},
		{"exercise", "run", "api-failure", "--env", "staging", "--mode", "automatic"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			w := newWorld(t)
			want := copyBroken(t, filepath.Join(brokenDir, "01-unknown-key"), w.dir)
			before := tree(t, w.dir)
			o := w.try(20*time.Second, append(args, "--dir", w.dir)...)
			if o.code != 2 {
				t.Errorf("exit code %d, want 2\n%s", o.code, o)
			}
			if diff := cmp.Diff(want, mistakes(o)); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tree(t, w.dir)); diff != "" {
				t.Errorf("something was written (-before +after):\n%s", diff)
			}
		})
	}
}

// A directory without a playbook says how to get one.
func TestNoPlaybook(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o := w.want(2, "stage", "--dir", w.dir)
	if !strings.Contains(o.stderr, "belay: error: ") || !strings.Contains(o.stderr, "belay init") {
		t.Errorf("no way on:\n%s", o)
	}
}

// copyBroken copies a fixture without its golden file, and returns the lines of that.
func copyBroken(t *testing.T, from, to string) []string {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(to, "want"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(to, "want")); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(want)), "\n")
}

// mistakes are the lines with a position, wherever the command wrote them; belay's own two lines are left out.
func mistakes(o output) []string {
	var lines []string
	for line := range strings.Lines(o.stdout + o.stderr) {
		line = strings.TrimRight(line, "\n")
		if line != "" && !strings.HasPrefix(line, "belay: ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// positions keeps file:line:col.
func positions(lines []string) []string {
	var list []string
	for _, line := range lines {
		parts := strings.SplitN(line, ":", 4)
		list = append(list, strings.Join(parts[:min(3, len(parts))], ":"))
	}
	return list
}

// tree is every file below dir with its content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			files[path] = "directory"
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
