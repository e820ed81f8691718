package hold

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
)

const (
	// armBound is how long a reaper may take to say that it is ready.
	armBound = 10 * time.Second
	// rearm is how often a holder replaces a reaper that died. After that it ends the fault.
	rearm = 3
	// look is how often a reaper looks at its holder, and tooLong how many looks in a row may find it stopped. A holder that
	// is stopped sees neither the end of its input nor a beat that is missing.
	look    = 100 * time.Millisecond
	tooLong = 30
	// armedLine is what a reaper says once it watches its holder.
	armedLine = "armed"
)

// arm starts the reaper and returns once it watches. If it dies later, another one is started.
func (h *holder) arm() error {
	cmd, err := h.startReaper()
	if err != nil {
		return fmt.Errorf("arm the reaper: %w", err)
	}
	h.reaped = make(chan struct{})
	go func() {
		defer close(h.reaped)
		for n := 0; ; n++ {
			_ = cmd.Wait()
			select {
			case <-h.over:
				return
			default:
			}
			if n == rearm {
				h.finish(causeReaper)
				return
			}
			if cmd, err = h.startReaper(); err != nil {
				h.finish(causeReaper)
				return
			}
		}
	}()
	return nil
}

// dismiss waits a moment for the reaper, which goes by itself once the lock is free and there is nothing to do.
func (h *holder) dismiss() {
	if h.reaped == nil || h.rec.Phase != settled {
		return
	}
	select {
	case <-h.reaped:
	case <-time.After(time.Second):
	}
}

// startReaper starts this binary again, in a session of its own and with none of our pipes.
func (h *holder) startReaper() (*exec.Cmd, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	argv := append(append([]string{}, h.Exe...), "reap", h.dir, h.rec.Status.ID)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Args[0] = filepath.Base(os.Args[0])
	cmd.Dir, cmd.Stdout = "/", w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return nil, err
	}
	_ = r.SetReadDeadline(time.Now().Add(armBound))
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil || line != armedLine+"\n" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("the reaper did not come up: %w", errors.Join(err, fs.ErrInvalid))
	}
	return cmd, nil
}

// reap is the life of a reaper: wait for the holder's lock, or for the holder to be overdue, and end the fault if it has not ended.
func (p Process) reap(k keeper, id string) (int, error) {
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, unix.SIGPIPE, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	rec, err := k.read(id)
	if err != nil {
		return exitError, err
	}
	got := make(chan lock, 1)
	failed := make(chan error, 1)
	fmt.Fprintln(p.Stdout, armedLine)
	if f, ok := p.Stdout.(*os.File); ok {
		f.Close()
	}
	go func() {
		l, err := k.wait(id)
		if err != nil {
			failed <- err
			return
		}
		got <- l
	}()
	cause := causeReaper
	seen := rec
	stopped := 0
	var past time.Time // when the holder was first seen past its limit
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case err := <-failed:
			return exitError, err
		case l := <-got:
			defer l.free()
			return k.takeOver(id, cause, seen)
		case <-tick.C:
			// The record may be taken away together with its directory. What it said last is kept for that.
			if now, err := k.read(id); err == nil {
				seen = now
			}
			if i, err := proc.Find(rec.Holder); err == nil && i.State == proc.Stopped {
				stopped++
			} else {
				stopped = 0
			}
			if stopped >= tooLong {
				_ = proc.Signal(rec.Holder, unix.SIGKILL)
			}
			// A machine that slept past the limit has only just woken up: the holder gets its time from now on.
			if past.IsZero() && k.clk.Boot() >= time.Duration(rec.Deadline) {
				past = time.Now()
			}
			if !past.IsZero() && k.overdue(id, time.Since(past), p.Grace) {
				_ = proc.Signal(rec.Holder, unix.SIGKILL)
				cause = causeLimit
			}
		}
	}
}

// overdue says that the holder hangs: late for some time and still not reverting, or reverting for longer than all attempts may take.
func (k keeper) overdue(id string, late, grace time.Duration) bool {
	if late < grace {
		return false
	}
	now, err := k.read(id)
	if err == nil && (now.Phase == reverting || now.Phase == settled) {
		return late > grace+attempts*(revertBound+5*time.Second)
	}
	return true
}

// takeOver ends a fault whose lock has just become ours, unless it has ended. If its record is gone, what the reaper saw
// of it last has to do: taking back twice does no harm.
func (k keeper) takeOver(id, cause string, seen *Record) (int, error) {
	rec, err := k.read(id)
	if errors.Is(err, fs.ErrNotExist) {
		if seen.Phase == recorded || seen.Phase == armed {
			// It may have come further since. Reverting what never began changes nothing.
			seen.Phase = injecting
		}
		rec, err = seen, nil
	}
	if err != nil {
		return exitError, err
	}
	k.end(rec, cause)
	if rec.Phase != settled {
		return exitNotReverted, unsettled(rec.Status)
	}
	return exitOK, nil
}
