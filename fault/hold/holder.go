package hold

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

const (
	// planBound is how long a target may look before it must say what it would do.
	planBound = 20 * time.Second
	// replans is how often a plan is made again because another fault ended at its target meanwhile.
	replans = 3
	// confirmBound is how long the effect may take to be seen.
	confirmBound = 10 * time.Second
	// settleInput is how long the input must stay open after the request before anything is broken.
	settleInput = 20 * time.Millisecond
	// productionMark marks a host as production, whatever a request says.
	productionMark = "/etc/belay/production"
)

// Event is a status line of the holder: armed, holding, ended or refused.
type Event struct {
	Event string `json:"event"`
	fault.Status
}

// holder holds one fault.
type holder struct {
	Process
	keeper
	in  *input
	req Request
	// spec is what the request breaks.
	spec fault.Spec
	rec  *Record
	own  lock
	// id is the fault's, once it has one.
	id atomic.Pointer[string]
	// reaped is closed when the reaper has gone.
	reaped chan struct{}
	// cause is set once, by whatever ends the fault first; over is closed then.
	cause atomic.Pointer[string]
	over  chan struct{}
	until time.Duration
}

// run is the life of a holder.
func (h *holder) run() (int, error) {
	signals := h.signals()
	// A holder must not end with its terminal or its starter's group. A group leader cannot leave; its reaper has.
	_, _ = unix.Setsid()
	if err := lasting(h.Stdin); err != nil {
		return exitRefused, err
	}
	h.in = newInput(h.Stdin, h.clk)
	line, err := h.in.request()
	if err != nil {
		return exitFor(err), err
	}
	if h.req, err = ParseRequest(line); err != nil {
		return exitUsage, err
	}
	h.until = h.clk.Boot() + h.req.Limit
	h.over = make(chan struct{})
	go h.in.follow()
	go h.watch(signals)
	if err := h.prepare(); err != nil {
		h.own.free()
		return exitFor(err), err
	}
	return h.hold()
}

func exitFor(err error) int {
	switch {
	case errors.Is(err, fault.ErrNotReverted):
		return exitNotReverted
	case errors.Is(err, ErrRefused):
		return exitRefused
	case strings.HasPrefix(err.Error(), "read request"):
		return exitUsage
	}
	return exitError
}

// signals takes over the signals that end a fault. SIGPIPE is taken too, and nothing is done about it: who reads our
// status lines may be gone, and the fault must be reverted all the same. (Ignoring it would be inherited by commands.)
func (h *holder) signals() <-chan os.Signal {
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, unix.SIGPIPE)
	end := make(chan os.Signal, 4)
	signal.Notify(end, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	return end
}

// finish ends the fault for this cause, unless it is ending already.
func (h *holder) finish(cause string) {
	if h.cause.CompareAndSwap(nil, &cause) {
		close(h.over)
	}
}

// watch waits for whatever ends the fault first.
func (h *holder) watch(signals <-chan os.Signal) {
	step := 50 * time.Millisecond
	if b := h.req.Beat; b > 0 {
		step = min(step, max(b/4, 5*time.Millisecond))
	}
	// Timers stand still while the machine sleeps; the boot clock does not, so it is asked often.
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		select {
		case <-h.over:
			return
		case <-h.in.ended:
			if h.in.released.Load() {
				h.finish(causeReleased)
			}
			h.finish(causeInput)
		case <-signals:
			h.finish(h.asked())
		case <-tick.C:
			if h.clk.Boot() >= h.until {
				h.finish(causeLimit)
			}
			if h.req.Beat > 0 && h.in.silent() > 3*h.req.Beat {
				h.finish(causeBeat)
			}
		}
	}
}

// asked is who sent the signal: halt and revert leave a note.
func (h *holder) asked() string {
	if id := h.id.Load(); id != nil {
		if b, err := os.ReadFile(h.path(*id, ".halt")); err == nil && len(b) > 0 {
			return strings.TrimSpace(string(b))
		}
	}
	return causeSignal
}

