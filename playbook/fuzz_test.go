package playbook_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/belay-dr/belay/playbook"
)

// FuzzLoad loads any two texts. Load never panics, and each mistake has a place that exists and fits on one line.
func FuzzLoad(f *testing.F) {
	seed := func(dir string) {
		main, _ := os.ReadFile(filepath.Join(dir, "belay.yaml"))
		scenario, _ := os.ReadFile(filepath.Join(dir, "scenarios/api-failure.yaml"))
		f.Add(main, scenario)
	}
	seed("testdata/valid")
	dirs, _ := filepath.Glob("testdata/broken/*")
	for _, dir := range dirs {
		seed(dir)
	}
	f.Fuzz(func(t *testing.T, main, scenario []byte) {
		files := fstest.MapFS{"belay.yaml": {Data: main}, "scenarios/api-failure.yaml": {Data: scenario}}
		pb, err := playbook.Load(files, testKinds())
		if err == nil {
			checkLoaded(t, pb)
			return
		}
		var all playbook.Errors
		if !errors.As(err, &all) || len(all) == 0 || pb != nil {
			t.Fatalf("got a playbook %v and %T: %v", pb != nil, err, err)
		}
		for _, one := range all {
			lines := 1 + strings.Count(strings.ReplaceAll(string(files[one.File].Data), "\r", "\n"), "\n")
			if one.Line < 1 || one.Col < 1 || one.Line > lines+1 {
				t.Errorf("%s: a file of %d lines", one, lines)
			}
			if text := one.Error(); strings.ContainsAny(text, "\n\r") || !utf8.ValidString(text) {
				t.Errorf("not one line of text: %q", text)
			}
		}
		if !slices.IsSortedFunc(all, func(a, b playbook.Error) int {
			if a.File != b.File {
				return strings.Compare(a.File, b.File)
			}
			return a.Line - b.Line
		}) {
			t.Errorf("not in order:\n%v", err)
		}
	})
}

// checkLoaded uses a loaded playbook as the other rooms do.
func checkLoaded(t *testing.T, pb *playbook.Playbook) {
	once, again := playbook.Substance(pb), playbook.Substance(pb)
	if once.Digest() != again.Digest() {
		t.Error("the digest differs from one time to the next")
	}
	for _, scenario := range pb.Scenarios.IDs() {
		for _, environment := range pb.Environments.IDs() {
			if _, err := playbook.Closure(pb, scenario, environment); err != nil {
				t.Error(err)
			}
		}
	}
	for _, id := range pb.Services.IDs() {
		pb.AchievableRTO(id)
	}
}
