package dns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/belay-dr/belay/fault/netns"
)

const (
	// reach is how long a real server may take to answer at all.
	reach = 2 * time.Second
	// silence is how long nothing must come to be called that.
	silence = 1500 * time.Millisecond
)

// reachable refuses when no real server answers. Those that do not are left out, or everybody would wait for them.
func (u *undo) reachable(ctx context.Context) error {
	var why []error
	var good []netip.AddrPort
	for _, to := range u.Upstream {
		if _, err := other(ctx, u.Netns, to); err != nil {
			why = append(why, fmt.Errorf("%s: %w", to, reason(err)))
			continue
		}
		good = append(good, to)
	}
	if len(good) == 0 {
		return fmt.Errorf("no real server answers, so all other names would fail too: %w", errors.Join(why...))
	}
	u.Upstream = good
	return nil
}

// other asks for a name that no fault is about: it never exists. Any answer will do.
func other(ctx context.Context, ref netns.Ref, to netip.AddrPort) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, reach)
	defer cancel()
	c, err := ref.Dial(ctx, "udp", to.String())
	if err != nil {
		return 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(reach))
	conn := &dns.Conn{Conn: c}
	q := new(dns.Msg).SetQuestion("belay.invalid.", dns.TypeA)
	began := time.Now()
	if err := conn.WriteMsg(q); err != nil {
		return 0, err
	}
	for {
		a, err := conn.ReadMsg()
		if err != nil {
			return 0, err
		}
		if a.Id == q.Id {
			return time.Since(began), nil
		}
	}
}

// reason is an error without the addresses of sockets, and without the server that Go believes to have asked.
func reason(err error) error {
	var d *net.DNSError
	if errors.As(err, &d) {
		return errors.New(d.Err)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// lookup asks as an application in the namespace does.
func (u *undo) lookup(ctx context.Context, to netip.AddrPort, name string) ([]netip.Addr, time.Duration, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return u.Netns.Dial(ctx, network, to.String())
	}}
	began := time.Now()
	got, err := r.LookupNetIP(ctx, "ip", name)
	for n := range got {
		got[n] = got[n].Unmap()
	}
	return got, time.Since(began), err
}

// before refuses names whose loss could not be seen, and keeps how fast the others are.
func (d *DNS) before(ctx context.Context, p place, u *undo, now netip.AddrPort) error {
	hosts := p.hostsFile()
	for _, name := range d.exact() {
		plain := strings.TrimSuffix(name, ".")
		if hosted(hosts, name) {
			return fmt.Errorf("%s is in %s, so nobody asks DNS for it", plain, p.hosts)
		}
		look, cancel := context.WithTimeout(ctx, reach)
		got, took, err := u.lookup(look, now, name)
		cancel()
		switch wrong := d.rules().address; {
		case err == nil && len(wrong) > 0 && same(got, wrong):
			return fmt.Errorf("%s has the address %s already", plain, strings.Join(d.Answer.Address, ", "))
		case err == nil:
			u.Before[name] = took
		case len(wrong) > 0:
			u.Before[name] = 0
		default:
			return fmt.Errorf("%s does not resolve now, so its loss could not be seen: %w", plain, reason(err))
		}
	}
	return nil
}

// same says that the addresses are those.
func same(got, want []netip.Addr) bool {
	for _, a := range got {
		if !slices.Contains(want, a) {
			return false
		}
	}
	return len(got) > 0
}

// Confirm asks for each name from inside the namespace, and for one that must still be answered.
func (t *target) Confirm(ctx context.Context, b json.RawMessage) (string, error) {
	u, err := read(b)
	if err != nil {
		return "", err
	}
	names := t.cfg.exact()
	found := make([]string, len(names))
	errs := make(chan error, len(names))
	for n, name := range names {
		go func() {
			var err error
			found[n], err = t.look(ctx, u, name)
			errs <- err
		}()
	}
	for range names {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return "", err
	}
	if t.cfg.covers("belay.invalid.") {
		return strings.Join(found, "; "), nil
	}
	took, err := other(ctx, u.Netns, u.Asked[0])
	if err != nil {
		return "", fmt.Errorf("other names are not answered any more: %w", err)
	}
	return fmt.Sprintf("%s; other names are answered after %s", strings.Join(found, "; "), took.Round(10*time.Microsecond)), nil
}

// look asks for one name and says what came.
func (t *target) look(ctx context.Context, u *undo, name string) (string, error) {
	a := t.cfg.Answer
	wait := slowest + reach
	if a.Code == silent {
		wait = silence
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	got, took, err := u.lookup(ctx, u.Asked[0], name)
	plain := strings.TrimSuffix(name, ".")
	before := "; before, it was answered after " + u.Before[name].Round(10*time.Microsecond).String()
	if u.Before[name] == 0 {
		before = "; before, it was not answered"
	}
	var failed *net.DNSError
	_ = errors.As(err, &failed)
	slow := t.cfg.rules().slow
	switch {
	case len(a.Address) > 0 && err == nil && same(got, t.cfg.rules().address):
		return fmt.Sprintf("%s has the address %s%s", plain, strings.Join(a.Address, ", "), before), nil
	case slow > 0 && err == nil && took >= slow:
		return fmt.Sprintf("%s is answered after %s%s", plain, took.Round(time.Millisecond), before), nil
	case a.Code == unknown && failed != nil && failed.IsNotFound:
		return plain + " is not found" + before, nil
	case a.Code == servfail && failed != nil && failed.IsTemporary && !failed.IsTimeout:
		return fmt.Sprintf("%s: %s%s", plain, failed.Err, before), nil
	case a.Code == silent && failed != nil && failed.IsTimeout:
		return fmt.Sprintf("%s: no answer for %s%s", plain, took.Round(time.Millisecond), before), nil
	case err != nil:
		return "", fmt.Errorf("the effect is not there: %s: %w", plain, reason(err))
	}
	return "", fmt.Errorf("the effect is not there: %s is answered with %v after %s", plain, got, took)
}