// prepare checks everything and puts the record on disk. Nothing is changed at the target, also when it fails.
func (h *holder) prepare() error {
	_, err := os.Stat(productionMark)
	if err := h.req.allowed(h.clk.Now(), err == nil); err != nil {
		return err
	}
	dir, err := DefaultDir()
	if err != nil {
		return err
	}
	if h.dir, err = openDir(dir); err != nil {
		return err
	}
	if h.spec, err = h.req.Spec(); err != nil {
		return err
	}
	target, err := h.kinds.Decode(h.spec)
	if err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	// What a power loss left behind goes first. If it cannot, it may still be nothing to this fault: the claims say.
	_, _ = Sweep(context.Background(), h.kinds, h.dir)
	id := h.req.ID
	if id == "" {
		id = newID()
	}
	for n := 0; ; n++ {
		err := h.reserve(id, target)
		if !errors.Is(err, errStale) {
			return err
		}
		if n == replans {
			return fmt.Errorf("%w: %w: try again", ErrRefused, err)
		}
		if target, err = h.kinds.Decode(h.spec); err != nil {
			return err
		}
	}
}

// reserve plans the fault and puts its record on disk.
func (h *holder) reserve(id string, target fault.Target) error {
	before := h.census()
	ctx, cancel := context.WithTimeout(context.Background(), planBound)
	defer cancel()
	plan, err := bounded(ctx, func() (fault.Plan, error) { return target.Plan(ctx, h.ask(id)) })
	if err != nil {
		return fmt.Errorf("%w: plan fault: %w", ErrRefused, err)
	}
	if err := apart(h.dir, plan.Touches); err != nil {
		return err
	}
	if plan.Production != "" && (h.req.Permit == nil || !h.req.Permit.Production) {
		return fmt.Errorf("%w: %s is production's (%s), and the permit is not for production", ErrRefused, plan.Target, plan.Production)
	}
	if (h.req.Production || h.req.Permit != nil && h.req.Permit.Production) && plan.Elsewhere && !plan.EndsThere {
		return fmt.Errorf("%w: in production this fault would live in somebody else's API without an end there: hold it by a hub or an agent, or take one with a deadline", ErrRefused)
	}
	return h.record(id, plan, before)
}

func (h *holder) ask(id string) fault.Ask {
	return fault.Ask{
		ID: id, Limit: h.req.Limit, Exercise: h.exercise(),
		Permit: h.req.Permit, NoPlaybook: h.req.NoPlaybook, Production: h.req.Production,
	}
}

// exercise is the one that the fault belongs to.
func (h *holder) exercise() string {
	if h.req.Exercise == "" && h.req.Permit != nil {
		return h.req.Permit.Exercise
	}
	return h.req.Exercise
}

func newID() string { return "f-" + strings.ToLower(rand.Text()[:10]) }

// record takes the lock and writes the undo record.
func (h *holder) record(id string, plan fault.Plan, before census) error {
	me, err := proc.Self()
	if err != nil {
		return err
	}
	claims := append(plan.Touches, plan.Claims...)
	claiming, err := h.claim(claims, before)
	if err != nil {
		return err
	}
	defer claiming.free()
	if h.own, err = h.create(id); err != nil {
		return err
	}
	writer, _ := os.Executable()
	h.rec = &Record{
		Format: format, Writer: writer, Fault: h.spec, Undo: plan.Undo, Claims: claims, Deadline: int64(h.until), Holder: me,
		Status: fault.Status{
			ID: id, Target: plan.Target, Class: plan.Class, Fidelity: plan.Fidelity, State: fault.Planned,
			Mechanism: plan.Mechanism, KernelEnds: plan.KernelEnds, Radius: plan.Radius,
			Since: h.clk.Now(), Limit: h.req.Limit, Exercise: h.exercise(),
		},
	}
	if err := h.save(h.rec, recorded); err != nil {
		return err
	}
	h.id.Store(&id)
	h.at("recorded")
	return nil
}

// hold arms the reaper, injects, confirms, waits for the end and reverts. From here on the fault always ends by end.
func (h *holder) hold() (int, error) {
	err := h.inject()
	if err == nil {
		h.at("holding")
		h.wait()
	}
	cause := causeError
	c := h.cause.Load()
	if c != nil {
		cause = *c
	}
	// A fault that was ended before it was confirmed is no failure, unless it was never to be.
	if err != nil && (c == nil || errors.Is(err, ErrRefused)) {
		h.rec.Broken = err.Error()
	}
	h.finish(cause)
	h.end(h.rec, cause)
	if h.rec.Phase != settled {
		// The lock goes with this process, and not before: a revert that does not answer may still be at work in it.
		h.say("ended")
		return exitNotReverted, unsettled(h.rec.Status)
	}
	h.own.free()
	h.say("ended")
	h.dismiss()
	return codeOf(err), err
}

