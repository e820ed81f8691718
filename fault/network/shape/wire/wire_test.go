package wire

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ms = time.Millisecond

func chance(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// drawSpec is a line of any badness.
func drawSpec(t *rapid.T) Spec {
	span := func(name string) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(200*ms)).Draw(t, name))
	}
	share := func(name string) float64 {
		return rapid.SampledFrom([]float64{0, 0, 1, 10, 50, 99, 100}).Draw(t, name)
	}
	s := Spec{Delay: span("delay"), Loss: share("loss"), Duplicate: share("duplicate"), Corrupt: share("corrupt"), Reorder: share("reorder")}
	s.Jitter = min(span("jitter"), s.Delay)
	if s.Reorder > 0 {
		s.ReorderBy = span("reorder_by") + 1
	}
	if rapid.Bool().Draw(t, "limited") {
		s.Rate = rapid.Int64Range(minRate, 1e9).Draw(t, "rate")
	}
	return s
}

// run sends packets through a wire as an engine does, and returns what came out and at what time it was asked for.
func run(t *rapid.T, w *Wire, n int, seen func(now time.Duration, o Out)) (sent map[uint32]time.Duration, sizes map[uint32]int) {
	sent, sizes = map[uint32]time.Duration{}, map[uint32]int{}
	now := time.Duration(0)
	drain := func() {
		for o, ok := w.Out(now); ok; o, ok = w.Out(now) {
			seen(now, o)
		}
	}
	for i := range uint32(n) {
		now += time.Duration(rapid.Int64Range(0, int64(20*ms)).Draw(t, "pause"))
		drain()
		sent[i], sizes[i] = now, rapid.IntRange(20, 65535).Draw(t, "size")
		w.In(now, Packet{ID: i, Size: sizes[i]})
		drain()
	}
	for at, ok := w.Next(); ok; at, ok = w.Next() {
		if at > now {
			now = at // never earlier than due, and never a minute later either
		}
		drain()
	}
	return sent, sizes
}

// TestLaws are what holds for every line: each packet gets exactly one fate, at most one copy comes, nothing comes before
// its time, the bounds are kept, and the counts are those of the packets.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		limits := Limits{
			Packets: rapid.IntRange(1, 50).Draw(t, "packets"), Bytes: rapid.IntRange(65535, 1<<20).Draw(t, "bytes"),
			Queue: time.Duration(rapid.Int64Range(0, int64(400*ms)).Draw(t, "queue")),
		}
		w := New(spec, limits, chance(rapid.Uint64().Draw(t, "seed")))
		fates, copies := map[uint32]Fate{}, map[uint32]int{}
		due := map[uint32]time.Duration{}
		sum := map[Fate]uint64{}
		sent, _ := run(t, w, rapid.IntRange(1, 80).Draw(t, "n"), func(now time.Duration, o Out) {
			if s := w.Stats(); s.Held > limits.Packets || s.HeldBytes > limits.Bytes || s.Held < 0 || s.HeldBytes < 0 {
				t.Fatalf("%d packets, %d bytes are held; the limits are %+v", s.Held, s.HeldBytes, limits)
			}
			if o.At > now {
				t.Fatalf("packet %d came out at %s and was due at %s", o.ID, now, o.At)
			}
			sum[o.Fate]++
			due[o.ID] = o.At
			if o.Fate == Copy {
				copies[o.ID]++
				return
			}
			if f, twice := fates[o.ID]; twice {
				t.Fatalf("packet %d has two fates, %d and %d", o.ID, f, o.Fate)
			}
			fates[o.ID] = o.Fate
		})
		for id, at := range sent {
			f, there := fates[id]
			if !there {
				t.Fatalf("packet %d was swallowed", id)
			}
			if copies[id] > 1 || copies[id] > 0 && spec.Duplicate == 0 {
				t.Fatalf("packet %d has %d copies", id, copies[id])
			}
			if d := due[id] - at; f != Lost && f != Full && d < spec.Delay-spec.Jitter {
				t.Fatalf("packet %d took %s", id, d)
			}
		}
		s := w.Stats()
		if s.In != uint64(len(sent)) || s.Passed != sum[Pass] || s.Damaged != sum[Damage] || s.Copied != sum[Copy] || s.Lost != sum[Lost] {
			t.Fatalf("counts are %+v, seen was %v", s, sum)
		}
		if s.Held != 0 || s.HeldBytes != 0 || s.In != s.Passed+s.Damaged+s.Lost+sum[Full] || s.Full < sum[Full] {
			t.Fatalf("counts do not add up: %+v", s)
		}
	})
}

