package file_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/file"
)

// inject makes a fault in this process and returns its target and undo.
func inject(t *testing.T, spec object) (fault.Target, json.RawMessage) {
	t.Helper()
	target, err := file.Kinds().Decode(faulttest.Spec(t, spec))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	if err := target.Inject(t.Context(), undo, func(u json.RawMessage) error { undo = u; return nil }); err != nil {
		t.Fatal(err)
	}
	return target, undo
}

func discard(json.RawMessage) error { return nil }

// TestSeedDecides shows that the seed, and nothing else, decides which bytes are flipped.
func TestSeedDecides(t *testing.T) {
	corrupted := func(seed int) string {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, strings.Repeat("belay", 1000))
		inject(t, object{"file": object{"corrupt": object{"path": path, "bytes": 20, "seed": seed}}})
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	once, again := corrupted(1), corrupted(1)
	if once != again {
		t.Error("the same seed gives two corruptions")
	}
	if corrupted(1) == corrupted(2) {
		t.Error("the seed does not matter")
	}
	differ := 0
	for i, b := range []byte(corrupted(3)) {
		if b != strings.Repeat("belay", 1000)[i] {
			differ++
		}
	}
	if differ != 20 {
		t.Errorf("%d bytes differ, want 20", differ)
	}
}

// TestRevertCutShort finishes a corruption's revert that died half way, and does not take it for somebody else's work.
func TestRevertCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	original := strings.Repeat("belay", 1000)
	write(t, path, original)
	target, undo := inject(t, object{"file": object{"corrupt": object{"path": path, "bytes": 100, "at": 50}}})
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte(original[50:90]), 50)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	out, err := target.Revert(t.Context(), undo, discard)
	b, _ := os.ReadFile(path)
	if err != nil || len(out.Superseded) > 0 || string(b) != original {
		t.Errorf("revert: %+v, %v; the file is right: %v", out, err, string(b) == original)
	}
}

// TestOneByteElsewhere leaves a corrupted file alone as soon as somebody else wrote a single byte, and keeps the original.
func TestOneByteElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	original := strings.Repeat("belay", 1000)
	write(t, path, original)
	target, undo := inject(t, object{"file": object{"corrupt": object{"path": path, "bytes": 10, "at": 0}}})
	f, _ := os.OpenFile(path, os.O_WRONLY, 0)
	_, err := f.WriteAt([]byte{'!'}, 4000)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	out, err := target.Revert(t.Context(), undo, discard)
	after, _ := os.ReadFile(path)
	if err != nil || len(out.Superseded) != 1 || len(out.Kept) != 1 || string(before) != string(after) {
		t.Fatalf("revert: %+v, %v", out, err)
	}
	if kept, _ := os.ReadFile(out.Kept[0]); string(kept) != original {
		t.Error("what is kept is not the original")
	}
}

// TestReplacedBeforeInjection does not touch a file that was exchanged between the plan and the injection.
func TestReplacedBeforeInjection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "planned")
	for _, kind := range []string{"lost", "corrupt"} {
		spec := object{"file": object{kind: path}}
		if kind == "corrupt" {
			spec = object{"file": object{"corrupt": object{"path": path, "bytes": 1}}}
		}
		target, err := file.Kinds().Decode(faulttest.Spec(t, spec))
		if err != nil {
			t.Fatal(err)
		}
		p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
		if err != nil {
			t.Fatal(err)
		}
		write(t, path+".new", "exchanged")
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		if err := target.Inject(t.Context(), p.Undo, discard); err == nil {
			t.Errorf("%s: it was injected into a file that nobody planned to touch", kind)
		}
		if out, err := target.Revert(t.Context(), p.Undo, discard); err != nil {
			t.Errorf("%s: revert: %+v, %v", kind, out, err)
		}
		if b, _ := os.ReadFile(path); string(b) != "exchanged" {
			t.Errorf("%s: the file is %q", kind, b)
		}
	}
}

// planned plans a fault and returns its target and undo.
func planned(t *testing.T, spec object) (fault.Target, json.RawMessage) {
	t.Helper()
	target, err := file.Kinds().Decode(faulttest.Spec(t, spec))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	return target, p.Undo
}

// run runs a program that knows nothing of our code.
func run(name string, args ...string) (string, error) {
	b, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %v: %w: %s", name, args, err, b)
	}
	return string(b), err
}

func sorted(text string) string {
	return strings.Join(slices.Sorted(strings.Lines(text)), "")
}
