package process

import (
	"errors"
	"fmt"
	"maps"

	"github.com/belay-dr/belay/fault"
)

// Process is the config of a fault in processes: exactly one of kill, stop, pause and freeze.
type Process struct {
	// Kill ends the processes at once, as a crash would.
	Kill *Victim `yaml:"kill,omitempty" json:"kill,omitempty"`
	// Stop stops the processes with SIGSTOP; they go on when the fault ends.
	Stop *Victim `yaml:"stop,omitempty" json:"stop,omitempty"`
	// Pause stops every thread in such a way that the kernel lets them go on when the holder dies.
	Pause *Victim `yaml:"pause,omitempty" json:"pause,omitempty"`
	// OrStop lets pause take SIGSTOP where the holder may not trace the process.
	OrStop bool `yaml:"or_stop,omitempty" json:"or_stop,omitempty"`
	// Freeze freezes a whole cgroup, with all that will be in it.
	Freeze *Victim `yaml:"freeze,omitempty" json:"freeze,omitempty"`
}

// Victim says which processes: exactly one of pid_file, pid, unit, name (with owner) and cgroup.
type Victim struct {
	// PIDFile holds process IDs, one a line.
	PIDFile string `yaml:"pid_file,omitempty" json:"pid_file,omitempty"`
	PID     int    `yaml:"pid,omitempty" json:"pid,omitempty"`
	// Unit is a systemd unit, for example nginx.service: its main process, or all of it with whole.
	Unit string `yaml:"unit,omitempty" json:"unit,omitempty"`
	// Whole takes the whole control group of the unit.
	Whole bool `yaml:"whole,omitempty" json:"whole,omitempty"`
	// Name is the exact name of the process, of its executable or of its first argument, without directories.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
	// Owner is the name or number of the user whose processes of this name are meant.
	Owner string `yaml:"owner,omitempty" json:"owner,omitempty"`
	// Cgroup is a control group with all below it: its path in the hierarchy, or its directory.
	Cgroup string `yaml:"cgroup,omitempty" json:"cgroup,omitempty"`
	// Max is how many processes may be hit; 0 means 1. More of them is a refusal, not a choice.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
	// AnyUser lets root hit processes of other users.
	AnyUser bool `yaml:"any_user,omitempty" json:"any_user,omitempty"`
	// among are processes that another fault has found itself.
	among []int
}

// Among is the same victim with its processes already found. All that is refused otherwise is refused then too.
func (v Victim) Among(pids ...int) Victim {
	v.among = pids
	return v
}

// Short accepts {kill: /run/app.pid} for {kill: {pid_file: /run/app.pid}}.
func (v *Victim) Short(values []string, list bool) error {
	if list || len(values) != 1 {
		return errors.New("give one pid file, or {pid_file: ...}")
	}
	v.PIDFile = values[0]
	return nil
}

// UnmarshalJSON accepts the same short form.
func (v *Victim) UnmarshalJSON(b []byte) error {
	type plain Victim
	return fault.ShortJSON(b, v.Short, (*plain)(v))
}

// CheckConfig says what is wrong.
func (p *Process) CheckConfig() map[string]string {
	actions := map[string]*Victim{"kill": p.Kill, "stop": p.Stop, "pause": p.Pause, "freeze": p.Freeze}
	maps.DeleteFunc(actions, func(_ string, v *Victim) bool { return v == nil })
	if len(actions) != 1 {
		return map[string]string{"": "give exactly one of kill, stop, pause and freeze"}
	}
	if p.OrStop && p.Pause == nil {
		return map[string]string{"or_stop": "is for pause only"}
	}
	for key, v := range actions {
		wrong := map[string]string{}
		for k, text := range v.Check() {
			if k != "" {
				k = "." + k
			}
			wrong[key+k] = text
		}
		if key == "freeze" && len(wrong) == 0 && !v.group() {
			wrong[key] = "give cgroup, or unit with whole: true: only a whole control group can be frozen"
		}
		return wrong
	}
	return nil
}

// Check says what is wrong with a selector, by key; the empty key is the selector itself.
func (v *Victim) Check() map[string]string {
	given := 0
	for _, there := range []bool{v.PIDFile != "", v.PID != 0, v.Unit != "", v.Name != "", v.Cgroup != ""} {
		if there {
			given++
		}
	}
	switch {
	case given != 1:
		return map[string]string{"": "give exactly one of pid_file, pid, unit, name and cgroup"}
	case v.PID < 0 || v.PID == 1:
		return map[string]string{"pid": "must be above 1"}
	case v.Unit != "" && !unitName(v.Unit):
		return map[string]string{"unit": fmt.Sprintf("%q is no name of a systemd unit: for example nginx.service", v.Unit)}
	case v.Whole && v.Unit == "":
		return map[string]string{"whole": "is for unit only"}
	case (v.Name != "") != (v.Owner != ""):
		return map[string]string{"owner": "goes with name: the user whose processes of this name are meant"}
	case v.Name != "" && !plainName(v.Name):
		return map[string]string{"name": "must be a name without directories, not a pattern"}
	case v.Cgroup != "" && !absolute(v.Cgroup):
		return map[string]string{"cgroup": "must be an absolute path without .."}
	case v.Max < 0:
		return map[string]string{"max": "must not be negative"}
	}
	return nil
}

// group says that a whole control group is meant.
func (v *Victim) group() bool { return v.Cgroup != "" || v.Whole }

// Target is the fault itself.
func (p *Process) Target() fault.Target {
	switch {
	case p.Kill != nil && p.Kill.group():
		return &killGroup{*p.Kill}
	case p.Kill != nil:
		return kill{*p.Kill}
	case p.Stop != nil:
		return stop{*p.Stop}
	case p.Pause != nil:
		return &pause{Victim: *p.Pause, orStop: p.OrStop}
	}
	return freeze{*p.Freeze}
}