// TestOrder: without reorder nothing overtakes, whatever the jitter.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		spec.Reorder, spec.ReorderBy = 0, 0
		w := New(spec, DefaultLimits(), chance(rapid.Uint64().Draw(t, "seed")))
		last := map[bool]int{true: -1, false: -1}
		run(t, w, 80, func(_ time.Duration, o Out) {
			if o.Fate == Lost || o.Fate == Full {
				return
			}
			if c := o.Fate == Copy; int(o.ID) < last[c] {
				t.Fatalf("packet %d came after %d", o.ID, last[c])
			} else {
				last[c] = int(o.ID)
			}
		})
	})
}

// TestRateIsKept: in no span of time do more bits leave than the rate and one packet allow.
func TestRateIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := Spec{Rate: rapid.Int64Range(100_000, 1e9).Draw(t, "rate")}
		w := New(spec, DefaultLimits(), chance(1))
		var bits, first float64
		run(t, w, 80, func(_ time.Duration, o Out) {
			if o.Fate == Full {
				return
			}
			if bits == 0 {
				first = float64(o.Size) * 8
			}
			bits += float64(o.Size) * 8
			if most := o.At.Seconds()*float64(spec.Rate) + first + 1; bits > most {
				t.Fatalf("%v bits within %s at %d bits a second", bits, o.At, spec.Rate)
			}
		})
	})
}

// TestSeed: chance decides, and nothing else.
func TestSeed(t *testing.T) {
	story := func(seed uint64) string {
		w := New(Spec{Delay: 10 * ms, Jitter: 5 * ms, Loss: 20, Duplicate: 20, Corrupt: 20, Reorder: 20, ReorderBy: ms}, DefaultLimits(), chance(seed))
		text := ""
		for i := range uint32(50) {
			w.In(time.Duration(i)*ms, Packet{ID: i, Size: 100})
		}
		for o, ok := w.Out(time.Second); ok; o, ok = w.Out(time.Second) {
			text += fmt.Sprintln(o)
		}
		return text
	}
	first, again := story(1), story(1)
	if first != again {
		t.Error("the same seed gives another story")
	}
	if story(1) == story(2) {
		t.Error("another seed gives the same story")
	}
}

// TestShares counts with a fixed seed.
func TestShares(t *testing.T) {
	const n = 100_000
	w := New(Spec{Loss: 10, Duplicate: 5, Corrupt: 20, Reorder: 30, ReorderBy: ms}, DefaultLimits(), chance(7))
	for i := range uint32(n) {
		now := time.Duration(i) * 10 * time.Microsecond
		w.In(now, Packet{ID: i, Size: 100})
		for _, ok := w.Out(now); ok; _, ok = w.Out(now) {
		}
	}
	s := w.Stats()
	for _, c := range []struct {
		what string
		got  uint64
		want float64
	}{
		{"lost", s.Lost, 0.1 * n}, {"copied", s.Copied, 0.05 * n}, {"damaged", s.Damaged, 0.9 * 0.2 * n}, {"late", s.Late, 0.3 * 0.95 * n},
	} {
		if float64(c.got) < c.want*0.95 || float64(c.got) > c.want*1.05 {
			t.Errorf("%s: %d, want about %v", c.what, c.got, c.want)
		}
	}
}

// TestJitterIsEven: packets far apart are spread evenly over the whole width.
func TestJitterIsEven(t *testing.T) {
	const n = 20_000
	w := New(Spec{Delay: 100 * ms, Jitter: 10 * ms}, DefaultLimits(), chance(3))
	var tenths [10]int
	for i := range uint32(n) {
		now := time.Duration(i) * time.Second
		w.In(now, Packet{ID: i, Size: 100})
		o, ok := w.Out(now + time.Second)
		if !ok {
			t.Fatal("it never came")
		}
		tenths[min(max(int((o.At-now-90*ms)/(2*ms)), 0), 9)]++
	}
	for i, got := range tenths {
		if got < n/10*9/10 || got > n/10*11/10 {
			t.Errorf("tenth %d has %d of %d", i, got, n)
		}
	}
}

