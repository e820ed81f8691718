package docker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// chosen are the containers that a fault would hit, and of how many.
type chosen struct {
	those []container.InspectResponse
	of    int
}

// find chooses the containers and refuses too many, none, and the one that this program is in. The ID of the fault decides
// which part of those with the labels is hit.
func (c Containers) find(ctx context.Context, cli *client.Client, id string) (chosen, error) {
	names, of := c.Containers, len(c.Containers)
	if len(c.Labels) > 0 {
		all, err := c.labelled(ctx, cli)
		if err != nil {
			return chosen{}, err
		}
		of = len(all)
		names = part(all, c.Percent, id)
	}
	if limit := max(1, c.Max); len(names) > limit {
		return chosen{}, fmt.Errorf("%d containers would be hit and max is %d: raise max if all are meant, or choose fewer", len(names), limit)
	}
	out := chosen{of: of}
	for _, n := range names {
		one, err := find(ctx, cli, n)
		if err != nil {
			return chosen{}, err
		}
		if slices.ContainsFunc(out.those, func(c container.InspectResponse) bool { return c.ID == one.ID }) {
			return chosen{}, fmt.Errorf("container %s is named twice", n)
		}
		out.those = append(out.those, one)
	}
	return out, nil
}

// production is the first container that is marked as production's, and by what; empty when none is.
func production(all ...container.InspectResponse) string {
	for _, c := range all {
		if c.Config == nil {
			continue
		}
		if mark := fault.ProductionMark(c.Config.Labels); mark != "" {
			return "container " + name(c) + " has the label " + mark
		}
	}
	return ""
}

// labelled are the IDs of the running containers that have all labels.
func (c Containers) labelled(ctx context.Context, cli *client.Client) ([]string, error) {
	list, err := cli.ContainerList(ctx, client.ContainerListOptions{Filters: make(client.Filters).Add("label", c.Labels...).Add("status", "running")})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var out []string
	for _, item := range list.Items {
		out = append(out, item.ID)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no running container has the labels %s", strings.Join(c.Labels, ", "))
	}
	return out, nil
}

// part is some percent of the IDs, at least one. The seed decides which.
func part(ids []string, percent int, seed string) []string {
	if percent == 0 {
		percent = 100
	}
	rank := func(id string) string {
		sum := sha256.Sum256([]byte(seed + "/" + id))
		return hex.EncodeToString(sum[:])
	}
	ids = slices.SortedFunc(slices.Values(ids), func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return ids[:max(1, len(ids)*percent/100)]
}

// find is one container that may be hit.
func find(ctx context.Context, cli *client.Client, n string) (container.InspectResponse, error) {
	c, found, err := inspect(ctx, cli, n)
	switch {
	case err != nil:
		return c, err
	case !found:
		return c, fmt.Errorf("no container %q: docker ps shows them", n)
	case !c.State.Running:
		return c, fmt.Errorf("container %s does not run (%s)", name(c), c.State.Status)
	case c.State.Restarting:
		return c, fmt.Errorf("container %s is being restarted by the engine", name(c))
	}
	return c, own(c)
}

// own refuses the container that this program runs in, or that one of those runs in which started it.
func own(c container.InspectResponse) error {
	refused := fmt.Errorf("container %s is the one that this program runs in", name(c))
	if ours, err := proc.Ancestors(os.Getpid()); err == nil && c.State.Pid > 1 && slices.Contains(ours, c.State.Pid) {
		return refused
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if within(string(mounts), string(groups), c.ID) {
		return refused
	}
	return nil
}

// within says that the process with these mounts and control groups is in this container: the engine mounts some files
// from a directory that has the container's ID as its name, and names the control group after it.
func within(mounts, groups, id string) bool {
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) > 4 && slices.Contains([]string{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}, f[4]) && strings.Contains(f[3], id) {
			return true
		}
	}
	return strings.Contains(groups, id)
}
