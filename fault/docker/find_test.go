package docker

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
)

// TestFirst does not take a process for a container's that only has the same ID.
func TestFirst(t *testing.T) {
	c := container.InspectResponse{ID: strings.Repeat("5", 64), Name: "/api", State: &container.State{Pid: os.Getpid()}}
	if _, err := first(c); err == nil || !strings.Contains(err.Error(), "is not to be seen from here: run this where its engine runs") {
		t.Errorf("our own process: %v", err)
	}
}

// TestWithin tells a process in a container from the engine's host, which sees the mounts of all containers.
func TestWithin(t *testing.T) {
	const id = "4f9b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
	const other = "00000000000000005a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b"
	for name, c := range map[string]struct {
		mounts, groups string
		want           bool
	}{
		"in it, cgroup v2 namespace": {"1 2 254:1 /docker/containers/" + id + "/hostname /etc/hostname rw - ext4 /dev/vda rw\n", "0::/\n", true},
		"in it, cgroup v1":           {"", "4:memory:/docker/" + id + "\n", true},
		"in another one":             {"1 2 254:1 /docker/containers/" + other + "/hostname /etc/hostname rw - ext4 /dev/vda rw\n", "4:memory:/docker/" + other + "\n", false},
		"on the host":                {"1 2 0:5 / /var/lib/docker/containers/" + id + "/mounts/shm rw - tmpfs shm rw\n", "0::/user.slice\n", false},
		"nowhere":                    {"", "", false},
	} {
		if got := within(c.mounts, c.groups, id); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestPart takes a part of those that a label chose: at least one, always the same ones for one fault, others for another.
func TestPart(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	for percent, want := range map[int]int{0: 10, 1: 1, 9: 1, 10: 1, 19: 1, 20: 2, 50: 5, 99: 9, 100: 10} {
		if got := part(all, percent, "f1"); len(got) != want {
			t.Errorf("%d percent of ten: %v", percent, got)
		}
	}
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	if a, b := part(all, 30, "f1"), part(backwards, 30, "f1"); !slices.Equal(a, b) {
		t.Errorf("the order of the list decides: %v, %v", a, b)
	}
	differ := 0
	for _, seed := range []string{"f2", "f3", "f4", "f5"} {
		if !slices.Equal(part(all, 30, "f1"), part(all, 30, seed)) {
			differ++
		}
	}
	if differ < 2 {
		t.Error("the seed does not decide")
	}
}

// TestProduction finds the first container with a label of production.
func TestProduction(t *testing.T) {
	with := func(name string, labels map[string]string) container.InspectResponse {
		return container.InspectResponse{ID: strings.Repeat("5", 64), Name: "/" + name, Config: &container.Config{Labels: labels}}
	}
	test := with("test", map[string]string{"environment": "test", "app": "production"})
	for want, all := range map[string][]container.InspectResponse{
		"":                                     {test, {}},
		"container api has the label env=Prod": {test, with("api", map[string]string{"env": "Prod"}), with("web", map[string]string{"env": "live"})},
	} {
		if got := production(all...); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
