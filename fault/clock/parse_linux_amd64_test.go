package clock

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
	"time"
)

// FuzzCut reads images of the vDSO that may be anything.
func FuzzCut(f *testing.F) {
	a, err := findArea(os.Getpid())
	if err != nil {
		f.Fatal(err)
	}
	image, err := readMemory(os.Getpid(), a.From, int(a.To-a.From))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(image)
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, image []byte) {
		list, err := cut(image, 0x1000, code(time.Hour))
		for _, p := range list {
			if err == nil && !bytes.Equal(image[p.At-0x1000:][:len(p.Old)], p.Old) {
				t.Errorf("%s: the old bytes are not those at its place", p.Name)
			}
		}
	})
}

// TestComesBack knows the frame of a signal that interrupted the vDSO from what is left of one.
func TestComesBack(t *testing.T) {
	a := area{0x7fff00001000, 0x7fff00003000}
	const rsp, place = 0x700000001008, 512
	frame := func(from, size uint64) []byte {
		b := make([]byte, 1024)
		put := func(at int, v uint64) { binary.LittleEndian.PutUint64(b[place+at:], v) }
		put(0, a.From+0x100)
		put(atFlags, 0x246)
		put(atSelector, 0x2b0000<<16|userCode)
		put(atStack, from)
		put(atStack+16, size)
		put(atUcFlags, 7)
		return b
	}
	with := func(b []byte, at int, v uint64) []byte {
		binary.LittleEndian.PutUint64(b[place+at:], v)
		return b
	}
	for name, c := range map[string]struct {
		stack []byte
		want  bool
	}{
		"on the thread's stack":            {frame(0, 0), true},
		"on the alternate stack, in use":   {frame(0x700000000000, 0x8000), true},
		"elsewhere, with an alternate one": {frame(0x600000000000, 0x8000), true},
		"left over":                        {frame(0x700000001100, 0x8000), false},
		"outside the vDSO":                 {with(frame(0, 0), 0, a.To), false},
		"a number, no code":                {with(frame(0, 0), atSelector, 0x2b), false},
		"no flags":                         {with(frame(0, 0), atFlags, 0), false},
		"no frame":                         {with(frame(0, 0), atUcFlags, 0x100), false},
	} {
		if got := comesBack(c.stack, rsp, a); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
