package hold_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/targets"
)

// TestUnknownKind leaves what another program made to that program: belay-hold does not know all that belay knows.
func TestUnknownKind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "holds")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "f1.json")
	record := `{"format": 1, "writer": "/usr/bin/belay", "phase": "held", "fault": {"cloud": {}}, "undo": {},
 "status": {"id": "f1", "target": "cloud 9", "class": "restore", "state": "held", "since": "2026-01-01T00:00:00Z", "limit_ns": 60000000000},
 "holder": {"pid": 2, "start": "1", "boot": "another"}, "changed": "2026-01-01T00:00:00Z"}`
	if err := os.WriteFile(path, []byte(record), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := hold.Sweep(t.Context(), targets.Host(), dir)
	if !errors.Is(err, fault.ErrNotReverted) || !strings.Contains(err.Error(), "use /usr/bin/belay") {
		t.Errorf("sweep: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != record {
		t.Errorf("the record was changed: %s", b)
	}
}
