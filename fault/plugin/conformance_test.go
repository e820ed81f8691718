package plugin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/plugin"
)

func TestMain(m *testing.M) { faulttest.Main(m, plugin.Kinds(), nil) }

type object = map[string]any

// TestConformance holds the examples of the repository with real holders.
func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		rig   func(testing.TB) faulttest.Rig
		needs []string
	}{
		"feature-flag.py":     {flagRig, []string{"python3"}},
		"maintenance-page.sh": {pageRig, []string{"bash", "curl"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, program := range c.needs {
				if _, err := exec.LookPath(program); err != nil && os.Getenv("CI") == "true" {
					t.Fatal(err)
				} else if err != nil {
					t.Logf("NOT TESTED: %v", err)
					return
				}
			}
			faulttest.Run(t, c.rig)
		})
	}
}

// starting is how long the programs of a plug-in may take to start on a busy machine.
const starting = 12 * time.Second

// python is the system's own, because what stands in front of it on some machines takes long to start it.
func python() string {
	if _, err := os.Stat("/usr/bin/python3"); err == nil {
		return "/usr/bin/python3"
	}
	return "python3"
}

// example is one of the plug-ins that a reader of the documentation begins with.
func example(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "examples", "plugins", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// flagRig is a file of flags, of which one is switched off.
func flagRig(t testing.TB) faulttest.Rig {
	file := filepath.Join(t.TempDir(), "flags.json")
	write(t, file, `{"checkout": true, "search": "fast"}`)
	flag := func() any {
		b, _ := os.ReadFile(file)
		var flags map[string]any
		_ = json.Unmarshal(b, &flags)
		return flags["checkout"]
	}
	return faulttest.Rig{
		Kinds: plugin.Kinds(), Within: starting,
		Spec: faulttest.Spec(t, object{"plugin": object{
			"run": []string{python(), example(t, "feature-flag.py")}, "config": object{"file": file, "flag": "checkout", "value": false},
		}}),
		Broken: func() bool { return flag() == false },
		Remove: func() { os.Remove(file) },
		Change: func() { write(t, file, `{"checkout": "new"}`) },
		Intact: func() bool { return flag() == "new" },
	}
}

// pageRig is a web site that is in maintenance while the page is there.
func pageRig(t testing.TB) faulttest.Rig {
	root := t.TempDir()
	page := filepath.Join(root, "maintenance.html")
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, err := os.ReadFile(page); err == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write(b)
		}
	}))
	t.Cleanup(site.Close)
	return faulttest.Rig{
		Kinds: plugin.Kinds(), Within: starting,
		Spec: faulttest.Spec(t, object{"plugin": object{
			"run": []string{example(t, "maintenance-page.sh")}, "config": object{"root": root, "url": site.URL + "/?a=1&b=2"},
		}}),
		Broken: func() bool {
			left, _ := filepath.Glob(filepath.Join(root, "*"))
			return len(left) > 0
		},
		Remove: func() { os.RemoveAll(root) },
		Change: func() { write(t, page, "by hand") },
		Intact: func() bool { b, _ := os.ReadFile(page); return strings.Contains(string(b), "by hand") },
	}
}
