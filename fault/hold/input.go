package hold

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/internal/clock"
)

// releaseLine is a beat that says: the end-of-file after it is meant.
const releaseLine = "release"

// maxLine is the longest request.
const maxLine = 1 << 20

// input is the holder's standard input: one request, then beats, then the end.
type input struct {
	r   *bufio.Reader
	clk clock.Clock
	// beat is when the last line came, in clock.Boot.
	beat     atomic.Int64
	released atomic.Bool
	// ended is closed at end-of-file, and when the input cannot be read any more.
	ended chan struct{}
}

// lasting refuses an input that cannot tell when its writer is gone: a file, /dev/null, a closed descriptor.
func lasting(stdin io.Reader) error {
	f, ok := stdin.(*os.File)
	if !ok {
		return nil
	}
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%w: standard input is closed: keep a pipe open for as long as the fault may live", ErrRefused)
	}
	switch mode := st.Mode(); {
	case mode&(os.ModeNamedPipe|os.ModeSocket) != 0:
		return nil
	case mode&os.ModeCharDevice != 0:
		if _, err := unix.IoctlGetTermios(int(f.Fd()), termiosRequest); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: standard input is a file or a device: keep a pipe open for as long as the fault may live", ErrRefused)
}

func newInput(r io.Reader, clk clock.Clock) *input {
	return &input{r: bufio.NewReaderSize(r, 64<<10), clk: clk, ended: make(chan struct{})}
}

// request reads the first line.
func (in *input) request() ([]byte, error) {
	var line []byte
	for {
		part, err := in.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			in.beat.Store(int64(in.clk.Boot()))
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) <= maxLine:
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("read request: longer than %d bytes", maxLine)
		case errors.Is(err, io.EOF) && len(bytes.TrimSpace(line)) > 0:
			return nil, fmt.Errorf("%w: the input ends right after the request: keep it open for as long as the fault may live", ErrRefused)
		case errors.Is(err, io.EOF):
			return nil, errors.New("read request: the input is empty")
		default:
			return nil, fmt.Errorf("read request: %w", err)
		}
	}
}

// follow reads beats until the input ends.
func (in *input) follow() {
	defer close(in.ended)
	for {
		part, err := in.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
		if err == nil {
			in.beat.Store(int64(in.clk.Boot()))
			in.released.Store(string(bytes.TrimSpace(part)) == releaseLine)
		}
	}
}

// silent is how long no line has come.
func (in *input) silent() time.Duration {
	return in.clk.Boot() - time.Duration(in.beat.Load())
}
