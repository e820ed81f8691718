package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/playbook"
)

// Code is the exit code of the process.
type Code int

// The exit codes. `belay help exit-codes` shows them; scripts may rely on them.
const (
	OK           Code = 0
	Failed       Code = 1 // something went wrong
	Usage        Code = 2 // the command line or the playbook is not valid
	Refused      Code = 3 // a guard or a gate refused, or the verdict is not PASS
	Unauthorised Code = 4 // the person may not do this
	NotReverted  Code = 9 // a fault could not be taken back: somebody must look
)

// exitError is an error with an exit code.
type exitError struct {
	code Code
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// Exit gives err an exit code. With a nil err nothing is printed: the command has already shown what there is.
func Exit(code Code, err error) error { return &exitError{code, err} }

// Exitf is Exit with a formatted message.
func Exitf(code Code, format string, args ...any) error {
	return Exit(code, fmt.Errorf(format, args...))
}

// hinted is an error with the next command to try.
type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// Hint adds a line that says what to do next, best as a whole command.
func Hint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// reasons returns the lines that come before the error itself: the mistakes of a playbook, or what a guard has against an
// exercise when that is more than one thing.
func reasons(err error) []string {
	if refused := refusals(err); len(refused) > 1 {
		lines := make([]string, len(refused))
		for i, r := range refused {
			lines[i] = "belay: refused: " + oneLine(r.Why)
		}
		return lines
	}
	return mistakes(err)
}

// refusals are what a guard has against an exercise.
func refusals(err error) []exercise.Refusal {
	var refused *exercise.Refused
	if !errors.As(err, &refused) {
		return nil
	}
	return refused.Refusals
}

func oneLine(text string) string { return visible(strings.Join(strings.Fields(text), " ")) }

// mistakes returns the lines of a playbook's mistakes, `file:line:col: path: message (hint)`, or nothing when err is
// something else.
func mistakes(err error) []string {
	var list playbook.Errors
	if !errors.As(err, &list) {
		return nil
	}
	lines := make([]string, len(list))
	for i, one := range list {
		lines[i] = one.Error()
	}
	return lines
}

// codeOf is the one place where an error becomes an exit code. A fault that could not be taken back outranks
// everything else.
func codeOf(err error) Code {
	var exit *exitError
	switch {
	case err == nil:
		return OK
	case errors.Is(err, fault.ErrNotReverted):
		return NotReverted
	case errors.As(err, &exit):
		return exit.code
	case len(mistakes(err)) > 0:
		return Usage
	default:
		return Failed
	}
}

// message is what follows `belay: error: `, in one line.
func message(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	if n := len(mistakes(err)); n == 1 {
		return "the playbook is not valid"
	} else if n > 1 {
		return fmt.Sprintf("the playbook is not valid: %d mistakes", n)
	}
	if n := len(refusals(err)); n > 1 {
		return fmt.Sprintf("the exercise is refused, for %d reasons", n)
	}
	return oneLine(err.Error())
}
