package shape

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nft"
	"github.com/belay-dr/belay/fault/network/shape/wire"
)

// queue is the engine in this process. Its rules and its packets are the kernel's again as soon as the process is gone.
type queue struct {
	engine *engine
	tables []*nft.Owned
}

// tableName is a name that nft can read, and that no other fault has, also when it has the same ID in another directory.
func tableName(id string) string {
	return "belay_shape_" + strings.ReplaceAll(id, "-", "_") + "_" + strings.ToLower(rand.Text()[:6])
}

// inject binds the queue first and sends packets there when it is being served.
func (q *queue) inject(_ context.Context, u *undo, _ func() error) error {
	var err error
	if q.engine, err = startEngine(u.Netns, u.Spec, wire.DefaultLimits(), u.Filter.Direction.Has(true)); err != nil {
		return err
	}
	for _, t := range u.tables(q.engine.queue.Number()) {
		table, err := nft.Open(u.Netns, t)
		if err != nil {
			return err // the holder reverts
		}
		q.tables = append(q.tables, table)
	}
	return nil
}

// families are those in which tables are made.
func (u *undo) families() []nft.Family {
	if !u.Queue.Split {
		return []nft.Family{nft.Inet}
	}
	families := []nft.Family{nft.IPv4}
	if slices.ContainsFunc(u.Filter.To, func(p filter.Peer) bool {
		return slices.ContainsFunc(p.Nets, func(n prefix) bool { return n.Addr().Is6() })
	}) {
		families = append(families, nft.IPv6)
	}
	return families
}

// tables send the packets of the filter to a queue, but not those that we have sent ourselves.
func (u *undo) tables(number uint16) []nft.Table {
	var all []nft.Table
	for _, family := range u.families() {
		do := nft.Queue(number)
		if u.Queue.Old {
			do = nft.OldQueue(number)
		}
		t := nft.Table{Name: u.Queue.Table, Family: family}
		chain := func(name string, hook nft.Hook, priority int32, out bool) {
			matches := nft.Match(family, u.Filter, out)
			for i, m := range matches {
				matches[i] = slices.Concat(nft.NotMarked(mark), m)
			}
			if len(matches) > 0 {
				t.Chains = append(t.Chains, nft.Chain{
					Name: name, Hook: hook, Priority: priority, Rules: nft.Rules("belay: "+u.Spec.String(), matches, do),
				})
			}
		}
		chain("out", nft.Output, nft.BeforeNAT, true)
		chain("in", nft.Input, nft.AfterNAT, false)
		all = append(all, t)
	}
	return all
}

func (q *queue) counts(_ context.Context, u *undo) (counts, error) {
	if q.engine == nil {
		return counts{}, errors.New("the packet queue is not this process's")
	}
	s, err := q.engine.stats()
	if err != nil {
		return counts{}, fmt.Errorf("the packet engine has stopped: %w", err)
	}
	c := counts{Seen: s.In, Hit: s.Lost + s.Damaged + s.Copied + s.Late, Known: true}
	c.Text = fmt.Sprintf("%d packets through the queue", s.In)
	for _, part := range []struct {
		n    uint64
		what string
	}{{s.Lost, "lost"}, {s.Copied, "doubled"}, {s.Damaged, "damaged"}, {s.Late, "put behind others"}, {s.Full, "dropped by a full queue"}, {dropped(u.Netns, q.engine.queue.Number()), "dropped by the kernel"}} {
		if part.n > 0 {
			c.Text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return c, nil
}

// dropped is how many packets the kernel could not hand to us, because there were too many of them.
func dropped(ref netns.Ref, number uint16) (n uint64) {
	_ = ref.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/netfilter/nfnetlink_queue")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 6 && f[0] == strconv.Itoa(int(number)) {
				full, _ := strconv.ParseUint(f[5], 10, 64)
				lost, _ := strconv.ParseUint(f[6], 10, 64)
				n = full + lost
			}
		}
		return nil
	})
	return n
}

// revert lets go what is held, takes the rules away and unbinds the queue, in this order, so that no packet is lost. In
// another process there is nothing to do: the kernel has done it.
func (q *queue) revert(context.Context, *undo, func() error) (fault.Outcome, error) {
	var errs []error
	if q.engine != nil {
		errs = append(errs, q.engine.letGo())
	}
	for _, t := range q.tables {
		errs = append(errs, t.Close())
	}
	q.tables = nil
	if q.engine != nil {
		q.engine.close()
	}
	q.engine = nil
	return fault.Outcome{}, errors.Join(errs...)
}

// settling is how long the kernel may take to clear away after a process that has died.
const settling = 2 * time.Second

// residue looks for the tables. It waits a moment, because the kernel clears away after the process is gone.
func (q *queue) residue(ctx context.Context, u *undo) ([]string, error) {
	for end := time.Now().Add(settling); ; {
		left, err := u.left()
		if err != nil || len(left) == 0 || time.Now().After(end) {
			return left, err
		}
		select {
		case <-ctx.Done():
			return left, nil
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (u *undo) left() ([]string, error) {
	var left []string
	for _, f := range u.families() {
		_, there, err := nft.Find(u.Netns, f, u.Queue.Table)
		if errors.Is(err, netns.ErrGone) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if there {
			left = append(left, fmt.Sprintf("nft table %s in %s", u.Queue.Table, u.Netns.Name))
		}
	}
	return left, nil
}
