package network

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vishvananda/netlink"

	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/proc"
)

// guard refuses a filter that would cut what this program or those that started it need: their connections, the session
// over which they were started, and, by a whole network, the default gateway and the loopback.
func guard(ref netns.Ref, f filter.Filter) error {
	mine, err := inside(ref)
	if err != nil || len(mine) == 0 {
		return err
	}
	all, err := sockets(ref)
	if err != nil {
		return err
	}
	var cut []string
	for _, pid := range mine {
		cut = append(cut, sessions(pid, f)...)
		held := heldSockets(pid)
		for _, s := range all {
			if held[s.inode] && s.in(f) {
				cut = append(cut, fmt.Sprintf("the TCP connection %s of process %d", s, pid))
			}
		}
	}
	gateways, err := gateways(ref)
	if err != nil {
		return err
	}
	for _, p := range f.To {
		for _, n := range p.Nets {
			cut = append(cut, swept(n, gateways)...)
			if n.IsSingleIP() && n.Addr().IsLoopback() && len(p.Ports) == 0 {
				cut = append(cut, fmt.Sprintf("every port of the loopback %s", n.Addr()))
			}
		}
	}
	slices.Sort(cut)
	cut = slices.Compact(cut)
	if len(cut) > 0 {
		return fmt.Errorf("it would cut what the runner itself needs: %s: say even_runner: true if that is meant", strings.Join(cut, ", "))
	}
	return nil
}

// inside are this process and those that started it, as far as they are in the namespace.
func inside(ref netns.Ref) ([]int, error) {
	all, err := proc.Ancestors(os.Getpid())
	if err != nil {
		return nil, err
	}
	var out []int
	for _, pid := range all {
		path := fmt.Sprintf("/proc/%d/ns/net", pid)
		if pid == os.Getpid() {
			path = "/proc/thread-self/ns/net"
		}
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil && st.Ino == ref.Inode {
			out = append(out, pid)
		}
	}
	return out, nil
}

// sessions are the SSH sessions over which a process was started.
func sessions(pid int, f filter.Filter) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return nil
	}
	for entry := range strings.SplitSeq(string(b), "\x00") {
		value, ok := strings.CutPrefix(entry, "SSH_CONNECTION=")
		if !ok {
			continue
		}
		words := strings.Fields(value) // client, its port, server, its port
		if len(words) != 4 {
			continue
		}
		client, err := netip.ParseAddr(words[0])
		port, err2 := strconv.ParseUint(words[1], 10, 16)
		if err != nil || err2 != nil {
			continue
		}
		if (socket{remote: netip.AddrPortFrom(client.Unmap(), uint16(port))}).in(f) {
			return []string{fmt.Sprintf("the SSH session from %s", client)}
		}
	}
	return nil
}

// heldSockets are the inodes of the sockets that a process has open.
func heldSockets(pid int) map[uint32]bool {
	out := map[uint32]bool{}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		link, err := os.Readlink(dir + "/" + e.Name())
		if err != nil {
			continue
		}
		var inode uint32
		if n, _ := fmt.Sscanf(link, "socket:[%d]", &inode); n == 1 {
			out[inode] = true
		}
	}
	return out
}

// gateways are the default gateways of a namespace.
func gateways(ref netns.Ref) ([]netip.Addr, error) {
	var out []netip.Addr
	err := ref.Do(func() error {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			routes, err := netlink.RouteList(nil, family)
			if err != nil {
				return fmt.Errorf("list routes: %w", err)
			}
			for _, r := range routes {
				if a, ok := netip.AddrFromSlice(r.Gw); ok && isDefault(r) {
					out = append(out, a.Unmap())
				}
			}
		}
		return nil
	})
	return out, err
}

func isDefault(r netlink.Route) bool {
	if r.Dst == nil {
		return true
	}
	ones, _ := r.Dst.Mask.Size()
	return ones == 0
}

// swept are the things that a whole network takes with it.
func swept(n netip.Prefix, gateways []netip.Addr) []string {
	if n.IsSingleIP() {
		return nil
	}
	var out []string
	for _, g := range gateways {
		if n.Contains(g) {
			out = append(out, fmt.Sprintf("the default gateway %s (in %s)", g, n))
		}
	}
	for _, lo := range []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()} {
		if n.Contains(lo) {
			out = append(out, fmt.Sprintf("the loopback %s (in %s)", lo, n))
		}
	}
	return out
}
