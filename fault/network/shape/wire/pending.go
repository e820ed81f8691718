package wire

// entry is a packet with its number.
type entry struct {
	Out
	n uint64
}

// before orders packets by time, and those of one moment as they came.
func (e entry) before(f entry) bool { return e.At < f.At || e.At == f.At && e.n < f.n }

// pending is a heap of packets, the next one first. It is our own because container/heap makes garbage for each packet,
// and a collection in the wrong moment is a delay that nobody asked for.
type pending []entry

func (q *pending) push(e entry) {
	h := append(*q, e)
	n := len(h) - 1
	for n > 0 {
		up := (n - 1) / 2
		if h[up].before(e) {
			break
		}
		h[n] = h[up]
		n = up
	}
	h[n] = e
	*q = h
}

func (q *pending) pop() entry {
	h := *q
	first, e := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	n := 0
	for {
		down := 2*n + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && h[down+1].before(h[down]) {
			down++
		}
		if e.before(h[down]) {
			break
		}
		h[n] = h[down]
		n = down
	}
	if len(h) > 0 {
		h[n] = e
	}
	*q = h
	return first
}
