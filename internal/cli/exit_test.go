package cli_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/internal/cli"
	"github.com/belay-dr/belay/playbook"
)

func TestExitCodes(t *testing.T) {
	broken := playbook.Errors{{File: "belay.yaml", Line: 3, Col: 1, Path: "teem", Message: `unknown key "teem"`}}
	tests := []struct {
		err     error
		code    cli.Code
		message string
	}{
		{errors.New("disk full"), cli.Failed, "disk full"},
		{fmt.Errorf("run: %w", cli.Exitf(cli.Refused, "verdict FAIL")), cli.Refused, "run: verdict FAIL"},
		{cli.Exit(cli.Refused, nil), cli.Refused, ""},
		{cli.Exitf(cli.Unauthorised, "alice may not\nsign"), cli.Unauthorised, "alice may not sign"},
		{cli.Hint(cli.Exitf(cli.Usage, "no scenario %q", "x"), "belay lint"), cli.Usage, `no scenario "x"`},
		{broken, cli.Usage, "the playbook is not valid"},
		{fmt.Errorf("load playbook: %w", append(broken, broken...)), cli.Usage, "the playbook is not valid: 2 mistakes"},
		// A fault that is still there outranks everything.
		{cli.Exit(cli.Refused, fmt.Errorf("end: %w", fault.ErrNotReverted)), cli.NotReverted, "end: fault not reverted"},
		{errors.Join(broken, fault.ErrNotReverted), cli.NotReverted, "the playbook is not valid"},
	}
	for _, tt := range tests {
		if got := cli.CodeOf(tt.err); got != tt.code {
			t.Errorf("%v: exit code %d, want %d", tt.err, got, tt.code)
		}
		if got := cli.Message(tt.err); got != tt.message {
			t.Errorf("%v: message %q, want %q", tt.err, got, tt.message)
		}
	}
	if got := cli.CodeOf(nil); got != cli.OK {
		t.Errorf("no error: exit code %d", got)
	}
}
