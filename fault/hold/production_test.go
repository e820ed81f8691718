package hold_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/plugin"
)

// A target that is known to be production's is only for a permit for production, and there only what has an end of its own.
func TestProductionTargets(t *testing.T) {
	permit := func(production bool) *fault.Permit {
		return &fault.Permit{Exercise: "e1", Environment: "e", Production: production, Plan: "digest", Expires: time.Now().Add(time.Hour)}
	}
	for name, c := range map[string]struct {
		says   string
		permit *fault.Permit
		want   string // empty: it is held
	}{
		"nothing says so":                      {``, nil, ""},
		"no permit":                            {`, "production": "label env=prod"`, nil, "refused: shop is production's (label env=prod), and the permit is not for production"},
		"permit for staging":                   {`, "production": "label env=prod"`, permit(false), "refused: shop is production's (label env=prod), and the permit is not for production"},
		"permit for production":                {`, "production": "label env=prod"`, permit(true), ""},
		"elsewhere":                            {`, "elsewhere": true`, permit(false), ""},
		"elsewhere, in production":             {`, "elsewhere": true`, permit(true), "refused: in production this fault would live in somebody else's API without an end there: hold it by a hub or an agent, or take one with a deadline"},
		"elsewhere, in production, ends there": {`, "elsewhere": true, "ends_after": "10s"`, permit(true), ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "plug")
			script := fmt.Sprintf(`#!/bin/sh
read -r q
case "$q" in
*'"do":"plan"'*) echo '{"target": "shop", "class": "restore", "changes": ["close it"]%s}' ;;
*'"do":"confirm"'*) if [ -e %[2]s.on ]; then echo '{"seen": "closed"}'; else echo '{"seen": ""}'; fi ;;
*'"do":"inject"'*) touch %[2]s.on; echo '{}' ;;
*'"do":"revert"'*) rm -f %[2]s.on; echo '{}' ;;
*) echo '{"residue": []}' ;;
esac
`, c.says, path)
			if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			r := hold.Request{Permit: c.permit, Limit: 10 * time.Second, Fault: faulttest.Spec(t, map[string]any{"plugin": map[string]any{"run": []string{path}}})}
			if c.permit == nil {
				r.NoPlaybook = "test"
			}
			h, err := faulttest.Launcher(plugin.Kinds(), filepath.Join(t.TempDir(), "holds")).Hold(t.Context(), r)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if st, err := h.Release(t.Context()); err != nil || st.State != fault.Reverted {
					t.Errorf("state %s, %v", st.State, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
			if _, err := os.Stat(path + ".on"); err == nil {
				t.Error("it was injected all the same")
			}
		})
	}
}
