package resource

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/worker"
)

// hog is the config of the worker that uses memory up.
type hog struct {
	Bytes int64 `json:"bytes"`
	// Reserve is what must stay available on the machine; it ends when that cannot be kept.
	Reserve int64 `json:"reserve"`
}

// piece is how much is taken between two looks.
const piece = 32 << 20

// hogWork is the whole worker. When memory gets short all the same, the kernel is told to kill it first.
func hogWork(stdin io.Reader, stdout io.Writer) error {
	var h hog
	rest, err := worker.Read(stdin, &h)
	if err != nil {
		return err
	}
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0); err != nil {
		return fmt.Errorf("offer itself to the kernel: %w", err)
	}
	ended := worker.Ended(rest)
	b, err := unix.Mmap(-1, 0, int(h.Bytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("take %s: %w", Size(h.Bytes), err)
	}
	for at := int64(0); at < h.Bytes; at += piece {
		select {
		case <-ended:
			return nil
		default:
		}
		part := b[at:min(at+piece, h.Bytes)]
		if _, available, err := machineMemory(); err != nil || available < h.Reserve+int64(len(part)) {
			return errors.Join(err, fmt.Errorf("only %s are available, and %s must stay", Size(available), Size(h.Reserve)))
		}
		touch(part)
	}
	_ = unix.Mlock(b) // where that is allowed: memory that is swapped out is no pressure
	if err := worker.Ready(stdout); err != nil {
		return err
	}
	<-ended
	return nil
}

// populateWrite is MADV_POPULATE_WRITE, since Linux 5.14.
const populateWrite = 23

// touch makes the kernel give all of these pages.
func touch(b []byte) {
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), populateWrite)
	if errno == 0 {
		return
	}
	for at := 0; at < len(b); at += os.Getpagesize() {
		b[at] = 1
	}
}
