package resource

import (
	"errors"
	"fmt"
	"strings"

	"github.com/belay-dr/belay/fault/cgroup"
)

// setting is one value of a cgroup, before and under the fault.
type setting struct {
	File string `json:"file"`
	// Device chooses a line of a file that has one for each disk; a disk without a line is not limited.
	Device string `json:"device,omitempty"`
	// Old and New are as the kernel says them.
	Old string `json:"old"`
	New string `json:"new"`
	// None is what is written for a disk that is not to be limited.
	None string `json:"none,omitempty"`
}

// name is how a person calls it: "cpu.max of cgroup /sys/fs/cgroup/app".
func (s setting) name(g cgroup.Group) string {
	if s.Device != "" {
		return s.File + " of " + g.String() + " for disk " + s.Device
	}
	return s.File + " of " + g.String()
}

func (s setting) read(g cgroup.Group) (string, error) {
	text, err := g.Read(s.File)
	if err != nil || s.Device == "" {
		return text, err
	}
	for line := range strings.Lines(text) {
		if device, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && device == s.Device {
			return value, nil
		}
	}
	return "", nil
}

// write sets a value and looks whether the kernel took it.
func (s setting) write(g cgroup.Group, value string) error {
	text := value
	if s.Device != "" {
		if value == "" {
			text = s.None
		}
		text = s.Device + " " + text
	}
	if err := g.Write(s.File, text); err != nil {
		return fmt.Errorf("write %q to %s: %w", text, s.name(g), err)
	}
	now, err := s.read(g)
	if err == nil && now != value {
		err = fmt.Errorf("%s is %q after %q was written", s.name(g), now, value)
	}
	return err
}

// back puts the old value back if the value is still ours. Otherwise it says why not.
func (s setting) back(g cgroup.Group) (superseded string, err error) {
	now, err := s.read(g)
	switch {
	case errors.Is(err, cgroup.ErrGone):
		return g.String() + " is gone", nil
	case err != nil || now == s.Old:
		return "", err
	case now != s.New:
		return fmt.Sprintf("%s was changed to %q since", s.name(g), now), nil
	}
	err = s.write(g, s.Old)
	if errors.Is(err, cgroup.ErrGone) {
		return g.String() + " is gone", nil
	}
	return "", err
}

// left says what is left of it.
func (s setting) left(g cgroup.Group) ([]string, error) {
	now, err := s.read(g)
	if errors.Is(err, cgroup.ErrGone) {
		return nil, nil
	}
	if err == nil && now == s.New && s.New != s.Old {
		return []string{fmt.Sprintf("%s is still %q", s.name(g), now)}, nil
	}
	return nil, err
}
