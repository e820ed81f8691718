package shape

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/shape/nfqueue"
	"github.com/belay-dr/belay/fault/network/shape/packet"
	"github.com/belay-dr/belay/fault/network/shape/wire"
)

// slack is how many packets the kernel may hold beyond those that the wires hold.
const slack = 2000

// engine takes packets from a queue, keeps them as long as its wires say, and lets them go. It lives in one thread, and
// while it lives its queue does: the kernel unbinds it with the process.
type engine struct {
	queue  *nfqueue.Queue
	copies copier
	stop   int // an event: the thread is asked to end
	begun  time.Time
	ended  chan struct{}
	spec   wire.Spec
	limits wire.Limits
	away   bool
	// stopping says the same as stop to a thread that is too busy to wait.
	stopping atomic.Bool

	mu     sync.Mutex // what follows
	wires  [nfqueue.Hooks]*wire.Wire
	kept   map[uint32]*bytesOf
	chance *rand.Rand
	passed uint64 // let through after the end of the fault
	open   bool   // the fault is over: everything passes
	over   bool   // the thread has ended, and the queue is unbound
	err    error
}

// bytesOf are the bytes of a packet that will be damaged, copied or sent again, and how often they are still needed.
type bytesOf struct {
	b    []byte
	uses int
	// away says that the kernel has the packet no more.
	away bool
}

// longHold is from which delay on packets that go out are not held in the kernel but taken from it and sent again. The
// kernel counts a held packet as still in the sender's network card, and lets a connection of TCP have no more than about a
// millisecond of them there: a delay would become a rate.
const longHold = time.Millisecond

// away says that packets are taken from the kernel and sent again.
func away(s wire.Spec, out bool) bool { return out && s.Delay+s.ReorderBy > longHold }

// startEngine binds a free queue in a namespace and serves it.
func startEngine(ns netns.Ref, spec wire.Spec, limits wire.Limits, out bool) (*engine, error) {
	var seed [32]byte
	_, _ = cryptorand.Read(seed[:]) // it never fails
	e := &engine{
		spec: spec, limits: limits, away: away(spec, out), begun: time.Now(), ended: make(chan struct{}),
		kept: map[uint32]*bytesOf{}, chance: rand.New(rand.NewChaCha8(seed)),
	}
	var err error
	if e.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("start packet engine: %w", err)
	}
	err = ns.Do(func() error {
		if e.queue, err = bindFree(queueConfig(spec, limits, e.away), e.chance); err != nil {
			return err
		}
		if spec.Duplicate > 0 || e.away {
			e.copies, err = openCopier()
		}
		return err
	})
	if err != nil {
		e.free()
		return nil, err
	}
	go e.run()
	return e, nil
}

// wholeRate is the rate from which on packets are taken as large as the kernel made them. Below, one of 64 kB would hold
// the line for too long.
const wholeRate = 1e9

// queueConfig asks for as few bytes and as few packets as the spec allows.
func queueConfig(s wire.Spec, l wire.Limits, away bool) nfqueue.Config {
	c := nfqueue.Config{Copy: 64, Length: uint32(l.Packets + slack)}
	if s.Corrupt > 0 || s.Duplicate > 0 || away {
		c.Copy = 0xffff
	}
	c.Whole = !away && s.Loss == 0 && s.Corrupt == 0 && s.Duplicate == 0 && (s.Rate == 0 || s.Rate >= wholeRate)
	return c
}

// bindFree binds a queue that nobody has, of a number that is unlikely to be in anybody's rules.
func bindFree(c nfqueue.Config, chance *rand.Rand) (*nfqueue.Queue, error) {
	for range 100 {
		c.Number = uint16(20_000 + chance.IntN(40_000))
		q, err := nfqueue.Open(c)
		if !errors.Is(err, nfqueue.ErrBusy) {
			return q, err
		}
	}
	return nil, errors.New("bind packet queue: no free one in a hundred tries")
}

func (e *engine) now() time.Duration { return time.Since(e.begun) }

// run serves the queue until it is stopped, in a thread of its own that is woken in time.
func (e *engine) run() {
	defer close(e.ended)
	defer e.unbind()
	runtime.LockOSThread() // and never unlocked: the thread, with its priority, ends with this goroutine
	punctual()
	first, busy := true, e.now()
	for !e.stopping.Load() {
		wait, err := e.turn()
		if err != nil {
			return
		}
		if wait <= 0 {
			if first && e.now()-busy > tooLong {
				patient()
				first = false
			}
			continue
		}
		if !first {
			punctual()
			first = true
		}
		if stopped, err := e.queue.Wait(e.stop, wait); stopped || err != nil {
			return
		}
		busy = e.now()
	}
}

// unbind lets packets pass that nobody would serve any more.
func (e *engine) unbind() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	e.queue.Close()
}

// punctual asks for exact timers, and for the processor before all others where we may. Nothing but short work may have
// it: see tooLong.
func punctual() {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -20) // for when the next is not allowed
	schedule(unix.SCHED_FIFO, 1)
}