// TestFlush gives everything back at once, in its order.
func TestFlush(t *testing.T) {
	w := New(Spec{Delay: time.Second}, DefaultLimits(), chance(1))
	for i := range uint32(5) {
		w.In(0, Packet{ID: i, Size: 1})
	}
	if _, ok := w.Out(999 * ms); ok {
		t.Error("one came before its time")
	}
	var ids []uint32
	for o, ok := w.Flush(); ok; o, ok = w.Flush() {
		ids = append(ids, o.ID)
	}
	if !slices.Equal(ids, []uint32{0, 1, 2, 3, 4}) || w.Stats().Held != 0 {
		t.Errorf("flushed %v, %d held", ids, w.Stats().Held)
	}
}

// TestQueue: a line with a rate drops what would wait too long.
func TestQueue(t *testing.T) {
	w := New(Spec{Rate: 8000}, Limits{Packets: 100, Bytes: 1 << 20, Queue: 2 * time.Second}, chance(1))
	for i := range uint32(10) {
		w.In(0, Packet{ID: i, Size: 1000}) // a second each
	}
	var passed []time.Duration
	for o, ok := w.Out(time.Minute); ok; o, ok = w.Out(time.Minute) {
		if o.Fate == Pass {
			passed = append(passed, o.At)
		}
	}
	if want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}; !slices.Equal(passed, want) {
		t.Errorf("passed at %v, want %v", passed, want)
	}
	if s := w.Stats(); s.Full != 7 {
		t.Errorf("%d dropped, want 7", s.Full)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want map[string]string
	}{
		{Spec{Delay: 100 * ms}, nil},
		{Spec{Delay: ms, Jitter: ms, Loss: 100, Duplicate: 1, Corrupt: 0.1, Reorder: 1, ReorderBy: ms, Rate: 1000}, nil},
		{Spec{}, map[string]string{"": "nothing is wrong with such a line: give a delay, loss, duplicate, corrupt, reorder or rate"}},
		{Spec{Delay: -1}, map[string]string{"delay": "-1ns is not between 0s and 1m0s"}},
		{Spec{Delay: time.Hour}, map[string]string{"delay": "1h0m0s is not between 0s and 1m0s"}},
		{Spec{Delay: ms, Jitter: 2 * ms}, map[string]string{"jitter": "2ms is more than the delay of 1ms: no packet can come before it was sent"}},
		{Spec{Loss: 101}, map[string]string{"loss": "101 is no percentage"}},
		{Spec{Loss: -1, Corrupt: 1}, map[string]string{"loss": "-1 is no percentage"}},
		{Spec{Reorder: 5}, map[string]string{"reorder_by": "say how much later a reordered packet comes, for example 5ms"}},
		{Spec{ReorderBy: ms}, map[string]string{"reorder": "say how many percent of the packets come later"}},
		{Spec{Rate: 999}, map[string]string{"rate": "999 bits a second; the least is 1000"}},
	} {
		if got := c.spec.Check(); !maps.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.spec, got, c.want)
		}
	}
}

func TestString(t *testing.T) {
	s := Spec{Delay: 100 * ms, Jitter: 10 * ms, Loss: 1, Duplicate: 2, Corrupt: 0.5, Reorder: 25, ReorderBy: 5 * ms, Rate: 8e6}
	const want = "delay 100ms ± 10ms, loss 1 %, duplicate 2 %, corrupt 0.5 %, reorder 25 % by 5ms, rate 8 Mbit/s"
	if got := s.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func BenchmarkWire(b *testing.B) {
	w := New(Spec{Delay: ms}, DefaultLimits(), chance(1))
	b.ReportAllocs()
	for i := range b.N {
		now := time.Duration(i) * 2 * time.Microsecond
		w.In(now, Packet{ID: uint32(i), Size: 1500})
		for _, ok := w.Out(now); ok; _, ok = w.Out(now) {
		}
	}
}
