package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/belay-dr/belay/fault"
)

// server is a proxy of a Toxiproxy that the team runs. The application goes through it all the time.
type server struct{ cfg Proxy }

// serverUndo is how far the fault came there.
type serverUndo struct {
	seen
	// Toxics are what is added; none for a cut.
	Toxics []toxic `json:"toxics,omitempty"`
	// Begun says that something may have been made there, Injected that all of it was, Reverting that taking it back has begun.
	Begun     bool `json:"begun,omitempty"`
	Injected  bool `json:"injected,omitempty"`
	Reverting bool `json:"reverting,omitempty"`
}

func (t *server) api() api { return api{t.cfg.Server} }

func (t *server) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c := t.cfg
	now, err := t.look(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := free(c.Name, now.Toxics, ask.ID); err != nil {
		return fault.Plan{}, err
	}
	address := c.Listen
	if address == "" {
		address = reachable(now.Listen, c.Server)
	}
	text, was, err := before(ctx, c.Ping, now.Upstream, address)
	if err != nil {
		return fault.Plan{}, err
	}
	u := serverUndo{seen: seen{Address: address, Question: text, Before: was}, Toxics: c.toxics(ask.ID)}
	if err := c.tells(u.seen); err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{
		Target: fmt.Sprintf("proxy %s of the Toxiproxy at %s (%s to %s)", c.Name, c.Server, now.Listen, now.Upstream),
		Class:  fault.Restore, Fidelity: fault.Network,
		Claims:    []string{"proxy " + c.Name + " of " + strings.TrimRight(c.Server, "/")},
		Mechanism: "toxics by the API of Toxiproxy", Elsewhere: true,
		Needs:  []string{"a Toxiproxy server"},
		Radius: []string{"whoever connects to " + address},
	}
	for _, x := range u.Toxics {
		p.Changes = append(p.Changes, fmt.Sprintf("add the toxic %s (%s, %s): %s", x.Name, x.Type, x.Stream, c.says()))
	}
	if c.Cut {
		p.Mechanism = "a proxy of Toxiproxy switched off by its API"
		p.Changes = []string{"switch the proxy off: " + c.says()}
	}
	if n := len(now.Toxics); n > 0 {
		p.Radius = append(p.Radius, fmt.Sprintf("%d other toxics are there already: the effect comes on top of theirs", n))
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// look refuses a server that does not answer, a name that it does not know, and a proxy that is switched off.
func (t *server) look(ctx context.Context) (state, error) {
	now, err := t.api().proxy(ctx, t.cfg.Name)
	switch {
	case errors.Is(err, errEnded):
		return now, fmt.Errorf("server: no Toxiproxy listens at %s: start it, or give listen and upstream to have one for as long as the fault lives", t.cfg.Server)
	case errors.Is(err, errNone):
		names, err := t.api().names(ctx)
		if err != nil {
			return now, fmt.Errorf("server: %w", err)
		}
		return now, fmt.Errorf("name: the Toxiproxy at %s has no proxy %q: it has %s", t.cfg.Server, t.cfg.Name, listed(names))
	case err != nil:
		return now, fmt.Errorf("server: %w: is there a Toxiproxy at %s, and can it be reached from here", err, t.cfg.Server)
	case !now.Enabled:
		return now, fmt.Errorf("name: proxy %s is switched off already", t.cfg.Name)
	}
	return now, nil
}

// free refuses a proxy with toxics of another fault, also one of another host.
func free(name string, there []toxic, id string) error {
	for _, x := range there {
		if strings.HasPrefix(x.Name, ours) && !strings.HasPrefix(x.Name, ours+id+"-") {
			return fmt.Errorf("name: proxy %s is held by another fault, whose toxic is %s: end that one first; if it is over, remove the toxic", name, x.Name)
		}
	}
	return nil
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// reachable is where a proxy can be reached from here: one that listens at all addresses is on the server's host.
func reachable(listen, base string) string {
	host, port, err := net.SplitHostPort(listen)
	u, uerr := url.Parse(base)
	if ip := net.ParseIP(host); err == nil && uerr == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort(u.Hostname(), port)
	}
	return listen
}

func (t *server) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	var u serverUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return fmt.Errorf("read undo: %w", err)
	}
	if _, err := t.look(ctx); err != nil {
		return err
	}
	u.Begun = true
	if err := u.save(save); err != nil {
		return err
	}
	for _, x := range u.Toxics {
		if err := t.api().add(ctx, t.cfg.Name, x); err != nil {
			return err
		}
	}
	if len(u.Toxics) == 0 {
		if err := t.api().enable(ctx, t.cfg.Name, false); err != nil {
			return err
		}
	}
	u.Injected = true
	return u.save(save)
}

