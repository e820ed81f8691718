package shape

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/netns"
)

// netemLines is the engine in the kernel. What it changes stays until somebody takes it back.
type netemLines struct {
	// u32 takes the older filter also where there is flower. It is for tests.
	u32 bool
}

const (
	// bands of prio: the three that the kernel's own queue has, and netem's, which only our filters lead to.
	bands     = 4
	netemBand = 4
	// netemPackets is how many packets netem holds at most.
	netemPackets = 50_000
	// netemQueue is how long a packet waits for its turn when there is a rate, in seconds.
	netemQueue = 0.4
)

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

func prio(link int, handle uint16) netlink.Qdisc {
	q := netlink.NewPrio(netlink.QdiscAttrs{LinkIndex: link, Handle: netlink.MakeHandle(handle, 0), Parent: netlink.HANDLE_ROOT})
	q.Bands = bands
	return q
}

func netem(link int, handle uint16, s Spec) netlink.Qdisc {
	a := netlink.NetemQdiscAttrs{
		Latency: micro(s.Delay), Jitter: micro(s.Jitter), Limit: netemPackets,
		Loss: float32(s.Loss), Duplicate: float32(s.Duplicate), CorruptProb: float32(s.Corrupt),
	}
	if s.Reorder > 0 { // netem sends the chosen at once and delays the others
		a.Latency, a.ReorderProb = micro(s.ReorderBy), float32(100-s.Reorder)
	}
	if s.Rate > 0 {
		a.Rate64 = uint64(s.Rate / 8)
		queued := float64(s.Rate) / 8 * netemQueue
		a.Limit = uint32(min(max(queued/1500, 10), netemPackets) + float64(s.Rate)/8*(s.Delay+s.Jitter).Seconds()/1500)
	}
	return netlink.NewNetem(netlink.QdiscAttrs{
		LinkIndex: link, Handle: netlink.MakeHandle(handle|1, 0), Parent: netlink.MakeHandle(handle, netemBand),
	}, a)
}

// micro is a time as netem has it.
func micro(d time.Duration) uint32 { return uint32(min(d.Microseconds(), math.MaxUint32)) }

// inject puts the line in place before anything is led through it.
func (e netemLines) inject(_ context.Context, u *undo, save func() error) error {
	return inside(u.Netns, func(h *netlink.Handle) error {
		for i := range u.Lines {
			if err := u.Lines[i].put(h, u, e.u32); err != nil {
				return fmt.Errorf("%s: %w", u.Lines[i].Name, err)
			}
		}
		return save()
	})
}

func (l *netemUndo) put(h *netlink.Handle, u *undo, old bool) error {
	link, err := l.link(h)
	if err != nil {
		return err
	}
	if link == nil {
		return errors.New("interface is gone since it was planned")
	}
	if err := h.QdiscAdd(prio(l.Index, l.Handle)); errors.Is(err, unix.EEXIST) {
		return errors.New("somebody has set up a queueing discipline since it was planned")
	} else if err != nil {
		return fmt.Errorf("add prio: %w", err)
	}
	if err := h.QdiscAdd(netem(l.Index, l.Handle, u.Spec)); err != nil {
		return fmt.Errorf("add netem: %w", err)
	}
	all := matches(u.Filter)
	add := match.flower
	if old {
		add = match.u32
	}
	for i, m := range all {
		err := h.FilterAdd(add(m, l.Index, l.Handle, netemBand))
		if i == 0 && errors.Is(err, unix.ENOENT) { // no flower here
			add = match.u32
			err = h.FilterAdd(add(m, l.Index, l.Handle, netemBand))
		}
		if err != nil {
			return fmt.Errorf("add filter: %w", err)
		}
	}
	l.After, err = l.now(h, link)
	return err
}

// link is the interface, or nil when it is gone.
func (l *netemUndo) link(h *netlink.Handle) (netlink.Link, error) {
	link, err := h.LinkByIndex(l.Index)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at interface %s: %w", l.Name, err)
	}
	return link, nil
}

