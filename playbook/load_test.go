package playbook_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belay-dr/belay/playbook"
)

var update = flag.Bool("update", false, "rewrite the expected texts")

func load(t *testing.T, fsys fs.FS) *playbook.Playbook {
	t.Helper()
	pb, err := playbook.Load(fsys, testKinds())
	if err != nil {
		t.Fatalf("load:\n%v", err)
	}
	return pb
}

func valid(t *testing.T) *playbook.Playbook { return load(t, os.DirFS("testdata/valid")) }

func TestLoadReadsEveryForm(t *testing.T) {
	pb := valid(t)
	api, _ := pb.Services.Get("api")
	if api.RTO.D() != 12*time.Hour || api.Critical.Level != playbook.Always {
		t.Errorf("service api: %+v", api)
	}
	if got := api.Probes[0].Value.Config.(*httpKind); got.URL != "${api}/books/" || got.Expect.Status != 200 {
		t.Errorf("probe: %+v", got)
	}
	database, _ := pb.Services.Get("database")
	if c := database.Critical; c.Level != playbook.During || c.Period.Zone != "America/Los_Angeles" || c.Period.Spans[0].From != 120 {
		t.Errorf("criticality: %+v", c)
	}
	restart, _ := pb.Actions.Get("restart-api")
	if got := restart.Bindings.IDs(); !cmp.Equal(got, []string{"staging", "production"}) {
		t.Errorf("bindings: %v", got)
	}
	failure, _ := pb.Scenarios.Get("api-failure")
	options := failure.Recovery[0].Options
	if options[0].Value.If.Config.(*tcpKind).Address != "${host}:22" || options[1].Value.Goto != "replace" || failure.Recovery[1].Then.OK != playbook.ToResume {
		t.Errorf("options: %+v, then: %+v", options, failure.Recovery[1].Then)
	}
	if got := failure.Recovery[2].Capture; got != nil {
		t.Errorf("capture of replace: %+v", got)
	}
	if got := pb.Scenarios.IDs(); !cmp.Equal(got, []string{"api-failure", "database-failure"}) {
		t.Errorf("scenarios: %v", got)
	}
}

func TestValidPlaybookFitsTheRealKinds(t *testing.T) {
	if _, err := playbook.Load(os.DirFS("testdata/valid"), realKinds()); err != nil {
		t.Error(err)
	}
}

