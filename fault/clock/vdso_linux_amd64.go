package clock

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault/proc"
)

// patch is what is written over one function.
type patch struct {
	Name string `json:"name"`
	// At is its address in the process.
	At  uint64 `json:"at"`
	Old []byte `json:"old"`
	New []byte `json:"new"`
}

// area is where the vDSO of a process is.
type area struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

func (a area) holds(address uint64) bool { return a.From <= address && address < a.To }

// findArea reads where the vDSO is.
func findArea(pid int) (area, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return area{}, proc.ErrGone
	}
	if err != nil {
		return area{}, fmt.Errorf("read the memory map of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(b)) {
		if !strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			continue
		}
		var a area
		if _, err := fmt.Sscanf(line, "%x-%x", &a.From, &a.To); err != nil || a.To <= a.From || a.To-a.From > 1<<20 {
			return area{}, fmt.Errorf("read the memory map of process %d: %q is no area", pid, line)
		}
		return a, nil
	}
	return area{}, fmt.Errorf("process %d has no vDSO: it asks the kernel for the time directly, which cannot be shifted", pid)
}

// readMemory reads from another process.
func readMemory(pid int, at uint64, n int) ([]byte, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, fmt.Errorf("open memory of process %d: %w", pid, err)
	}
	defer f.Close()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, int64(at)); err != nil {
		return nil, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	return b, nil
}

// writeMemory writes into another process, past the protection of its pages, as debuggers do.
func writeMemory(pid int, at uint64, b []byte) error {
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open memory of process %d: %w", pid, err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, int64(at)); err != nil {
		return fmt.Errorf("write memory of process %d: %w", pid, err)
	}
	return nil
}

// patches are what is to be written into the vDSO of a process, in order of address.
func patches(pid int, shift time.Duration) (area, []patch, error) {
	a, err := findArea(pid)
	if err != nil {
		return a, nil, err
	}
	image, err := readMemory(pid, a.From, int(a.To-a.From))
	if err != nil {
		return a, nil, err
	}
	out, err := cut(image, a.From, code(shift))
	if err != nil {
		err = fmt.Errorf("read the vDSO of process %d: %w", pid, err)
	}
	return a, out, err
}

// cut finds the functions in an image of the vDSO. The one that everybody uses must be there; the others may be missing.
func cut(image []byte, base uint64, codes map[string][]byte) ([]patch, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, err
	}
	if f.Class != elf.ELFCLASS64 || f.Machine != elf.EM_X86_64 {
		return nil, fmt.Errorf("it is for %s %s: only 64-bit x86 processes can be shifted", f.Class, f.Machine)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return nil, err
	}
	var out []patch
	for _, s := range symbols {
		c, ours := codes[s.Name]
		if !ours {
			continue
		}
		if s.Size < uint64(len(c)) || s.Value+s.Size > uint64(len(image)) {
			return nil, fmt.Errorf("%s has %d bytes, and %d are needed", s.Name, s.Size, len(c))
		}
		out = append(out, patch{Name: s.Name, At: base + s.Value, Old: bytes.Clone(image[s.Value : s.Value+uint64(len(c))]), New: c})
	}
	if !slices.ContainsFunc(out, func(p patch) bool { return p.Name == main }) {
		return nil, fmt.Errorf("it has no %s", main)
	}
	slices.SortFunc(out, func(a, b patch) int { return int(int64(a.At) - int64(b.At)) })
	return out, nil
}

// main is the function that everybody uses.
const main = "__vdso_clock_gettime"
