package dns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nft"
)

// target is the fault. What it keeps open goes with its process.
type target struct {
	cfg    DNS
	server *server
	table  *nft.Owned
}

func newTarget(d DNS) fault.Target { return &target{cfg: d} }

// undo is all that is known of it elsewhere.
type undo struct {
	Netns netns.Ref `json:"netns"`
	Table string    `json:"table"`
	// Asked are the servers that applications ask, Upstream those that answer all other questions.
	Asked    []netip.AddrPort `json:"asked"`
	Upstream []netip.AddrPort `json:"upstream"`
	// Only are those of Asked that are on this very host, when there are some: nothing but questions to them is redirected then.
	Only []netip.AddrPort `json:"only,omitempty"`
	// Before is how long an answer took before the fault, by name; 0 when there was none.
	Before map[string]time.Duration `json:"before"`
	// Port is where the answers come from. It is saved before anything is redirected to it.
	Port uint16 `json:"port,omitempty"`
}

func read(b json.RawMessage) (*undo, error) {
	u := new(undo)
	if err := json.Unmarshal(b, u); err != nil {
		return nil, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (t *target) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	d := t.cfg
	p, err := d.find()
	if err != nil {
		return fault.Plan{}, err
	}
	if err := d.guard(p); err != nil {
		return fault.Plan{}, err
	}
	if err := able(); err != nil {
		return fault.Plan{}, err
	}
	u := &undo{Netns: p.ref, Table: "belay-dns-" + ask.ID, Before: map[string]time.Duration{}}
	now, err := d.servers(p, u)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := u.reachable(ctx); err != nil {
		return fault.Plan{}, err
	}
	if err := d.before(ctx, p, u, now); err != nil {
		return fault.Plan{}, err
	}
	if _, taken, err := nft.Find(p.ref, nft.Inet, u.Table); err != nil {
		return fault.Plan{}, err
	} else if taken {
		return fault.Plan{}, fmt.Errorf("nft table %s is there already in %s: another process has it", u.Table, p.ref.Name)
	}
	plan := fault.Plan{
		Target: fmt.Sprintf("DNS for %s in %s", strings.Join(d.Names, ", "), p.ref.Name),
		Class:  fault.SelfEnding, Fidelity: fault.Network, KernelEnds: true,
		Mechanism: "nft owner table and a server in the holder", Needs: []string{"CAP_NET_ADMIN"},
		Claims: []string{p.ref.Claim() + " to port 53"},
		Radius: []string{fmt.Sprintf("%d processes in %s, when they ask DNS", count(p.ref), p.ref.Name)},
	}
	if !p.ref.Own {
		plan.Needs = append(plan.Needs, "CAP_SYS_ADMIN")
	}
	to := "port 53"
	if len(u.Only) > 0 {
		to = "port 53 of " + list(u.Only)
	}
	plan.Changes = []string{
		fmt.Sprintf("make nft table %s, which lives only as long as its holder: what goes from here to %s comes to a server in the holder", u.Table, to),
		fmt.Sprintf("%s when asked for %s", d.Answer.says(), strings.Join(d.Names, ", ")),
		"pass all other questions on to " + list(u.Upstream) + ", and their answers back, as they are",
	}
	plan.Undo, err = json.Marshal(u)
	return plan, err
}

func list(all []netip.AddrPort) string {
	var out []string
	for _, a := range all {
		if a.Port() == 53 {
			out = append(out, a.Addr().String())
		} else {
			out = append(out, a.String())
		}
	}
	return strings.Join(out, ", ")
}

// able tries the redirection in a namespace that is thrown away.
func able() error {
	err := netns.Apart(func(ref netns.Ref) error {
		u := undo{Table: "belay", Port: 5353}
		table, err := nft.Open(ref, u.rules())
		if err != nil {
			return err
		}
		return table.Close()
	})
	if errors.Is(err, unix.EPERM) && privileged() {
		return nil // who may make no namespace to try in learns it from the kernel later
	}
	if err != nil {
		return fmt.Errorf("this system cannot redirect questions: %w", err)
	}
	return nil
}

// rules is the table: questions that are not our own come to our port.
func (u *undo) rules() nft.Table {
	f := filter.Filter{To: []filter.Peer{
		{Nets: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, Ports: []uint16{53}},
		{Nets: []netip.Prefix{netip.MustParsePrefix("::/0")}, Ports: []uint16{53}},
	}, Protocol: filter.Any, Direction: filter.Out}
	if len(u.Only) > 0 {
		f.To = nil
		for _, a := range u.Only {
			f.To = append(f.To, filter.Peer{Nets: []netip.Prefix{netip.PrefixFrom(a.Addr(), a.Addr().BitLen())}, Ports: []uint16{a.Port()}})
		}
	}
	var rules []nft.Rule
	for _, match := range nft.Match(nft.Inet, f, true) {
		exprs := append([]expr.Any{}, match...)
		exprs = append(exprs, nft.NotMarked(mark)...)
		rules = append(rules, nft.Rule{Note: "question", Exprs: append(exprs, nft.Redirect(u.Port)...)})
	}
	// Before other translations, such as that of Docker's own server in a container.
	return nft.Table{Name: u.Table, Family: nft.Inet, Chains: []nft.Chain{
		{Name: "out", NAT: true, Hook: nft.Output, Priority: nft.NATOut - 10, Rules: rules},
	}}
}

func (t *target) Inject(_ context.Context, b json.RawMessage, save fault.Save) error {
	u, err := read(b)
	if err != nil {
		return err
	}
	if t.server, err = listen(u.Netns, t.cfg.rules(), u.Upstream); err != nil {
		return err
	}
	u.Port = t.server.port
	saved, err := json.Marshal(u)
	if err != nil {
		return err
	}
	if err := save(saved); err != nil {
		return err
	}
	t.server.serve()
	if t.table, err = nft.Open(u.Netns, u.rules()); err != nil {
		return err
	}
	return forgetFlows(u.Netns, questions)
}

// takeBack is how long the kernel may take to end a table whose owner has just died.
const takeBack = 5 * time.Second

// Revert closes the table, or waits until the kernel has done so, and lets the kernel forget the flows that came to us.
func (t *target) Revert(ctx context.Context, b json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := read(b)
	if err != nil {
		return fault.Outcome{}, err
	}
	if t.table != nil {
		err := t.table.Close()
		if t.table = nil; err != nil {
			return fault.Outcome{}, fmt.Errorf("close nft table %s: %w", u.Table, err)
		}
	}
	for end := time.Now().Add(takeBack); ; {
		_, there, err := nft.Find(u.Netns, nft.Inet, u.Table)
		if errors.Is(err, netns.ErrGone) {
			break
		}
		if err != nil {
			return fault.Outcome{}, err
		}
		if !there {
			if err := forgetFlows(u.Netns, redirected(u.Port)); err != nil && !errors.Is(err, netns.ErrGone) {
				return fault.Outcome{}, err
			}
			break
		}
		if time.Now().After(end) {
			return fault.Outcome{}, fmt.Errorf("nft table %s is still there: another process has it", u.Table)
		}
		select {
		case <-ctx.Done():
			return fault.Outcome{}, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	if t.server != nil {
		t.server.close()
		t.server = nil
	}
	return fault.Outcome{}, nil
}

// Residue is our table, and flows that still come to us.
func (t *target) Residue(_ context.Context, b json.RawMessage) ([]string, error) {
	u, err := read(b)
	if err != nil || u.Port == 0 {
		return nil, err
	}
	_, there, err := nft.Find(u.Netns, nft.Inet, u.Table)
	if errors.Is(err, netns.ErrGone) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if there {
		return []string{fmt.Sprintf("nft table %s in %s", u.Table, u.Netns.Name)}, nil
	}
	n, err := leftFlows(u.Netns, redirected(u.Port))
	if err != nil || n == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%d flows to port 53 in %s still go to port %d of it", n, u.Netns.Name, u.Port)}, nil
}

// hostsFile is what those in the place read before they ask.
func (p place) hostsFile() []byte {
	b, _ := os.ReadFile(p.hosts)
	return b
}
