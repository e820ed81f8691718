package nfqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

func errno(n int32) error { return unix.Errno(-n) }

// ErrBusy says that a queue of this number is somebody else's.
var ErrBusy = errors.New("packet queue is in use")

// Config is how a queue is bound.
type Config struct {
	Number uint16
	// Copy is how many bytes of a packet are wanted.
	Copy uint32
	// Length is how many packets the kernel keeps for us at most.
	Length uint32
	// Whole takes packets that the network card would cut into segments as they are. They are fewer then, but a fate
	// hits many segments at once, and their checksums are not there yet.
	Whole bool
}

// flagGSO is the kernel's name for Whole.
const flagGSO = 4

const (
	receiveBuffer = 32 << 20
	largest       = 256 << 10
	// batch is how many bytes of verdicts are sent in one call.
	batch = 16 << 10
)

// Queue is a bound queue. Its methods are not called at the same time.
type Queue struct {
	fd     int
	number uint16
	in     []byte // what was received
	rest   []byte // what of it is still unread
	out    []byte // verdicts that wait
}

// Open binds a queue in the network namespace of the calling thread.
func Open(c Config) (*Queue, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open packet queue: %w", err)
	}
	q := &Queue{fd: fd, number: c.Number, in: make([]byte, largest), out: make([]byte, 0, batch+4096)}
	if err := q.bind(c); err != nil {
		q.Close()
		return nil, err
	}
	return q, nil
}

func (q *Queue) bind(c Config) error {
	if err := unix.Bind(q.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("open packet queue: %w", err)
	}
	// Larger than the system's limit where we may; a full buffer loses packets, and they are counted there.
	if unix.SetsockoptInt(q.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(q.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	_ = unix.SetsockoptInt(q.fd, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1)
	err := q.config(func(b []byte) []byte { return attr(b, configCommand, []byte{1, 0, 0, 0}) })
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: %d", ErrBusy, q.number)
	case err != nil:
		return fmt.Errorf("bind packet queue %d: %w", q.number, err)
	}
	const copyPacket = 2
	params := append(binary.BigEndian.AppendUint32(nil, c.Copy), copyPacket)
	err = q.config(func(b []byte) []byte {
		b = attr(b, configParams, params)
		b = attr(b, configMaxLen, binary.BigEndian.AppendUint32(nil, c.Length))
		if !c.Whole {
			return b
		}
		flag := binary.BigEndian.AppendUint32(nil, flagGSO)
		return attr(attr(b, configFlags, flag), configMask, flag)
	})
	if err != nil {
		return fmt.Errorf("set up packet queue %d: %w", q.number, err)
	}
	return nil
}

// config sends one message and waits for its answer. Packets that come before it stay for Read.
func (q *Queue) config(f func([]byte) []byte) error {
	msg := message(nil, msgConfig, unix.NLM_F_REQUEST|unix.NLM_F_ACK, q.number, f)
	if _, err := unix.Write(q.fd, msg); err != nil {
		return err
	}
	for end := time.Now().Add(time.Second); ; {
		if _, err := wait(q.fd, -1, time.Until(end)); err != nil {
			return err
		}
		n, err := unix.Read(q.fd, q.in)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			if time.Now().After(end) {
				return errors.New("the kernel does not answer")
			}
			continue
		}
		if err != nil {
			return err
		}
		kind, body, _, err := next(q.in[:n])
		if err != nil {
			return err
		}
		if kind == typeError {
			return refusal(body)
		}
	}
}

// Number is what a rule names the queue by.
func (q *Queue) Number() uint16 { return q.number }

// Wait waits until there is something to read, stop becomes readable or the time is over. It is exact to the
// microsecond where the calling thread's timer slack allows it.
func (q *Queue) Wait(stop int, d time.Duration) (stopped bool, err error) { return wait(q.fd, stop, d) }

func wait(fd, stop int, d time.Duration) (bool, error) {
	fds := [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(stop), Events: unix.POLLIN}}
	ts := unix.NsecToTimespec(int64(max(d, 0)))
	_, err := unix.Ppoll(fds[:], &ts, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return false, fmt.Errorf("wait for packets: %w", err)
	}
	return stop >= 0 && fds[1].Revents != 0, nil
}

// Read gives the next packet; false says that none waits.
func (q *Queue) Read() (Packet, bool, error) {
	for {
		if len(q.rest) == 0 {
			n, err := unix.Read(q.fd, q.in)
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOBUFS) {
				continue
			}
			if errors.Is(err, unix.EAGAIN) {
				return Packet{}, false, nil
			}
			if err != nil {
				return Packet{}, false, fmt.Errorf("read packet queue: %w", err)
			}
			q.rest = q.in[:n]
		}
		kind, body, rest, err := next(q.rest)
		if err != nil {
			q.rest = nil
			return Packet{}, false, fmt.Errorf("read packet queue: %w", err)
		}
		q.rest = rest
		if kind != msgPacket {
			continue // a verdict for a packet that is gone is no matter
		}
		if p, err := parse(body); err == nil {
			return p, true, nil
		}
	}
}

// The verdicts.
const (
	drop   = 0
	accept = 1
)

// Accept lets a packet go on, with other bytes unless they are nil. It is said when Send is called, or earlier.
func (q *Queue) Accept(id uint32, bytes []byte) error { return q.verdict(id, accept, bytes) }

// Drop throws a packet away.
func (q *Queue) Drop(id uint32) error { return q.verdict(id, drop, nil) }

func (q *Queue) verdict(id uint32, verdict byte, bytes []byte) error {
	head := [8]byte{3: verdict}
	binary.BigEndian.PutUint32(head[4:], id)
	q.out = message(q.out, msgVerdict, unix.NLM_F_REQUEST, q.number, func(b []byte) []byte {
		b = attr(b, attrVerdict, head[:])
		if bytes != nil {
			b = attr(b, attrPayload, bytes)
		}
		return b
	})
	if len(q.out) < batch {
		return nil
	}
	return q.Send()
}

// Send says the verdicts that wait.
func (q *Queue) Send() error {
	if len(q.out) == 0 {
		return nil
	}
	_, err := unix.Write(q.fd, q.out)
	q.out = q.out[:0]
	if err != nil {
		return fmt.Errorf("send verdicts: %w", err)
	}
	return nil
}

// Close unbinds the queue. The packets in it are lost. It may be called again.
func (q *Queue) Close() {
	if q.fd >= 0 {
		_ = unix.Close(q.fd)
	}
	q.fd = -1
}
