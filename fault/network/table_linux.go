package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nft"
)

// maxRules is how many rules one fault may have.
const maxRules = nft.MaxRules / 2

// planTable refuses a name that is taken.
func planTable(u *undo, p *fault.Plan) error {
	if taken, err := tablesOf(u); err != nil {
		return err
	} else if len(taken) > 0 {
		return fmt.Errorf("nft table %s is there already in %s: another process has it", u.Table, u.Netns.Name)
	}
	t := u.rules()
	n := 0
	for _, c := range t.Chains {
		n += len(c.Rules)
	}
	if n > maxRules {
		return fmt.Errorf("it would take %d rules, and the most is %d: name fewer peers or ports", n, maxRules)
	}
	how := "drop"
	if u.Reject {
		how = "reject"
	}
	if u.Mechanism == byOwned {
		p.KernelEnds = true
		p.Changes = append(p.Changes, fmt.Sprintf("make nft table %s, which lives only as long as its holder, with %s in it: %s %s",
			u.Table, count(n, "rule", "rules"), how, u.Filter))
	} else {
		p.Class = fault.Restore
		p.Changes = append(p.Changes, fmt.Sprintf("make nft table %s with %s in it: %s %s", u.Table, count(n, "rule", "rules"), how, u.Filter))
	}
	if u.Silent {
		p.Changes = append(p.Changes, "drop what is not TCP only where the devices send it, so that its sender is not told")
	}
	if u.Reset {
		p.Changes = append(p.Changes, "end the TCP connections that there are then; they do not come back by themselves")
	}
	return nil
}

// rules is the table of an undo.
func (u *undo) rules() nft.Table {
	t := nft.Table{Name: u.Table, Family: nft.Inet}
	add := func(name string, hook nft.Hook, priority int32, ways ...bool) {
		var rules []nft.Rule
		for _, out := range ways {
			rules = append(rules, u.cut(out)...)
		}
		if len(rules) == 0 {
			return
		}
		if u.Reject {
			rules = append(nft.Rules("answers", nft.Answers(), nft.Accept()), rules...)
		}
		t.Chains = append(t.Chains, nft.Chain{Name: name, Hook: hook, Priority: priority, Rules: rules})
	}
	add("out", nft.Output, nft.BeforeNAT, true)
	add("in", nft.Input, nft.AfterNAT, false)
	if u.Forward {
		add("forward", nft.Forward, 0, true, false)
	}
	return t
}

// cutNote marks the rules that cut.
const cutNote = "cut"

// cut are the rules for one direction. TCP has its own where it is treated in another way than the rest.
func (u *undo) cut(out bool) []nft.Rule {
	first, rest := nft.Reset(), nft.Unreachable()
	if !u.Reject {
		if first, rest = nft.Drop(), nft.Mark(doomed); !u.Silent || !out {
			return nft.Rules(cutNote, nft.Match(nft.Inet, u.Filter, out), nft.Drop())
		}
	}
	var rules []nft.Rule
	for _, peer := range u.Filter.To {
		f := u.Filter
		f.To = []filter.Peer{peer}
		add := func(p filter.Protocol, do []nft.Expr) {
			f.Protocol = p
			rules = append(rules, nft.Rules(cutNote, nft.Match(nft.Inet, f, out), do)...)
		}
		switch p := u.Filter.Protocol; {
		case p == filter.TCP:
			add(p, first)
		case p != filter.Any:
			add(p, rest)
		case len(peer.Ports) > 0: // which only TCP and UDP have
			add(filter.TCP, first)
			add(filter.UDP, rest)
		default:
			add(filter.TCP, first)
			add(filter.Any, rest)
		}
	}
	return rules
}

// cutPackets are how many packets met the rules.
func cutPackets(u *undo) (uint64, bool, error) {
	counters, err := nft.Counters(u.Netns, nft.Inet, u.Table)
	var n uint64
	for _, c := range counters {
		if c.Note == cutNote {
			n += c.Packets
		}
	}
	return n, true, err
}

// ownedTable is a table that the kernel takes back.
type ownedTable struct{ table *nft.Owned }

