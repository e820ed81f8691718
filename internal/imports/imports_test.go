package imports

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// The house as it is.
func TestDirection(t *testing.T) {
	pkgs, err := list(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 50 {
		t.Fatalf("go list found %d packages: too few to have looked everywhere", len(pkgs))
	}
	for _, breach := range Check(pkgs) {
		t.Error(breach)
	}
}

// Every Go file of ours.
func TestSource(t *testing.T) {
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "testdata" || name == "node_modules" || len(name) > 2 && name[0] == '.' {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files++
		found, err := CheckSource(filepath.ToSlash(name), src, slices.Contains(pure(), filepath.ToSlash(filepath.Dir(name))))
		for _, breach := range found {
			t.Error(breach)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Fatalf("looked at %d files: too few to have looked everywhere", files)
	}
}

// The rules can fail: one breach each.
func TestCheckFindsBreaches(t *testing.T) {
	ours := func(p string) string { return module + p }
	other := func(p string) Package {
		return Package{ImportPath: p, Module: &struct{ Path string }{p}}
	}
	tests := []struct {
		name string
		pkgs []Package
		want string
	}{
		{
			"a room imports one below",
			[]Package{{ImportPath: ours("playbook/lint"), Imports: []string{ours("stage")}}},
			"playbook/lint must not import stage: what reads a playbook needs nothing but the playbook",
		},
		{
			"a root imports its sub-folder",
			[]Package{{ImportPath: ours("measure"), Imports: []string{ours("measure/probe")}}},
			"measure must not import measure/probe: the arithmetic must be testable against simulated services alone",
		},
		{
			"the product imports the example",
			[]Package{{ImportPath: ours("publish"), Imports: []string{ours("examples/bookstore")}}},
			"publish must not import examples/bookstore: ",
		},
		{
			"a room imports the command line",
			[]Package{{ImportPath: ours("hub"), Imports: []string{ours("internal/cli")}}},
			"hub must not import internal/cli: nothing may depend on the command line",
		},
		{
			"an unknown room",
			[]Package{{ImportPath: ours("attic")}},
			"attic: no room in the table (internal/imports/rules.go)",
		},
		{
			"a pure package reads files",
			[]Package{{ImportPath: ours("stage"), Imports: []string{"os"}}},
			"stage must stay pure, but stage imports os, which reads files and the environment",
		},
		{
			"a pure package reads files through another of ours",
			[]Package{
				{ImportPath: ours("stage"), Imports: []string{ours("evidence")}, Deps: []string{ours("evidence")}},
				{ImportPath: ours("evidence"), Imports: []string{"net/http"}},
			},
			"stage must stay pure, but evidence imports net/http, which opens connections",
		},
		{
			"a pure package reaches the clock",
			[]Package{
				{ImportPath: ours("exercise"), Deps: []string{ours("internal/clock")}},
				{ImportPath: ours("internal/clock")},
			},
			"exercise must stay pure, but reaches internal/clock: take the time as a value",
		},
		{
			"a pure package reaches somebody's client",
			[]Package{{ImportPath: ours("fault"), Deps: []string{"example.com/cloud"}}, other("example.com/cloud")},
			"fault must stay pure, but reaches example.com/cloud, which is not on the list of pure modules",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found := strings.Join(Check(tt.pkgs), "\n")
			if !strings.Contains(found, tt.want) {
				t.Errorf("found %q, want %q", found, tt.want)
			}
		})
	}
}

func TestCheckAllowsTheHouse(t *testing.T) {
	ours := func(p string) string { return module + p }
	pkgs := []Package{
		{ImportPath: ours("exercise"), Imports: []string{ours("measure"), ours("fault"), ours("doctor"), "time"}},
		{ImportPath: ours("exercise/local"), Imports: []string{ours("fault/hold"), ours("measure/probe"), "os"}},
		{ImportPath: ours("internal/cli"), Imports: []string{ours("examples/bookstore"), ours("stage")}},
		{ImportPath: ours("cmd/belay"), Imports: []string{ours("internal/cli")}},
	}
	if found := Check(pkgs); found != nil {
		t.Errorf("found %q", found)
	}
}

// One fixture with every breach of the habits; the lines they are found on are part of what is tested.
func TestCheckSourceFindsBreaches(t *testing.T) {
	for _, name := range []string{"breaches.go.txt", "breaches_test.go.txt"} {
		src, err := os.ReadFile(filepath.Join("testdata", "source", name))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for i, line := range strings.Split(string(src), "\n") {
			if _, text, ok := strings.Cut(line, "// want: "); ok {
				want = append(want, strings.TrimSuffix(name, ".txt")+":"+strconv.Itoa(i+1)+": "+text)
			}
		}
		got, err := CheckSource(strings.TrimSuffix(name, ".txt"), src, true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	long := "package tall\n" + strings.Repeat("\n", maxLines)
	got, err := CheckSource("tall.go", []byte(long), false)
	if err != nil || len(got) != 1 || !strings.Contains(got[0], "a file is one idea") {
		t.Errorf("a long file: %q, %v", got, err)
	}
	if got, _ := CheckSource("tall.go", []byte("// Code generated by x. DO NOT EDIT.\n"+long), false); got != nil {
		t.Errorf("a generated file: %q", got)
	}
}
