package check

import (
	"fmt"

	"github.com/belay-dr/belay/doctor"
	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/lint"
)

// playbook looks at what the playbook says: blockers of lint, and the identity of a production environment.
func (v *visit) playbook() {
	blockers := lint.Blockers(lint.Check(v.pb))
	if len(blockers) == 0 {
		v.look(doctor.AreaPlaybook, "", func() *doctor.Finding { return nil })
	}
	for _, f := range blockers {
		v.look(doctor.AreaPlaybook, "", func() *doctor.Finding {
			fix := f.Hint
			if fix == "" {
				fix = "run `belay lint`"
			}
			return blocker(fmt.Sprintf("lint.%s.%s", f.ID, f.Path), "a playbook without blockers",
				fmt.Sprintf("%s:%d:%d: %s", f.Pos.File, f.Pos.Line, f.Pos.Col, f.Message), f.Why, fix)
		})
	}
	if v.env.Kind == playbook.Production {
		v.look(doctor.AreaPlaybook, "", func() *doctor.Finding {
			if len(v.env.Identity) > 0 {
				return nil
			}
			return blocker("identity."+v.environment, "a pinned identity, checked live before each fault and step", "none",
				"a command that runs in the wrong account breaks what nobody meant to break",
				fmt.Sprintf("add environments.%s.identity to belay.yaml", v.environment))
		})
	}
}
