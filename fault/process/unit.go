package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// systemdBound is how long systemctl may take.
const systemdBound = 5 * time.Second

// unit is what systemd says of one.
type unit struct {
	main  int
	group string
	state string
}

// unitName says that a name cannot be taken for an option or a path.
func unitName(s string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*$`).MatchString(s)
}

// showUnit asks systemctl, which is what every administrator asks too.
func showUnit(name string) (unit, error) {
	ctx, cancel := context.WithTimeout(context.Background(), systemdBound)
	defer cancel()
	const hint = "take pid_file, or name with owner"
	cmd := exec.CommandContext(ctx, "systemctl", "show", "-p", "MainPID,ControlGroup,ActiveState", "--", name)
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return unit{}, fmt.Errorf("unit %s: there is no systemctl here: %s", name, hint)
	case ctx.Err() != nil:
		return unit{}, fmt.Errorf("unit %s: systemctl does not answer within %s: %s", name, systemdBound, hint)
	case err != nil && said != "":
		return unit{}, fmt.Errorf("unit %s: systemctl: %s: %s", name, strings.TrimSuffix(said, "."), hint)
	case err != nil:
		return unit{}, fmt.Errorf("unit %s: systemctl: %w: %s", name, err, hint)
	}
	u, err := readUnit(stdout.String())
	if err != nil {
		return unit{}, fmt.Errorf("unit %s: %w", name, err)
	}
	if u.state != "active" && u.state != "reloading" {
		return unit{}, fmt.Errorf("unit %s is %s: it has no process: `systemctl status %s` says why", name, u.state, name)
	}
	return u, nil
}

// readUnit reads KEY=VALUE lines in any order.
func readUnit(text string) (unit, error) {
	var u unit
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
		switch key {
		case "MainPID":
			pid, err := strconv.Atoi(value)
			if err != nil || pid < 0 {
				return unit{}, fmt.Errorf("systemctl says MainPID=%s: that is no process ID", value)
			}
			u.main = pid
		case "ControlGroup":
			u.group = value
		case "ActiveState":
			u.state = value
		}
	}
	if u.state == "" {
		return unit{}, errors.New("systemctl says no ActiveState")
	}
	return u, nil
}