func TestPosition(t *testing.T) {
	pb := valid(t)
	for path, want := range map[string]string{
		"services.api.rto":                             "belay.yaml:38:10",
		"services.api":                                 "belay.yaml:30:3",
		"services.api.needs[1]":                        "belay.yaml:41:23",
		"services.api.nothing.there":                   "belay.yaml:30:3",
		"scenarios.api-failure.recovery[1].then":       "scenarios/api-failure.yaml:24:43",
		"scenarios.api-failure.recovery[3].expect.tcp": "scenarios/api-failure.yaml:30:19",
		"scenarios.api-failure":                        "scenarios/api-failure.yaml:1:1",
		"no such thing":                                "belay.yaml:1:1",
	} {
		if got := pb.Position(path).String(); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

// TestBroken loads each directory of testdata/broken. Each holds one mistake, and want holds the one line that it gives;
// the directories whose names begin with "many" hold several. The kinds are the real ones, so that "belay lint DIR" prints the
// same lines.
func TestBroken(t *testing.T) {
	dirs, err := filepath.Glob("testdata/broken/*")
	if err != nil || len(dirs) < 60 {
		t.Fatalf("want at least 60 broken playbooks, got %d (%v)", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			_, err := playbook.Load(os.DirFS(dir), realKinds())
			if err == nil {
				t.Fatal("the mistake was not found")
			}
			got := err.Error() + "\n"
			if lines := strings.Count(got, "\n"); lines != 1 && !strings.HasPrefix(filepath.Base(dir), "many") {
				t.Errorf("want one line for one mistake, got:\n%s", got)
			}
			golden := filepath.Join(dir, "want")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// dirFiles reads a playbook's files into memory.
func dirFiles(t *testing.T, dir string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = &fstest.MapFile{Data: data, Mode: 0o644}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLinesMoveWithTheText puts lines before each broken playbook: every place must move down by as many.
func TestLinesMoveWithTheText(t *testing.T) {
	dirs, _ := filepath.Glob("testdata/broken/*")
	moved := 0
	for _, dir := range dirs {
		files := dirFiles(t, dir)
		before := mistakes(files)
		for name := range files {
			files[name].Data = append([]byte("# 日本語 \"quoted\"\r\n\n# more\n"), files[name].Data...)
		}
		after := mistakes(files)
		if len(before) != len(after) {
			t.Errorf("%s: %d mistakes, then %d", dir, len(before), len(after))
			continue
		}
		for i, b := range before {
			if b.Line == 1 && b.Col == 1 {
				continue // about the whole file
			}
			moved++
			if a := after[i]; a.File != b.File || a.Line != b.Line+3 || a.Col != b.Col || a.Message != b.Message {
				t.Errorf("%s:\nbefore %v\nafter  %v", dir, b, a)
			}
		}
	}
	if moved < 100 {
		t.Errorf("only %d mistakes have a place within their file", moved)
	}
}

func mistakes(files fs.FS) playbook.Errors {
	_, err := playbook.Load(files, realKinds())
	var all playbook.Errors
	errors.As(err, &all)
	return all
}

func TestWindowsLineEnds(t *testing.T) {
	files := dirFiles(t, "testdata/valid")
	for name := range files {
		files[name].Data = bytes.ReplaceAll(files[name].Data, []byte("\n"), []byte("\r\n"))
	}
	if diff := playbook.Diff(playbook.Substance(valid(t)), playbook.Substance(load(t, files))); diff != nil {
		t.Errorf("line ends changed %v", diff)
	}
}

// validFiles is the valid playbook in memory, to be broken.
func validFiles(t *testing.T) fstest.MapFS {
	t.Helper()
	return dirFiles(t, "testdata/valid")
}

// endless is a file that says it is small and never ends, as a pseudo file may.
type endless struct{ fs.File }

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '#'
	}
	return len(p), nil
}

type endlessFS struct{ fstest.MapFS }

func (e endlessFS) Open(name string) (fs.File, error) {
	f, err := e.MapFS.Open(name)
	if name == "belay.yaml" && err == nil {
		return endless{f}, nil
	}
	return f, err
}

func TestRefusedFiles(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 9; i++ {
		n := string(rune('0' + i))
		p := string(rune('0' + i - 1))
		bomb += "a" + n + ": &a" + n + " [" + strings.Repeat("*a"+p+", ", 8) + "*a" + p + "]\n"
	}
	link := func(target string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
	}
	for name, c := range map[string]struct {
		change func(fstest.MapFS)
		want   string
	}{
		"10 MB": {
			func(m fstest.MapFS) { m["belay.yaml"].Data = bytes.Repeat([]byte("a: b # text\n"), 900_000) },
			"belay.yaml:1:1: the file is larger than 1 MiB (keep logs and other data out of the playbook)",
		},
		"bomb": {
			func(m fstest.MapFS) { m["belay.yaml"].Data = []byte(bomb) },
			"belay.yaml:5:40: the file stands for more than 50000 values (use fewer aliases)",
		},
		"missing": {
			func(m fstest.MapFS) { delete(m, "belay.yaml") },
			`belay.yaml:1:1: there is no such file ("belay init" writes one)`,
		},
		"directory": {
			func(m fstest.MapFS) { m["belay.yaml"].Mode |= fs.ModeDir },
			"belay.yaml:1:1: is not a regular file",
		},
		"pipe": {
			func(m fstest.MapFS) { m["belay.yaml"].Mode = fs.ModeNamedPipe },
			"belay.yaml:1:1: is not a regular file",
		},
		"absolute link": {
			func(m fstest.MapFS) { m["scenarios/database-failure.yaml"] = link("/etc/passwd") },
			"scenarios/database-failure.yaml:1:1: is a symbolic link that leads out of the playbook's directory",
		},
		"link upwards": {
			func(m fstest.MapFS) { m["scenarios/database-failure.yaml"] = link("../../secret.yaml") },
			"scenarios/database-failure.yaml:1:1: is a symbolic link that leads out of the playbook's directory",
		},
		"link through a linked directory": {func(m fstest.MapFS) {
			m["scenarios/database-failure.yaml"] = link("../away/hosts.yaml")
			m["away"] = link("/etc")
		}, "scenarios/database-failure.yaml:1:1: is a symbolic link that leads out of the playbook's directory"},
		"link to itself": {
			func(m fstest.MapFS) { m["scenarios/database-failure.yaml"] = link("database-failure.yaml") },
			"scenarios/database-failure.yaml:1:1: is a symbolic link that leads nowhere",
		},
		"wrong ending": {
			func(m fstest.MapFS) { m["scenarios/other.yml"] = &fstest.MapFile{} },
			`scenarios/other.yml:1:1: the name of a scenario's file ends with .yaml (rename it to "other.yaml")`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := validFiles(t)
			c.change(files)
			start := time.Now()
			_, err := playbook.Load(files, testKinds())
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v to refuse it", took)
			}
		})
	}
	t.Run("endless", func(t *testing.T) {
		_, err := playbook.Load(endlessFS{validFiles(t)}, testKinds())
		if err == nil || !strings.Contains(err.Error(), "belay.yaml:1:1: the file is larger than 1 MiB") {
			t.Errorf("got %v", err)
		}
	})
}

// TestLinksOnDisk looks through a symbolic link on a real file system, which os.DirFS follows blindly.
func TestLinksOnDisk(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	for name, file := range validFiles(t) {
		for _, root := range []string{outside, dir} {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, file.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := filepath.Join(dir, "scenarios", "database-failure.yaml")
	if err := os.Rename(link, filepath.Join(dir, "kept.yaml")); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{
		"../kept.yaml": "",
		filepath.Join(outside, "scenarios", "database-failure.yaml"): "scenarios/database-failure.yaml:1:1: is a symbolic link that leads out of the playbook's directory",
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		got := ""
		if _, err := playbook.Load(os.DirFS(dir), testKinds()); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("link to %s: got %q, want %q", target, got, want)
		}
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLoadIsQuick loads the most hostile files that the limits let through.
func TestLoadIsQuick(t *testing.T) {
	row := "  s%03d: {critical: always, needs: [" + strings.Repeat("s998, ", 40) + "s999]}\n"
	var services strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&services, row, i)
	}
	for name, main := range map[string]string{
		"references": "application: a\nservices:\n" + services.String(),
		"list":       "technologies: [" + strings.Repeat("x, ", 300_000) + "]\n",
		"keys":       strings.Repeat("x: 1\n", 200_000),
		"brackets":   strings.Repeat("[", 1<<20),
		"braces":     strings.Repeat("{a: ", 200_000),
		"dashes":     strings.Repeat("- ", 500_000),
		"question":   strings.Repeat("? ", 500_000),
		"anchors":    strings.Repeat("&a ", 300_000),
		"quotes":     strings.Repeat("'", 1<<20),
		"comment":    strings.Repeat("#\n", 1<<19),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := playbook.Load(fstest.MapFS{"belay.yaml": {Data: []byte(main)}}, testKinds())
			if took := time.Since(start); err == nil || took > 30*time.Second {
				t.Errorf("it took %v: %v", took, err)
			}
			t.Log(time.Since(start))
		})
	}
}

func TestByteOrderMarkIsTolerated(t *testing.T) {
	files := validFiles(t)
	files["belay.yaml"].Data = append([]byte("\ufeff"), files["belay.yaml"].Data...)
	load(t, files)
}

func TestPlaybookNeedsNoScenario(t *testing.T) {
	files := validFiles(t)
	delete(files, "scenarios/api-failure.yaml")
	delete(files, "scenarios/database-failure.yaml")
	load(t, files)
}
