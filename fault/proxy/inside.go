package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// inside is a proxy in the holder. It begins and ends with the fault: the kernel closes its socket with the holder.
type inside struct {
	cfg   Proxy
	proxy *toxiproxy.Proxy
}

// insideUndo is all that is known of it elsewhere.
type insideUndo struct {
	seen
	Toxics []toxic `json:"toxics"`
	// Holder is the process whose socket it is.
	Holder *proc.Process `json:"holder,omitempty"`
}

func (t *inside) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c := t.cfg
	if !c.Expose && !loopback(c.Listen) {
		return fault.Plan{}, fmt.Errorf("listen: other hosts could reach %s through %s: listen on 127.0.0.1, or say expose: true", c.Upstream, c.Listen)
	}
	if err := vacant(c.Listen); err != nil {
		return fault.Plan{}, err
	}
	u := insideUndo{Toxics: c.toxics(ask.ID)}
	text, was, err := before(ctx, c.Ping, c.Upstream, c.Upstream)
	if err != nil {
		return fault.Plan{}, fmt.Errorf("upstream: %w", err)
	}
	u.seen = seen{Address: c.Listen, Question: text, Before: was}
	if err := c.tells(u.seen); err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{
		Target: fmt.Sprintf("connections from %s to %s", c.Listen, c.Upstream), Class: fault.SelfEnding, Fidelity: fault.Network,
		Changes:   []string{fmt.Sprintf("listen at %s and pass on to %s", c.Listen, c.Upstream), c.says()},
		Claims:    []string{"TCP port " + c.Listen},
		Mechanism: "Toxiproxy in the holder", KernelEnds: true,
		Radius: []string{fmt.Sprintf("whoever connects to %s; nobody is served there before and after the fault", c.Listen)},
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// vacant refuses an address that cannot be listened at.
func vacant(address string) error {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen: %s is in use: the proxy of this fault needs a port of its own; for one that runs already give server and name", address)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("listen: %s needs privileges: take a port above 1023", address)
	case err != nil:
		return fmt.Errorf("listen: %w", err)
	}
	return l.Close()
}

func (t *inside) Inject(_ context.Context, undo json.RawMessage, save fault.Save) error {
	var u insideUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return fmt.Errorf("read undo: %w", err)
	}
	me, err := proc.Self()
	if err != nil {
		return err
	}
	u.Holder = &me
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	if err := save(b); err != nil {
		return err
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics log without being asked
	s := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	t.proxy = toxiproxy.NewProxy(s, "belay", t.cfg.Listen, t.cfg.Upstream)
	// The toxics come first: nobody may pass without them.
	for _, x := range u.Toxics {
		b, err := json.Marshal(x)
		if err != nil {
			return err
		}
		if _, err := t.proxy.Toxics.AddToxicJson(bytes.NewReader(b)); err != nil {
			return fmt.Errorf("add toxic %s: %w", x.Type, err)
		}
	}
	if err := t.proxy.Start(); err != nil {
		return fmt.Errorf("listen at %s: %w", t.cfg.Listen, err)
	}
	return nil
}

func (t *inside) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	var u insideUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return "", fmt.Errorf("read undo: %w", err)
	}
	return t.cfg.confirm(ctx, u.seen)
}

// Revert stops the proxy in the holder. In any other process there is nothing left to do: the socket went with the holder.
func (t *inside) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	if t.proxy != nil {
		t.proxy.Stop()
	}
	return fault.Outcome{}, nil
}

// Residue is a socket that still listens in a holder that still lives.
func (t *inside) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	var u insideUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return nil, fmt.Errorf("read undo: %w", err)
	}
	if u.Holder == nil {
		return nil, nil
	}
	if _, err := proc.Find(*u.Holder); errors.Is(err, proc.ErrGone) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if t.proxy == nil || t.proxy.Enabled {
		d := net.Dialer{Timeout: time.Second}
		if c, err := d.DialContext(ctx, "tcp", u.Address); err == nil {
			c.Close()
			return []string{fmt.Sprintf("process %d still listens at %s", u.Holder.PID, u.Address)}, nil
		}
	}
	return nil, nil
}