// now is what there is of ours, as one text that changes with it; empty when there is none.
func (l *netemUndo) now(h *netlink.Handle, link netlink.Link) (string, error) {
	all, err := h.QdiscList(link)
	if err != nil {
		return "", fmt.Errorf("list queueing disciplines of %s: %w", l.Name, err)
	}
	root := rootOf(all)
	if root == nil || root.Type() != "prio" || root.Attrs().Handle != netlink.MakeHandle(l.Handle, 0) {
		return "", nil
	}
	text := "prio"
	if p, ok := root.(*netlink.Prio); ok {
		text = fmt.Sprintf("prio %d %v", p.Bands, p.PriorityMap)
	}
	for _, q := range all {
		if q.Attrs().Parent != netlink.MakeHandle(l.Handle, netemBand) {
			continue
		}
		text += fmt.Sprintf(", %s %s", q.Type(), netlink.HandleStr(q.Attrs().Handle))
		if n, ok := q.(*netlink.Netem); ok {
			plain := *n
			plain.QdiscAttrs = netlink.QdiscAttrs{}
			text += fmt.Sprintf(" %d %d %d %d %d %d %d %d %d", plain.Limit, plain.Latency, plain.Jitter, plain.Loss, plain.Duplicate,
				plain.CorruptProb, plain.ReorderProb, plain.Gap, plain.Rate64)
		}
	}
	filters, err := h.FilterList(link, netlink.MakeHandle(l.Handle, 0))
	if err != nil {
		return "", fmt.Errorf("list filters of %s: %w", l.Name, err)
	}
	return fmt.Sprintf("%s, %d filters", text, len(filters)), nil
}

func (netemLines) counts(_ context.Context, u *undo) (counts, error) {
	var c counts
	err := inside(u.Netns, func(h *netlink.Handle) error {
		for _, l := range u.Lines {
			link, err := l.link(h)
			if err != nil || link == nil {
				return err
			}
			all, err := h.QdiscList(link)
			if err != nil {
				return fmt.Errorf("list queueing disciplines of %s: %w", l.Name, err)
			}
			for _, q := range all {
				s := q.Attrs().Statistics
				if q.Attrs().Handle != netlink.MakeHandle(l.Handle|1, 0) || s == nil {
					continue
				}
				if s.Basic != nil {
					c.Seen += uint64(s.Basic.Packets)
				}
				if s.Queue != nil {
					c.Seen += uint64(s.Queue.Qlen) + uint64(s.Queue.Drops)
					c.Hit += uint64(s.Queue.Drops)
				}
			}
		}
		return nil
	})
	c.Known = u.Spec.Loss > 0 // of the others netem keeps no account
	c.Text = fmt.Sprintf("%d packets through netem, %d dropped", c.Seen, c.Hit)
	return c, err
}

// revert takes away each queueing discipline that is still as we made it.
func (netemLines) revert(_ context.Context, u *undo, save func() error) (fault.Outcome, error) {
	var out fault.Outcome
	err := inside(u.Netns, func(h *netlink.Handle) error {
		var errs []error
		for i := range u.Lines {
			left, err := u.Lines[i].take(h, save)
			if left != "" {
				out.Superseded = append(out.Superseded, left)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	if errors.Is(err, netns.ErrGone) {
		for _, l := range u.Lines {
			if l.After != "" && !l.Taken {
				out.Superseded = append(out.Superseded, fmt.Sprintf("%s is gone, and its %s with it", u.Netns.Name, l.Name))
			}
		}
		return out, nil
	}
	return out, err
}

// take takes one away, or says why it is left alone.
func (l *netemUndo) take(h *netlink.Handle, save func() error) (left string, err error) {
	link, err := l.link(h)
	if err != nil {
		return "", err
	}
	done := l.After == "" || l.Taken
	if link == nil {
		if done {
			return "", nil
		}
		return fmt.Sprintf("interface %s is gone", l.Name), nil
	}
	now, err := l.now(h, link)
	switch {
	case err != nil:
		return "", err
	case now == "" && done:
		return "", nil
	case now == "":
		return fmt.Sprintf("the queueing discipline of %s was replaced since the fault began", l.Name), nil
	case l.After != "" && now != l.After:
		return fmt.Sprintf("netem on %s was changed since the fault began", l.Name), nil
	}
	l.Taken = true
	if err := save(); err != nil {
		return "", err
	}
	if err := h.QdiscDel(prio(l.Index, l.Handle)); err != nil && !errors.Is(err, unix.ENOENT) {
		return "", fmt.Errorf("delete prio of %s: %w", l.Name, err)
	}
	return "", nil
}

// residue are the queueing disciplines that are still as we made them.
func (netemLines) residue(_ context.Context, u *undo) ([]string, error) {
	var left []string
	err := inside(u.Netns, func(h *netlink.Handle) error {
		for _, l := range u.Lines {
			link, err := l.link(h)
			if err != nil {
				return err
			}
			if link == nil {
				continue
			}
			now, err := l.now(h, link)
			if err != nil {
				return err
			}
			if now != "" && (l.After == "" || now == l.After) {
				left = append(left, fmt.Sprintf("queueing discipline %x: on %s in %s", l.Handle, l.Name, u.Netns.Name))
			}
		}
		return nil
	})
	if errors.Is(err, netns.ErrGone) {
		return nil, nil
	}
	return left, err
}
