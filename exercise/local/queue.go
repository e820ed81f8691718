package local

import (
	"sync"

	"github.com/belay-dr/belay/exercise"
)

// queue is the one serial queue of events. Putting never blocks, and the order is kept.
type queue struct {
	mu     sync.Mutex
	events []exercise.Event
	// ready holds a token while there may be events.
	ready chan struct{}
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) put(e exercise.Event) {
	q.mu.Lock()
	q.events = append(q.events, e)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns what has been put so far, in order.
func (q *queue) take() []exercise.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	events := q.events
	q.events = nil
	return events
}
