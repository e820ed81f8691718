package docker

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/belay-dr/belay/fault"
)

// oneShot is what deeds have in common that are never taken back.
type oneShot struct{}

func (oneShot) fits(c container.InspectResponse, _ *victim) error {
	if c.State.Paused {
		return fmt.Errorf("container %s is paused", name(c))
	}
	return nil
}
func (oneShot) left(container.InspectResponse, *victim)            {}
func (oneShot) changed(container.InspectResponse, victim) string   { return "" }
func (oneShot) undo(context.Context, *client.Client, victim) error { return nil }

// kill ends a container with SIGKILL.
type kill struct{ oneShot }

func (kill) says() (fault.Class, fault.Fidelity, string) { return fault.OneShot, fault.Process, "kill" }

func (kill) do(ctx context.Context, cli *client.Client, v victim) error {
	_, err := cli.ContainerKill(ctx, v.ID, client.ContainerKillOptions{Signal: "SIGKILL"})
	return err
}

func (kill) done(c container.InspectResponse, found bool, v victim) (string, bool) {
	switch {
	case !found:
		return "is gone", true
	case c.State.StartedAt != v.Started:
		return "ended, and was started again at " + c.State.StartedAt, true
	case c.State.Running:
		return "still runs", false
	}
	return fmt.Sprintf("ended with exit code %d", c.State.ExitCode), true
}

// pending gives the engine a moment to finish what it was asked.
func (k kill) pending(ctx context.Context, cli *client.Client, v victim) error {
	return settle(ctx, func() (bool, error) {
		c, found, err := inspect(ctx, cli, v.ID)
		if err != nil {
			return false, err
		}
		_, done := k.done(c, found, v)
		return done, nil
	})
}

// restart ends a container and starts it again at once.
type restart struct{ oneShot }

func (restart) says() (fault.Class, fault.Fidelity, string) {
	return fault.OneShot, fault.Process, "restart"
}

func (restart) do(ctx context.Context, cli *client.Client, v victim) error {
	none := 0
	_, err := cli.ContainerRestart(ctx, v.ID, client.ContainerRestartOptions{Timeout: &none})
	return err
}

func (restart) done(c container.InspectResponse, found bool, v victim) (string, bool) {
	switch {
	case !found:
		return "is gone", true
	case c.State.StartedAt == v.Started:
		return "was not restarted", false
	}
	return "was restarted at " + c.State.StartedAt, true
}

// pending gives the engine a moment to finish what it was asked.
func (r restart) pending(ctx context.Context, cli *client.Client, v victim) error {
	return settle(ctx, func() (bool, error) {
		c, found, err := inspect(ctx, cli, v.ID)
		if err != nil {
			return false, err
		}
		_, done := r.done(c, found, v)
		return done, nil
	})
}

// stop ends a container in order, and starts it again.
type stop struct{ grace time.Duration }

func (stop) says() (fault.Class, fault.Fidelity, string) { return fault.Restore, fault.Process, "stop" }

func (stop) fits(c container.InspectResponse, _ *victim) error {
	switch {
	case c.State.Paused:
		return fmt.Errorf("container %s is paused", name(c))
	case c.HostConfig != nil && c.HostConfig.AutoRemove:
		return fmt.Errorf("container %s is removed when it stops (--rm), so it could not be started again: kill does not promise to", name(c))
	}
	return nil
}

func (s stop) do(ctx context.Context, cli *client.Client, v victim) error {
	seconds := int((s.grace + time.Second - 1) / time.Second)
	_, err := cli.ContainerStop(ctx, v.ID, client.ContainerStopOptions{Timeout: &seconds})
	return err
}

func (stop) done(c container.InspectResponse, found bool, v victim) (string, bool) {
	switch {
	case !found:
		return "is gone", false
	case c.State.Running || c.State.StartedAt != v.Started:
		return "still runs, or runs again", false
	}
	return fmt.Sprintf("is stopped (%s)", c.State.Status), true
}

func (stop) left(c container.InspectResponse, v *victim) { v.Finished = c.State.FinishedAt }

func (stop) changed(c container.InspectResponse, v victim) string {
	switch {
	case c.State.StartedAt != v.Started || c.State.Running || v.Done && c.State.FinishedAt != v.Finished:
		return "was started by somebody else since"
	case c.State.Dead || c.State.Status == container.StateRemoving:
		return "is being removed"
	}
	return ""
}

func (stop) undo(ctx context.Context, cli *client.Client, v victim) error {
	_, err := cli.ContainerStart(ctx, v.ID, client.ContainerStartOptions{})
	return err
}

// pending waits for a stop that nobody waits for any more: started before it is over, the container would end after that.
func (s stop) pending(ctx context.Context, cli *client.Client, v victim) error {
	ctx, cancel := context.WithTimeout(ctx, s.grace+2*time.Second)
	defer cancel()
	for {
		c, found, err := inspect(ctx, cli, v.ID)
		switch {
		case ctx.Err() != nil:
			return nil // it never came to the engine
		case err != nil:
			return err
		case !found || !c.State.Running || c.State.StartedAt != v.Started:
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// pause freezes a container.
type pause struct{}

func (pause) says() (fault.Class, fault.Fidelity, string) {
	return fault.Restore, fault.Process, "pause"
}

func (pause) fits(c container.InspectResponse, _ *victim) error {
	if c.State.Paused {
		return fmt.Errorf("container %s is paused already", name(c))
	}
	return nil
}

func (pause) do(ctx context.Context, cli *client.Client, v victim) error {
	_, err := cli.ContainerPause(ctx, v.ID, client.ContainerPauseOptions{})
	return err
}

func (pause) done(c container.InspectResponse, found bool, v victim) (string, bool) {
	if !found || !c.State.Paused || c.State.StartedAt != v.Started {
		return "is not paused", false
	}
	return "is paused", true
}

func (pause) left(container.InspectResponse, *victim) {}

func (pause) changed(c container.InspectResponse, v victim) string {
	switch {
	case c.State.StartedAt != v.Started || !c.State.Running:
		return "was stopped or restarted by somebody else since"
	case !c.State.Paused:
		return "was let go on by somebody else since"
	}
	return ""
}

func (pause) undo(ctx context.Context, cli *client.Client, v victim) error {
	_, err := cli.ContainerUnpause(ctx, v.ID, client.ContainerUnpauseOptions{})
	if errdefs.IsConflict(err) || errdefs.IsNotFound(err) {
		return nil // somebody was faster
	}
	return err
}

// pending gives the engine a moment to finish what it was asked.
func (pause) pending(ctx context.Context, cli *client.Client, v victim) error {
	return settle(ctx, func() (bool, error) {
		c, found, err := inspect(ctx, cli, v.ID)
		return !found || c.State.Paused, err
	})
}

// settle waits a moment until something is so. That it never becomes so is no error.
func settle(ctx context.Context, so func() (bool, error)) error {
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end) && ctx.Err() == nil; {
		if yes, err := so(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
