package local

import (
	"fmt"
	"io"
	"sync"
)

// keeper keeps the first and the last half of what is written to it, and passes all of it on.
type keeper struct {
	mu      sync.Mutex
	half    int
	head    []byte
	tail    []byte // a ring once it is full
	at      int
	dropped int64
	stream  io.Writer
}

func newKeeper(limit int, stream io.Writer) *keeper {
	if limit <= 0 {
		limit = defaultLimit
	}
	return &keeper{half: max(1, limit/2), stream: stream}
}

// Write never fails: a reader that went away must not end the command.
func (k *keeper) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stream != nil {
		if _, err := k.stream.Write(p); err != nil {
			k.stream = nil
		}
	}
	n := len(p)
	if room := k.half - len(k.head); room > 0 {
		take := min(room, len(p))
		k.head, p = append(k.head, p[:take]...), p[take:]
	}
	for _, b := range p {
		if len(k.tail) < k.half {
			k.tail = append(k.tail, b)
			continue
		}
		k.tail[k.at] = b
		k.at = (k.at + 1) % k.half
		k.dropped++
	}
	return n, nil
}

// text is what was kept, with a line in the middle that says how much is missing.
func (k *keeper) text() (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	tail := string(k.tail[k.at:]) + string(k.tail[:k.at])
	if k.dropped == 0 {
		return string(k.head) + tail, false
	}
	return fmt.Sprintf("%s\n... %d bytes left out ...\n%s", k.head, k.dropped, tail), true
}
