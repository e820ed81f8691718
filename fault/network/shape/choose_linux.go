package shape

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/belay-dr/belay/fault"
)

// choose takes the engine that can do it here, and writes it into the undo and the plan.
func choose(_ context.Context, want Engine, id string, u *undo, p *fault.Plan) error {
	able := Able()
	var whyNot []string
	for _, e := range []Engine{Netem, Queue} {
		if want != Best && want != e {
			continue
		}
		var why string
		var err error
		if e == Netem {
			why, err = planNetem(able, id, u, p)
		} else {
			why = planQueue(able, id, u, p)
		}
		if err != nil {
			return err
		}
		if why == "" {
			u.Engine = e
			if len(whyNot) > 0 {
				p.Mechanism += " (not netem: " + whyNot[0] + ")"
			}
			return nil
		}
		if !slices.Contains(whyNot, why) {
			whyNot = append(whyNot, why)
		}
	}
	return errors.New(strings.Join(whyNot, "; "))
}

// mechanismOf is a new engine of this name.
func mechanismOf(e Engine) (mechanism, error) {
	switch e {
	case Netem:
		return netemLines{}, nil
	case Queue:
		return &queue{}, nil
	}
	return nil, fmt.Errorf("read undo: unknown engine %q", e)
}

// planQueue says why the queue cannot do it, or plans it.
func planQueue(able Ability, id string, u *undo, p *fault.Plan) string {
	if able.NoQueue != "" {
		return able.NoQueue
	}
	u.Queue = &queueUndo{Table: tableName(id), Old: able.OldQueue, Split: able.SplitTables}
	p.Class, p.KernelEnds = fault.SelfEnding, true
	p.Mechanism = "packet queue of the holder, nft owner table"
	p.Changes = append(p.Changes,
		fmt.Sprintf("make nft table %s, which lives only as long as its holder, and send there: %s", u.Queue.Table, u.Filter),
		fmt.Sprintf("hold, change or drop these packets: %s", u.Spec))
	return ""
}

// planNetem says why netem cannot do it, or plans it.
func planNetem(able Ability, id string, u *undo, p *fault.Plan) (string, error) {
	if able.NoNetem != "" {
		return able.NoNetem, nil
	}
	if why := notNetem(u); why != "" {
		return why, nil
	}
	lines, why, err := findLines(u, handleOf(id))
	if err != nil || why != "" {
		return why, err
	}
	u.Lines = lines
	p.Class = fault.Restore
	p.Mechanism = "netem"
	for _, l := range lines {
		p.Claims = append(p.Claims, fmt.Sprintf("%s queueing discipline of interface %d", u.Netns.Claim(), l.Index))
		p.Changes = append(p.Changes,
			fmt.Sprintf("replace the queueing discipline of %s (%s, the kernel's own) by prio %x:", l.Name, l.Before, l.Handle),
			fmt.Sprintf("send %s through netem on %s: %s", u.Filter, l.Name, u.Spec))
		p.Radius = append(p.Radius, "everything that leaves by "+l.Name+" goes through the new queueing discipline, and only the packets of the filter through netem")
	}
	return "", nil
}
