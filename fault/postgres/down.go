package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/fault/process"
)

// down is the fault that ends a server by SIGKILL or SIGQUIT, or pauses it with all its processes.
type down struct {
	Server
	// processes does the work.
	processes fault.Target
}

// maxPaused is how many processes a pause stops when nothing else is said.
const maxPaused = 100

// goneBound is how long a server may take to be gone. It is shorter than a holder waits for an injection that is called back.
const goneBound = 2 * time.Second

type downUndo struct {
	Postmaster proc.Process `json:"postmaster"`
	Port       int          `json:"port"`
	// Processes is the undo of the fault in the processes.
	Processes json.RawMessage `json:"processes"`
}

func readDown(undo json.RawMessage) (u downUndo, err error) {
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (s *Server) target() fault.Target {
	return &down{Server: *s, processes: s.over(nil)}
}

// over is the fault in the processes of a server.
func (s *Server) over(pids []int) fault.Target {
	v := process.Victim{AnyUser: s.AnyUser, Max: 1}
	if s.How != howPause {
		v = v.Among(pids...)
		return (&process.Process{Kill: &v}).Target()
	}
	if v.Max = s.Max; v.Max == 0 {
		v.Max = maxPaused
	}
	v = v.Among(pids...)
	return (&process.Process{Pause: &v}).Target()
}

func (d *down) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	m, err := d.find()
	if err != nil {
		return fault.Plan{}, err
	}
	pids := []int{m.PID}
	if d.How == howPause {
		pids = append(pids, m.children...)
	}
	p, err := d.over(pids).Plan(ctx, ask)
	if err != nil {
		return p, fmt.Errorf("the server of %s: %w", d.Data, err)
	}
	p.Target = fmt.Sprintf("the server of %s (%s, port %d)", d.Data, m.Info, m.port)
	p.Radius = []string{fmt.Sprintf("every client of port %d; %d processes of the server", m.port, 1+len(m.children))}
	if d.How == howImmediate {
		p.Mechanism = "SIGQUIT"
		p.Changes = []string{"send SIGQUIT to " + m.String() + ", which ends without a checkpoint"}
	}
	p.Claims = append(p.Claims, "the server of "+d.Data)
	p.Undo, err = json.Marshal(downUndo{Postmaster: m.Process, Port: m.port, Processes: p.Undo})
	return p, err
}

func (d *down) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readDown(undo)
	if err != nil {
		return err
	}
	switch d.How {
	case howImmediate:
		if err := proc.Signal(u.Postmaster, unix.SIGQUIT); err != nil {
			return err
		}
		// It takes its time, and cannot be called back: whether it happened must be known when the fault ends.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goneBound)
		defer cancel()
		_ = proc.WaitGone(ctx, u.Postmaster) // Confirm says it when it is not gone
		return nil
	case howPause:
		if u, err = d.again(ctx, u, save); err != nil {
			return err
		}
	}
	return d.processes.Inject(ctx, u.Processes, u.inside(save))
}

// again plans the pause once more, because sessions come and go, and saves whom it is about.
func (d *down) again(ctx context.Context, u downUndo, save fault.Save) (downUndo, error) {
	m, err := d.find()
	if err != nil {
		return u, err
	}
	if m.Process != u.Postmaster {
		return u, fmt.Errorf("the server of %s was started again since the plan", d.Data)
	}
	p, err := d.over(append([]int{m.PID}, m.children...)).Plan(ctx, fault.Ask{})
	if err != nil {
		return u, err
	}
	u.Processes = p.Undo
	b, err := json.Marshal(u)
	if err != nil {
		return u, err
	}
	return u, save(b)
}

// inside saves the undo of the fault in the processes within ours.
func (u downUndo) inside(save fault.Save) fault.Save {
	return func(processes json.RawMessage) error {
		u.Processes = slices.Clone(processes)
		b, err := json.Marshal(u)
		if err != nil {
			return err
		}
		return save(b)
	}
}

// Confirm looks at the processes, and says whether somebody still listens.
func (d *down) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readDown(undo)
	if err != nil {
		return "", err
	}
	seen, err := d.processes.Confirm(ctx, u.Processes)
	if err != nil || d.How == howPause {
		return seen, err
	}
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(u.Port)))
	if err == nil {
		c.Close()
		return seen + fmt.Sprintf(", and somebody listens on port %d again", u.Port), nil
	}
	if errors.Is(err, unix.ECONNREFUSED) {
		return seen + fmt.Sprintf(", and nobody listens on port %d of 127.0.0.1", u.Port), nil
	}
	return seen, nil
}

func (d *down) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, err := readDown(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	out, err := d.processes.Revert(ctx, u.Processes, u.inside(save))
	if len(out.Superseded) > 0 {
		out.Superseded = nil // sessions and workers come and go; it is the server that counts
		if _, err := proc.Find(u.Postmaster); errors.Is(err, proc.ErrGone) {
			out.Superseded = []string{fmt.Sprintf("the server of %s has ended or was started again", d.Data)}
		}
	}
	return out, err
}

func (d *down) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readDown(undo)
	if err != nil {
		return nil, err
	}
	return d.processes.Residue(ctx, u.Processes)
}