// wait returns when the fault is to end, or is gone already.
func (h *holder) wait() {
	var lost <-chan struct{}
	if w, ok := h.inHand.(fault.Watched); ok {
		lost = w.Lost()
	}
	select {
	case <-h.over:
	case <-lost:
		h.finish(causeLost)
	}
}

// codeOf is exitFor with no error as success.
func codeOf(err error) int {
	if err == nil {
		return exitOK
	}
	return exitFor(err)
}

// inject brings the fault to held, or returns why not.
func (h *holder) inject() error {
	if err := h.arm(); err != nil {
		return err
	}
	h.rec.Status.State = fault.Armed
	if err := h.save(h.rec, armed); err != nil {
		return err
	}
	h.at("armed")
	h.say("armed")
	select {
	case <-h.over:
		cause, help := *h.cause.Load(), "it was ended from outside"
		switch cause {
		case causeInput:
			help = "keep the input open for as long as the fault may live"
		case causeLimit:
			help = "give it a longer limit"
		}
		return fmt.Errorf("%w: it was to end (%s) before it began: %s", ErrRefused, cause, help)
	case <-time.After(settleInput):
	}
	if err := h.save(h.rec, injecting); err != nil {
		return err
	}
	h.at("injecting")
	ctx, cancel := h.untilOver()
	defer cancel()
	target, err := h.kinds.Decode(h.rec.Fault)
	if err != nil {
		return err
	}
	h.inHand = target
	if c := h.cause.Load(); c != nil {
		return fmt.Errorf("inject fault: it was to end (%s) before it began", *c)
	}
	_, err = bounded(ctx, func() (struct{}, error) {
		return struct{}{}, target.Inject(ctx, h.rec.Undo, h.undoSaver(h.rec, injecting))
	})
	if errors.Is(err, errStuck) {
		h.stuck("inject", err)
	}
	if err != nil {
		return fmt.Errorf("inject fault: %w", err)
	}
	h.at("injected")
	return h.confirm(ctx, target)
}

// stuck ends this process: two hands on one target must never be. The lock goes with the process, and the reaper takes over.
func (h *holder) stuck(verb string, err error) {
	h.tell(h.Stderr, fmt.Appendf(nil, "belay-hold: error: %s fault: %v\n", verb, err))
	os.Exit(exitNotReverted)
}

// untilOver is a context that ends with the fault.
func (h *holder) untilOver() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-h.over:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// confirm waits until the effect is seen.
func (h *holder) confirm(ctx context.Context, t fault.Target) error {
	ctx, cancel := context.WithTimeout(ctx, confirmBound)
	defer cancel()
	var seen string
	var err, why error // why is the last reason that was one: an attempt that is cut off in the end has none
	for {
		seen, err = bounded(ctx, func() (string, error) { return t.Confirm(ctx, h.rec.Undo) })
		if ctx.Err() == nil {
			why = err
		}
		if err == nil || errors.Is(err, errStuck) || ctx.Err() != nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	if errors.Is(err, errStuck) {
		h.stuck("confirm", err)
	}
	if err != nil && why != nil {
		err = why
	}
	if err != nil {
		return fmt.Errorf("confirm fault: %w", err)
	}
	h.at("confirmed")
	h.rec.Status.Confirmed, h.rec.Status.State = seen, fault.Held
	if err := h.save(h.rec, held); err != nil {
		return err
	}
	h.say("holding")
	return nil
}

// say writes a status line. Nobody may be reading it: it is lost then, and the record tells the same.
func (h *holder) say(event string) {
	b, err := json.Marshal(Event{event, h.rec.Status})
	if err != nil {
		return
	}
	h.tell(h.Stdout, append(b, '\n'))
}

// tell writes, but waits no longer than a second for a reader.
func (h *holder) tell(w io.Writer, b []byte) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = w.Write(b)
	}()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}
