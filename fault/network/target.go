package network

import (
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/network/shape"
)

// Target is what makes the fault.
func (n *Network) Target() fault.Target {
	name, a := n.action()
	switch a := a.(type) {
	case *Delay:
		return n.shaped(a, shape.Spec{Delay: time.Duration(a.Time), Jitter: time.Duration(a.Jitter)})
	case *Reorder:
		return n.shaped(a, shape.Spec{Reorder: a.Percent, ReorderBy: time.Duration(a.by())})
	case *Rate:
		return n.shaped(a, shape.Spec{Rate: int64(a.Rate)})
	case *Share:
		switch {
		case n.Loss != nil:
			return n.shaped(a, shape.Spec{Loss: a.Percent})
		case n.Duplicate != nil:
			return n.shaped(a, shape.Spec{Duplicate: a.Percent})
		}
		return n.shaped(a, shape.Spec{Corrupt: a.Percent})
	}
	return n.cutting(name, a)
}
