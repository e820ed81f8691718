package term

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

// refusing fails from the second write on.
type refusing struct {
	err   error
	calls int
}

func (r *refusing) Write(b []byte) (int, error) {
	if r.calls++; r.calls > 1 {
		return 0, r.err
	}
	return len(b), nil
}

func TestOutlet(t *testing.T) {
	full := errors.New("no space left")
	for name, test := range map[string]struct{ fails, want error }{
		"full disk":   {full, full},
		"reader gone": {fmt.Errorf("write: %w", syscall.EPIPE), nil},
		"all is well": {nil, nil},
	} {
		to := &refusing{err: test.fails}
		o := NewOutlet(to)
		p := &Printer{Writer: o}
		for range 3 {
			p.Line("a line")
		}
		if !errors.Is(o.Err(), test.want) || (test.want == nil && o.Err() != nil) {
			t.Errorf("%s: %v, want %v", name, o.Err(), test.want)
		}
		if want := 3; test.fails == nil && to.calls != want {
			t.Errorf("%s: %d writes, want %d", name, to.calls, want)
		} else if test.fails != nil && to.calls != 2 {
			t.Errorf("%s: %d writes, want 2: nothing more is written after an error", name, to.calls)
		}
	}
}
