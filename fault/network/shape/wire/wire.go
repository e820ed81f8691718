package wire

import (
	"math/rand/v2"
	"time"
)

// Limits bound what a line keeps, so that a fault never eats the memory of its host. What is beyond is lost, as in a
// full queue of a router.
type Limits struct {
	Packets int
	Bytes   int
	// Queue is how long a packet waits at most for its turn when there is a rate.
	Queue time.Duration
}

// DefaultLimits keep 100 ms of a fast line.
func DefaultLimits() Limits {
	return Limits{Packets: 50_000, Bytes: 256 << 20, Queue: 400 * time.Millisecond}
}

// Packet is what the line knows of one: a number that its owner understands, and its length.
type Packet struct {
	ID   uint32
	Size int
}

// Fate is what happens to a packet.
type Fate int

// The fates.
const (
	Pass Fate = iota
	// Damage passes it with a bit flipped.
	Damage
	// Copy passes a second one; the first has a fate of its own.
	Copy
	// Lost is chance, Full is a queue or a memory that is at its limit.
	Lost
	Full
)

// Out is a packet that is due.
type Out struct {
	Packet
	Fate Fate
	// At is when it was due. It is never later than the time at which it was asked for.
	At time.Duration
}

// Stats count what has happened.
type Stats struct {
	In, Passed, Damaged, Copied, Lost, Full, Late uint64
	// Held and HeldBytes are in the line now; MostHeld were at once.
	Held, HeldBytes, MostHeld int
	// Overdue is how much later than their time the packets came out, all together, and MostOverdue the worst of them.
	Overdue, MostOverdue time.Duration
}

// Wire is one direction of a line. Its methods are not called at the same time.
type Wire struct {
	spec   Spec
	limits Limits
	chance *rand.Rand
	queue  pending
	// next numbers the packets, so that those of one moment keep their order.
	next uint64
	// free is when the line has sent what it took, last is when the last packet that kept its place is due.
	free, last time.Duration
	stats      Stats
}

// New is a line without packets. The same chance gives the same fates.
func New(spec Spec, limits Limits, chance *rand.Rand) *Wire {
	return &Wire{spec: spec, limits: limits, chance: chance}
}

// Stats are the counts so far.
func (w *Wire) Stats() Stats { return w.stats }

// happens throws the dice. A share that is 0 or 100 needs none.
func (w *Wire) happens(percent float64) bool {
	switch {
	case percent <= 0:
		return false
	case percent >= 100:
		return true
	}
	return w.chance.Float64()*100 < percent
}

// In takes a packet at a time, which never goes back. The packet, and a copy of it if there is one, comes out of Out
// later, also when it is lost: its owner waits for the word. It says whether the packet will be damaged, and whether a copy
// will come, because these need its bytes.
func (w *Wire) In(now time.Duration, p Packet) (damaged, copied bool) {
	w.stats.In++
	lost := w.happens(w.spec.Loss)
	twice := w.happens(w.spec.Duplicate)
	if lost {
		w.stats.Lost++
		w.put(Out{p, Lost, now})
	} else {
		fate := Pass
		if w.happens(w.spec.Corrupt) {
			fate = Damage
		}
		damaged = w.send(now, p, fate) && fate == Damage
	}
	copied = twice && w.send(now, p, Copy)
	return damaged, copied
}

// send puts a packet on the line, or drops it when there is no room.
func (w *Wire) send(now time.Duration, p Packet, fate Fate) bool {
	due, room := w.serialize(now, p.Size)
	if !room || w.stats.Held >= w.limits.Packets || w.stats.HeldBytes+p.Size > w.limits.Bytes {
		w.stats.Full++
		if fate != Copy { // nobody waits for a copy that never was
			w.put(Out{p, Full, now})
		}
		return false
	}
	w.free = max(w.free, due)
	due += w.spec.Delay
	if w.spec.Jitter > 0 {
		due += time.Duration((2*w.chance.Float64() - 1) * float64(w.spec.Jitter))
	}
	due = max(due, w.last)
	if w.happens(w.spec.Reorder) {
		w.stats.Late++
		due += w.spec.ReorderBy // those behind it keep the place it would have had
	} else {
		w.last = due
	}
	w.stats.Held++
	w.stats.HeldBytes += p.Size
	w.stats.MostHeld = max(w.stats.MostHeld, w.stats.Held)
	w.put(Out{p, fate, due})
	return true
}

// serialize says when the last bit of a packet has left, and whether there is room to wait for that.
func (w *Wire) serialize(now time.Duration, size int) (time.Duration, bool) {
	if w.spec.Rate == 0 {
		return now, true
	}
	begin := max(now, w.free)
	took := time.Duration(float64(size) * 8 / float64(w.spec.Rate) * float64(time.Second))
	return begin + took, begin-now <= w.limits.Queue
}

func (w *Wire) put(o Out) {
	w.queue.push(entry{o, w.next})
	w.next++
}

// Next is when the next packet is due.
func (w *Wire) Next() (time.Duration, bool) {
	if len(w.queue) == 0 {
		return 0, false
	}
	return w.queue[0].At, true
}

// Out gives the packets that are due, one a call, in the order of their times.
func (w *Wire) Out(now time.Duration) (Out, bool) {
	if len(w.queue) == 0 || w.queue[0].At > now {
		return Out{}, false
	}
	late := now - w.queue[0].At
	w.stats.Overdue += late
	w.stats.MostOverdue = max(w.stats.MostOverdue, late)
	return w.pop(), true
}

// Flush gives what is still held, one a call, due or not: the line is being taken away.
func (w *Wire) Flush() (Out, bool) {
	if len(w.queue) == 0 {
		return Out{}, false
	}
	return w.pop(), true
}

func (w *Wire) pop() Out {
	o := w.queue.pop().Out
	switch o.Fate {
	case Lost, Full:
		return o
	case Pass:
		w.stats.Passed++
	case Damage:
		w.stats.Damaged++
	case Copy:
		w.stats.Copied++
	}
	w.stats.Held--
	w.stats.HeldBytes -= o.Size
	return o
}

// Plus adds the counts of two directions.
func (s Stats) Plus(t Stats) Stats {
	return Stats{
		In: s.In + t.In, Passed: s.Passed + t.Passed, Damaged: s.Damaged + t.Damaged, Copied: s.Copied + t.Copied,
		Lost: s.Lost + t.Lost, Full: s.Full + t.Full, Late: s.Late + t.Late,
		Held: s.Held + t.Held, HeldBytes: s.HeldBytes + t.HeldBytes, MostHeld: s.MostHeld + t.MostHeld,
		Overdue: s.Overdue + t.Overdue, MostOverdue: max(s.MostOverdue, t.MostOverdue),
	}
}
