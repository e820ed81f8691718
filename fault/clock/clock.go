package clock

import (
	"maps"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/process"
)

// Clock is the config: which process (exactly one of pid_file, pid, unit, and name with owner), and by how much.
type Clock struct {
	// PIDFile holds the process ID.
	PIDFile string `yaml:"pid_file,omitempty" json:"pid_file,omitempty"`
	PID     int    `yaml:"pid,omitempty" json:"pid,omitempty"`
	// Unit is a systemd unit; its main process is meant.
	Unit string `yaml:"unit,omitempty" json:"unit,omitempty"`
	// Name is the exact name of the process, of its executable or of its first argument, without directories.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
	// Owner is the name or number of the user whose process of this name is meant.
	Owner string `yaml:"owner,omitempty" json:"owner,omitempty"`
	// AnyUser lets root hit a process of another user.
	AnyUser bool `yaml:"any_user,omitempty" json:"any_user,omitempty"`
	// Shift is how far the clock goes, in whole seconds: "+24h", "-90s".
	Shift string `yaml:"shift,omitempty" json:"shift,omitempty"`
}

// The shifts that a process can be given. Ten years are beyond every certificate and every lease.
const (
	minShift = time.Second
	maxShift = 10 * 366 * 24 * time.Hour
)

func (c *Clock) victim() process.Victim {
	return process.Victim{PIDFile: c.PIDFile, PID: c.PID, Unit: c.Unit, Name: c.Name, Owner: c.Owner, AnyUser: c.AnyUser}
}

// CheckConfig says what is wrong.
func (c *Clock) CheckConfig() map[string]string {
	v := c.victim()
	wrong := maps.Clone(v.Check())
	if wrong == nil {
		wrong = map[string]string{}
	}
	if _, there := wrong[""]; there {
		wrong[""] = "give exactly one of pid_file, pid, unit and name"
	}
	shift, err := time.ParseDuration(c.Shift)
	switch {
	case c.Shift == "":
		wrong["shift"] = `say how far, for example "+24h"`
	case err != nil:
		wrong["shift"] = `"` + c.Shift + `" is no duration: for example "+24h" or "-90s"`
	case shift.Abs() < minShift || shift.Abs() > maxShift || shift%time.Second != 0:
		wrong["shift"] = "must be whole seconds, 1s to 87840h, forward or backward"
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// Target is the fault itself.
func (c *Clock) Target() fault.Target {
	shift, _ := time.ParseDuration(c.Shift)
	return &target{victim: c.victim(), shift: shift}
}

// signed writes a shift with its sign.
func signed(d time.Duration) string {
	if d > 0 {
		return "+" + d.String()
	}
	return d.String()
}