func (u serverUndo) save(save fault.Save) error {
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return save(b)
}

func (t *server) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	var u serverUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return "", fmt.Errorf("read undo: %w", err)
	}
	return t.cfg.confirm(ctx, u.seen)
}

// Revert removes the toxics that are still as they were added, or switches the proxy on again.
func (t *server) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	var out fault.Outcome
	var u serverUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return out, fmt.Errorf("read undo: %w", err)
	}
	if !u.Begun {
		return out, nil
	}
	superseded := func(format string, args ...any) {
		if u.Injected && !u.Reverting {
			out.Superseded = append(out.Superseded, fmt.Sprintf(format, args...))
		}
	}
	now, err := t.api().proxy(ctx, t.cfg.Name)
	switch {
	case errors.Is(err, errEnded):
		superseded("the Toxiproxy at %s has ended, and its toxics with it", t.cfg.Server)
		return out, nil
	case errors.Is(err, errNone):
		superseded("somebody removed proxy %s", t.cfg.Name)
		return out, nil
	case err != nil:
		return out, err
	}
	var mine []string
	for _, x := range u.Toxics {
		switch there, found := find(now.Toxics, x.Name); {
		case !found:
			superseded("somebody removed the toxic %s", x.Name)
		case !same(there, x):
			out.Superseded = append(out.Superseded, fmt.Sprintf("somebody changed the toxic %s: it was left alone", x.Name))
		default:
			mine = append(mine, x.Name)
		}
	}
	cut := len(u.Toxics) == 0
	if cut && now.Enabled {
		superseded("somebody switched proxy %s on again", t.cfg.Name)
	}
	if len(mine) == 0 && (!cut || now.Enabled) {
		return out, nil
	}
	u.Reverting = true
	// A mark that cannot be saved must not keep the fault alive.
	_ = u.save(save)
	for _, name := range mine {
		if err := t.api().remove(ctx, t.cfg.Name, name); err != nil {
			return out, err
		}
	}
	if cut {
		return out, t.api().enable(ctx, t.cfg.Name, true)
	}
	return out, nil
}

func find(all []toxic, name string) (toxic, bool) {
	n := slices.IndexFunc(all, func(x toxic) bool { return x.Name == name })
	if n < 0 {
		return toxic{}, false
	}
	return all[n], true
}

func same(a, b toxic) bool {
	return a.Type == b.Type && a.Stream == b.Stream && a.Toxicity == b.Toxicity && maps.Equal(a.Attributes, b.Attributes)
}

// Residue are the toxics that are still as they were added, and a proxy that is still switched off.
func (t *server) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	var u serverUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return nil, fmt.Errorf("read undo: %w", err)
	}
	if !u.Begun {
		return nil, nil
	}
	now, err := t.api().proxy(ctx, t.cfg.Name)
	if errors.Is(err, errEnded) || errors.Is(err, errNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var left []string
	for _, x := range u.Toxics {
		if there, found := find(now.Toxics, x.Name); found && same(there, x) {
			left = append(left, fmt.Sprintf("toxic %s of proxy %s at %s", x.Name, t.cfg.Name, t.cfg.Server))
		}
	}
	if len(u.Toxics) == 0 && !now.Enabled {
		left = append(left, fmt.Sprintf("proxy %s at %s is switched off", t.cfg.Name, t.cfg.Server))
	}
	return left, nil
}
