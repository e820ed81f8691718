package dns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/proc"
)

// errRights says what is missing.
var errRights = errors.New("CAP_NET_ADMIN is missing: run as root")

// privileged says that this process may change the network: CAP_NET_ADMIN is in effect.
func privileged() bool {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	return unix.Capget(&h, &d[0]) == nil && d[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0
}

// place is a namespace, and what those who live in it read about names.
type place struct {
	ref netns.Ref
	// resolv and hosts are files as they see them; hosts may be missing.
	resolv string
	hosts  string
}

// find finds the place.
func (d *DNS) find() (place, error) {
	if !privileged() {
		return place{}, errRights
	}
	p := place{resolv: "/etc/resolv.conf", hosts: "/etc/hosts"}
	var err error
	switch {
	case d.Netns != "":
		if p.ref, err = netns.Named(d.Netns); err != nil {
			return p, err
		}
		for file, name := range map[*string]string{&p.resolv: "resolv.conf", &p.hosts: "hosts"} {
			// What `ip netns exec` puts in place of the host's.
			own := filepath.Join("/etc/netns", d.Netns, name)
			if _, err := os.Stat(own); err == nil {
				*file = own
			}
		}
		return p, nil
	case d.PID == 0 && d.PIDFile == "":
		p.ref, err = netns.Own()
		return p, err
	}
	pid := d.PID
	if d.PIDFile != "" {
		b, err := os.ReadFile(d.PIDFile)
		if err != nil {
			return p, fmt.Errorf("read pid file: %w", err)
		}
		if pid, err = strconv.Atoi(strings.TrimSpace(string(b))); err != nil || pid < 1 {
			return p, fmt.Errorf("read pid file: %s holds no process ID", d.PIDFile)
		}
	}
	i, err := proc.Look(pid)
	if errors.Is(err, proc.ErrGone) || err == nil && i.Over() {
		return p, fmt.Errorf("process %d does not run", pid)
	}
	if err != nil {
		return p, err
	}
	root := fmt.Sprintf("/proc/%d/root", pid)
	p.resolv, p.hosts = root+p.resolv, root+p.hosts
	p.ref, err = netns.Of(i.Process)
	return p, err
}

// servers fills in whom applications ask, who answers all other questions, and which of it may be redirected. It returns who
// can tell now what the answers are before the fault.
func (d *DNS) servers(p place, u *undo) (now netip.AddrPort, err error) {
	b, err := os.ReadFile(p.resolv)
	if err == nil {
		u.Asked = servers(b)
	}
	for _, text := range d.Upstream {
		a, err := parseServer(text)
		if err != nil {
			return now, err
		}
		u.Upstream = append(u.Upstream, a)
	}
	switch {
	case len(u.Asked) > 0 && len(u.Upstream) > 0:
		now = u.Asked[0]
	case len(u.Asked) > 0:
		u.Upstream, now = slices.Clone(u.Asked), u.Asked[0]
	case len(u.Upstream) > 0:
		for _, a := range u.Upstream {
			u.Asked = append(u.Asked, netip.AddrPortFrom(a.Addr(), 53))
		}
		now = u.Upstream[0]
	case err != nil:
		return now, fmt.Errorf("find the real servers: %w: name them in upstream", err)
	default:
		return now, fmt.Errorf("find the real servers: %s names none: name them in upstream", p.resolv)
	}
	if u.Only, err = local(p.ref, u.Asked); err != nil || len(u.Only) > 0 {
		return now, err
	}
	if mine, err := local(p.ref, u.Upstream); err != nil || len(mine) > 0 {
		u.Only = u.Asked
		return now, err
	}
	return now, nil
}

// local are the servers that answer on this very host. Their own questions to the servers behind them must not be redirected, or
// they would be asked what they ask themselves.
func local(ref netns.Ref, all []netip.AddrPort) ([]netip.AddrPort, error) {
	var mine []net.Addr
	err := ref.Do(func() (err error) {
		mine, err = net.InterfaceAddrs()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", ref.Name, err)
	}
	var out []netip.AddrPort
	for _, a := range all {
		ours := slices.ContainsFunc(mine, func(m net.Addr) bool {
			n, ok := m.(*net.IPNet)
			return ok && n.IP.Equal(a.Addr().AsSlice())
		})
		if ours || a.Addr().IsLoopback() {
			out = append(out, a)
		}
	}
	return out, nil
}

// count is how many processes there are in a namespace.
func count(ref netns.Ref) int {
	all, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	n := 0
	for _, path := range all {
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil && st.Ino == ref.Inode {
			n++
		}
	}
	return n
}

// needed are names that the runner itself asks for: they come from its environment.
func needed(environ []string) []string {
	var out []string
	aws := false
	for _, kv := range environ {
		key, value, _ := strings.Cut(kv, "=")
		aws = aws || strings.HasPrefix(key, "AWS_")
		switch {
		case value == "":
			continue
		case key == "DOCKER_HOST", key == "KUBERNETES_SERVICE_HOST", key == "TEMPORAL_ADDRESS", strings.HasPrefix(key, "AWS_ENDPOINT_URL"),
			strings.EqualFold(key, "http_proxy"), strings.EqualFold(key, "https_proxy"):
		default:
			continue
		}
		if _, rest, ok := strings.Cut(value, "://"); ok {
			value = rest
		}
		value, _, _ = strings.Cut(value, "/")
		value = value[strings.LastIndex(value, "@")+1:]
		if host, _, err := net.SplitHostPort(value); err == nil {
			value = host
		}
		if _, err := netip.ParseAddr(value); err != nil && value != "" {
			out = append(out, strings.ToLower(strings.TrimSuffix(value, "."))+".")
		}
	}
	if aws {
		out = append(out, "sts.amazonaws.com.")
	}
	return out
}

// guard refuses names that the runner needs, where it lives in the same namespace.
func (d *DNS) guard(p place) error {
	mine, err := netns.Own()
	if err != nil || mine.Inode != p.ref.Inode || d.EvenRunner {
		return err
	}
	for _, name := range needed(os.Environ()) {
		if d.covers(name) {
			return fmt.Errorf("the runner itself needs %s: say even_runner: true if that is meant", strings.TrimSuffix(name, "."))
		}
	}
	return nil
}