// patient goes back among the others.
func patient() { schedule(unix.SCHED_NORMAL, 0) }

func schedule(policy, priority uint32) {
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy, Nice: -20, Priority: priority}, 0)
}

// tooLong is how long the thread works before others may have the processor: a flood of packets must not take a whole
// machine.
const tooLong = 5 * time.Millisecond

// idle is how long the thread sleeps when nothing is due. It is woken by a packet anyway.
const idle = time.Minute

// most is how many packets are read before those that are due are looked at again.
const most = 64

// turn takes what came, lets go what is due, and says how long to wait for the next. It does a bounded amount of work, so
// that others get at the counts, and the thread at its end, also in a flood.
func (e *engine) turn() (wait time.Duration, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() { e.err = err }()
	more, err := e.receive()
	if err != nil {
		return 0, err
	}
	next, err := e.release()
	if err != nil {
		return 0, err
	}
	if err := e.queue.Send(); err != nil {
		return 0, err
	}
	if more {
		return 0, nil
	}
	return next - e.now(), nil
}

func (e *engine) receive() (more bool, err error) {
	for range most {
		p, ok, err := e.queue.Read()
		if err != nil || !ok {
			return false, err
		}
		if e.open {
			e.passed++
			err = e.queue.Accept(p.ID, nil)
		} else {
			err = e.take(p)
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// take puts a packet on the wire of its hook.
func (e *engine) take(p nfqueue.Packet) error {
	hook := int(p.Hook) % nfqueue.Hooks
	w := e.wires[hook]
	if w == nil {
		w = wire.New(e.spec, e.limits, e.chance)
		e.wires[hook] = w
	}
	damaged, copied := w.In(e.now(), wire.Packet{ID: p.ID, Size: p.Size})
	k := bytesOf{away: e.away && p.Hook == nfqueue.HookOut && len(p.Payload) == p.Size && packet.Resendable(p.Payload)}
	for _, need := range []bool{damaged || k.away, copied} {
		if need {
			k.uses++
		}
	}
	if k.uses == 0 {
		return nil
	}
	k.b = append([]byte(nil), p.Payload...)
	e.kept[p.ID] = &k
	if k.away {
		return e.queue.Drop(p.ID)
	}
	return nil
}

// release lets go what is due, and says when the next is.
func (e *engine) release() (time.Duration, error) {
	now := e.now()
	next := now + idle
	for _, w := range e.wires {
		if w == nil {
			continue
		}
		for o, ok := w.Out(now); ok; o, ok = w.Out(now) {
			if err := e.settle(o); err != nil {
				return 0, err
			}
		}
		if at, ok := w.Next(); ok {
			next = min(next, at)
		}
	}
	return next, nil
}

// settle does what the wire says.
func (e *engine) settle(o wire.Out) error {
	if k := e.kept[o.ID]; k != nil && k.away || o.Fate == wire.Copy {
		e.resend(o)
		return nil
	}
	switch o.Fate {
	case wire.Lost, wire.Full:
		return e.queue.Drop(o.ID)
	case wire.Damage:
		b := append([]byte(nil), e.bytes(o.ID)...)
		if packet.Damage(b, e.chance.IntN) {
			return e.queue.Accept(o.ID, b)
		} // else there is nothing in it but headers
	}
	return e.queue.Accept(o.ID, nil)
}

// resend settles a packet that the kernel has no more.
func (e *engine) resend(o wire.Out) {
	b := e.bytes(o.ID)
	switch o.Fate {
	case wire.Lost, wire.Full:
		return
	case wire.Damage:
		b = append([]byte(nil), b...) // a copy of it is to come undamaged
		packet.Damage(b, e.chance.IntN)
	}
	e.copies.send(b)
}

// bytes are those of a packet, and forgets them after their last use.
func (e *engine) bytes(id uint32) []byte {
	k := e.kept[id]
	if k == nil {
		return nil
	}
	if k.uses--; k.uses == 0 {
		delete(e.kept, id)
	}
	return k.b
}

// letGo ends the fault: what is held goes on at once, in its order, and whatever comes passes. The rule that sends
// packets here can then be taken away without losing any.
func (e *engine) letGo() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open = true
	if e.over {
		return nil
	}
	for _, w := range e.wires {
		if w == nil {
			continue
		}
		for o, ok := w.Flush(); ok; o, ok = w.Flush() {
			if o.Fate == wire.Copy {
				continue
			}
			if err := e.settle(o); err != nil {
				return err
			}
		}
	}
	return e.queue.Send()
}

// stats are the counts of all directions together, and why the engine has ended, if it has.
func (e *engine) stats() (wire.Stats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var sum wire.Stats
	for _, w := range e.wires {
		if w != nil {
			sum = sum.Plus(w.Stats())
		}
	}
	return sum, e.err
}

// close ends the thread and unbinds the queue.
func (e *engine) close() {
	e.stopping.Store(true)
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(e.stop, one[:])
	<-e.ended
	e.free()
}

func (e *engine) free() {
	if e.queue != nil {
		e.queue.Close()
	}
	e.copies.close()
	_ = unix.Close(e.stop)
}