func (o *ownedTable) inject(u *undo, save func() error) (err error) {
	if o.table, err = u.open(); err != nil {
		return err
	}
	if !u.Reset {
		return nil
	}
	if u.Ended, err = endAll(u); errors.Is(err, errNoDestroy) {
		err = nil // the rules reset them with their next packets
	}
	return errors.Join(err, save())
}

func (o *ownedTable) seen(u *undo) (uint64, bool, error) { return cutPackets(u) }

// takeBack is how long the kernel may take to end a table whose owner has just died.
const takeBack = 5 * time.Second

// revert closes the table, or waits until the kernel has done so.
func (o *ownedTable) revert(ctx context.Context, u *undo) (fault.Outcome, error) {
	if o.table != nil {
		err := o.table.Close()
		if o.table = nil; err != nil {
			return fault.Outcome{}, fmt.Errorf("close nft table %s: %w", u.Table, err)
		}
	}
	for end := time.Now().Add(takeBack); ; {
		left, err := tablesOf(u)
		if errors.Is(err, netns.ErrGone) || err == nil && len(left) == 0 {
			return fault.Outcome{}, nil
		}
		if err != nil {
			return fault.Outcome{}, err
		}
		if time.Now().After(end) {
			return fault.Outcome{}, fmt.Errorf("nft table %s is still there: the process with netlink port %d has it", u.Table, left[0].Owner)
		}
		select {
		case <-ctx.Done():
			return fault.Outcome{}, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (o *ownedTable) residue(_ context.Context, u *undo) ([]string, error) { return tableLeft(u) }

// tablesOf are the tables of the fault's name, in all families.
func tablesOf(u *undo) ([]nft.Info, error) {
	all, err := nft.Tables(u.Netns)
	return slices.DeleteFunc(all, func(i nft.Info) bool { return i.Name != u.Table }), err
}

// tableLeft names the table if it is there.
func tableLeft(u *undo) ([]string, error) {
	left, err := tablesOf(u)
	if err != nil || len(left) == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("nft table %s in %s", u.Table, u.Netns.Name)}, nil
}

// plainTable is a table that somebody has to delete.
type plainTable struct{}

func (plainTable) inject(u *undo, save func() error) error {
	if err := nft.Make(u.Netns, u.rules()); err != nil {
		return err
	}
	info, there, err := nft.Find(u.Netns, nft.Inet, u.Table)
	if err != nil || !there {
		return errors.Join(err, fmt.Errorf("nft table %s vanished", u.Table))
	}
	u.Made = &info
	return save()
}

func (plainTable) seen(u *undo) (uint64, bool, error) { return cutPackets(u) }

// revert deletes the table if it is still the one that was made. Its name has the fault's ID in it, so that one found after half
// an injection is ours.
func (plainTable) revert(_ context.Context, u *undo) (fault.Outcome, error) {
	info, there, err := nft.Find(u.Netns, nft.Inet, u.Table)
	switch {
	case errors.Is(err, netns.ErrGone):
		return superseded("%s is gone", u.Netns.Name), nil
	case err != nil:
		return fault.Outcome{}, err
	case !there:
		return fault.Outcome{}, nil
	case u.Made != nil && info.Handle != u.Made.Handle:
		return superseded("nft table %s was made anew by somebody else", u.Table), nil
	}
	return fault.Outcome{}, nft.Delete(u.Netns, info)
}

func (plainTable) residue(_ context.Context, u *undo) ([]string, error) {
	info, there, err := nft.Find(u.Netns, nft.Inet, u.Table)
	if err != nil || !there || u.Made != nil && info.Handle != u.Made.Handle {
		return nil, err
	}
	return tableLeft(u)
}

func superseded(format string, args ...any) fault.Outcome {
	return fault.Outcome{Superseded: []string{fmt.Sprintf(format, args...)}}
}

// endAll ends the connections that the filter is about. What is ended is looked for again, because new ones may have come.
func endAll(u *undo) (int, error) {
	list, err := connections(u.Netns, u.Filter)
	if err != nil {
		return 0, err
	}
	return destroy(u.Netns, slices.Clip(list))
}
