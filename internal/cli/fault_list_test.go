package cli_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/internal/cli"
	"github.com/belay-dr/belay/internal/cli/term"
)

func TestSettled(t *testing.T) {
	for name, test := range map[string]struct {
		status     fault.Status
		over, want bool
	}{
		"armed":                  {fault.Status{State: fault.Armed}, false, false},
		"held":                   {fault.Status{State: fault.Held}, false, false},
		"could not be reverted":  {fault.Status{State: fault.Failed, Error: "revert: x"}, false, false},
		"never came about":       {fault.Status{State: fault.Failed, Error: "inject fault: x"}, true, true},
		"a state of a new belay": {fault.Status{State: "paused"}, false, false},
		"reverted":               {fault.Status{State: fault.Reverted}, true, true},
		"ended":                  {fault.Status{State: fault.Ended}, true, true},
		"superseded":             {fault.Status{State: fault.Superseded, Superseded: []string{"it was written to"}}, true, true},
		"keeps an original":      {fault.Status{State: fault.Superseded, Kept: []string{"/a"}}, true, false},
		"left something behind":  {fault.Status{State: fault.Ended, Residue: []string{"/a"}}, true, false},
	} {
		if got := cli.Settled(test.status, test.over); got != test.want {
			t.Errorf("%s: settled %v, want %v", name, got, test.want)
		}
	}
}

// Who names a file or a process does not steer the terminal of whoever looks.
func TestNamesDoNotSteerTheTerminal(t *testing.T) {
	var b bytes.Buffer
	cli.ShowFaults(&term.Printer{Writer: &b}, []fault.Status{{
		ID: "f-1", State: fault.Failed, Target: "lose /srv/\x1b[2J\u009bx", Error: "revert: /srv/\x1b[2J\a is there",
	}})
	if s := b.String(); strings.ContainsAny(s, "\x1b\u009b\a") || !strings.Contains(s, `lose /srv/\x1b[2J\x9bx`) || !strings.Contains(s, `\x07 is there`) {
		t.Errorf("%q", s)
	}
	if got := cli.Message(errors.New("a\n\x1b[31mb")); got != `a \x1b[31mb` {
		t.Errorf("%q", got)
	}
}

// On a terminal no line is too wide, and times are counted from now.
func TestFaultListOnTerminal(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	cli.ShowFaults(&term.Printer{Writer: &b, TTY: true, Width: 80, Now: now}, []fault.Status{
		{
			ID: "x-01JD0000000000000000000000", State: fault.Held, Target: "process 4711 (bookstore api on 127.0.0.1:8080)",
			Since: now.Add(-3 * time.Minute), Limit: 15 * time.Minute, Confirmed: "the process is gone",
		},
		{
			ID: "x-01JD0000000000000000000001", State: fault.Superseded, Target: "corrupt /srv/bookstore/data/catalogue.db",
			Since: now.Add(-3 * time.Hour), Limit: time.Hour, Cause: "the end of its input",
			Superseded: []string{"/srv/bookstore/data/catalogue.db: another file is there, which somebody has put in its place meanwhile"},
			Kept:       []string{"/srv/bookstore/data/.catalogue.db.belay-x-01JD0000000000000000000001"},
		},
	})
	for _, line := range strings.Split(b.String(), "\n") {
		if ansi.StringWidth(line) > 80 {
			t.Errorf("too wide: %q", line)
		}
	}
	for _, want := range []string{"3 minutes ago", "3 hours ago", "15 min", "belay fault discard"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}
