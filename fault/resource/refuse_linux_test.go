package resource_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/resource"
)

// refusal is a config that must be refused, and how.
type refusal struct {
	kind   string
	config object
	want   string
}

func (r refusal) try(t *testing.T) {
	t.Helper()
	target, err := resource.Kinds().Decode(spec(t, r.kind, r.config))
	if err == nil {
		_, err = target.Plan(t.Context(), fault.Ask{ID: "f1"})
	}
	if err == nil || !strings.Contains(err.Error(), r.want) {
		t.Errorf("%s %v:\n got %v\nwant %s", r.kind, r.config, err, r.want)
	}
}

// TestRefusals has one line for each thing that is refused before anything changes, whoever asks.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	app := victim(t)
	write(t, in("two.pid"), fmt.Sprintf("%d\n%d\n", app.Process.Pid, os.Getpid()))
	write(t, in("self.pid"), strconv.Itoa(os.Getpid()))
	write(t, in("parent.pid"), strconv.Itoa(os.Getppid()))
	write(t, in("words"), "not a number")
	write(t, in("empty"), "")
	dead := exec.Command("true")
	_ = dead.Run()
	t.Setenv("BELAY_STATE_DIR", in("holds"))
	for _, r := range []refusal{
		{"cpu_limit", object{"share": "20%"}, "fault resource: cpu_limit: give exactly one of cgroup, pid_file and pid"},
		{"cpu_limit", object{"cgroup": "/app", "pid": 5, "share": "20%"}, "fault resource: cpu_limit: give exactly one of cgroup, pid_file and pid"},
		{"cpu_limit", object{"cgroup": "/app"}, "fault resource: cpu_limit: give exactly one of share and cpus"},
		{"cpu_limit", object{"cgroup": "/app", "share": "120%"}, `fault resource: cpu_limit.share: "120%" is not a share: write for example 20% or 0.2, at most 100%`},
		{"cpu_limit", object{"cgroup": "/app", "share": "0.1%"}, "fault resource: cpu_limit.share: must be at least 1%"},
		{"cpu_limit", object{"cgroup": "/app", "cpus": 0.001}, "fault resource: cpu_limit.cpus: must be at least 0.01"},
		{"cpu_limit", object{"cgroup": "app", "share": 0.2}, `fault resource: cpu_limit.cgroup: must begin with a slash: "/app" is a path below the top of the hierarchy`},
		{"cpu_limit", object{"cgroup": "/a/../..", "share": 0.2}, "fault resource: cpu_limit.cgroup: must not contain .."},
		{"cpu_limit", object{"cgroup": "/app", "alone": true, "share": 0.2}, "fault resource: cpu_limit.alone: is for one process: give pid_file or pid"},
		{"cpu_limit", object{"cgroup": "/app", "shares": 0.2}, `unknown field "shares"`},
		{"cpu_limit", object{"pid": 1, "share": 0.2}, "fault resource: cpu_limit.pid: must be above 1"},
		{"cpu_limit", object{"pid_file": "app.pid", "share": 0.2}, "fault resource: cpu_limit.pid_file: must be an absolute path"},
		{"cpu_limit", object{"pid_file": in("two.pid"), "share": 0.2}, "names 2 processes and max is 1"},
		{"cpu_limit", object{"pid_file": in("self.pid"), "share": 0.2}, "is this fault's own holder or one of those that started it"},
		{"cpu_limit", object{"pid_file": in("parent.pid"), "share": 0.2}, "is this fault's own holder or one of those that started it"},
		{"cpu_limit", object{"pid_file": in("words"), "share": 0.2}, `"not" is not a process ID`},
		{"cpu_limit", object{"pid_file": in("empty"), "share": 0.2}, "is empty"},
		{"cpu_limit", object{"pid": dead.Process.Pid, "share": 0.2}, fmt.Sprintf("process %d does not run", dead.Process.Pid)},
		{"cpu_limit", object{"cgroup": "/belay-no-such-group", "share": 0.2}, "no cgroup "},
		{"cpu_limit", object{"cgroup": "/", "share": 0.2}, "is the root, which cannot be limited: name one below it"},
		{"memory_limit", object{"cgroup": "/app", "bytes": "10 gigs"}, `fault resource: memory_limit.bytes: "10 gigs" is not a number of bytes: write for example 64MiB or 10MB`},
		{"memory_limit", object{"cgroup": "/app", "bytes": 100}, "fault resource: memory_limit.bytes: must be at least 1 MiB"},
		{"disk_slow", object{"cgroup": "/app", "write": "1MiB"}, "fault resource: disk_slow: give exactly one of path and device"},
		{"disk_slow", object{"cgroup": "/app", "path": "/", "device": "8:0", "write": "1MiB"}, "fault resource: disk_slow: give exactly one of path and device"},
		{"disk_slow", object{"cgroup": "/app", "path": "/"}, "fault resource: disk_slow: give at least one of read, write, read_ops and write_ops"},
		{"disk_slow", object{"cgroup": "/app", "path": "/", "write": 10}, "fault resource: disk_slow.write: must be at least 64 KiB"},
		{"disk_slow", object{"cgroup": "/app", "device": "sda", "write": "1MiB"}, `fault resource: disk_slow.device: "sda" is not the numbers of a disk, such as 8:0: ` + "`lsblk` shows them"},
		{"cpu_pressure", object{"load": "0%"}, `fault resource: cpu_pressure.load: "0%" is not a share`},
		{"cpu_pressure", object{"cpus": 60000}, "60000 CPUs are not here: this machine has"},
		{"memory_pressure", object{}, "fault resource: memory_pressure: give exactly one of bytes and share"},
		{"memory_pressure", object{"bytes": "900TB"}, "must stay available: ask for less, or say a smaller reserve"},
		{"memory_pressure", object{"share": "100%"}, "must stay available: ask for less, or say a smaller reserve"},
		{"fd_exhaustion", object{"pid": app.Process.Pid, "leave": -1}, "fault resource: fd_exhaustion.leave: must not be negative"},
		{"fd_exhaustion", object{"pid": app.Process.Pid, "leave": 1 << 20}, "already: ask for fewer than leave: 1048576"},
		{"fd_exhaustion", object{"pid_file": in("self.pid")}, "is this fault's own holder or one of those that started it"},
		{"disk_fill", object{"dir": "tmp"}, "fault resource: disk_fill.dir: must be an absolute path"},
		{"disk_fill", object{"dir": dir, "bytes": "1MB", "leave": "1MB"}, "fault resource: disk_fill: give at most one of bytes and leave"},
		{"disk_fill", object{"dir": dir}, "the undo records (" + in("holds") + ") are on the file system of " + dir + ": set BELAY_STATE_DIR to another one, or say records_too: true"},
		{"disk_fill", object{"dir": in("empty"), "records_too": true}, "it is not a directory"},
		{"disk_fill", object{"dir": in("nothing"), "records_too": true}, "no such file or directory"},
		{"disk_fill", object{"dir": "/proc", "records_too": true}, "/proc"},
		{"disk_fill", object{"dir": dir, "bytes": "900TB", "records_too": true}, "free: ask for less than 818.5 TiB"},
		{"disk_fill", object{"dir": dir, "leave": "900TB", "records_too": true}, "free: ask to leave less than 818.5 TiB"},
		{"disk_fill", object{"dir": "/dev/shm"}, "is in memory: "},
	} {
		r.try(t)
	}
	for text, want := range map[string]string{
		`{"resource": {}}`: "fault resource: give exactly one of cpu_limit, memory_limit, disk_slow, cpu_pressure, memory_pressure, fd_exhaustion and disk_fill",
	} {
		var s fault.Spec
		if err := s.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := resource.Kinds().Decode(s); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestRefusedGroups are cgroups that must not be limited, or not so.
func TestRefusedGroups(t *testing.T) {
	if !needRoot(t) {
		return
	}
	empty, _ := group(t, "cpu")
	crowd, _ := group(t, "cpu")
	limited, v2 := group(t, "cpu")
	a, b := victim(t), victim(t)
	enter(t, crowd, a.Process.Pid)
	enter(t, crowd, b.Process.Pid)
	tight := victim(t)
	enter(t, limited, tight.Process.Pid)
	quota, tenth, most := "cpu.cfs_quota_us", "10000", "memory.limit_in_bytes"
	if v2 {
		quota, tenth, most = "cpu.max", "10000 100000", "memory.max"
	}
	write(t, filepath.Join(limited, quota), tenth)
	memory, _ := group(t, "memory")
	own, holds := ownMemory(t), "holds this fault's own holder or one of those that started it"
	if own == "/" {
		holds = "is the root, which cannot be limited"
	}
	outside := victim(t)
	for _, r := range []refusal{
		{"cpu_limit", object{"cgroup": empty, "share": 0.2}, "has no process: a limit there would limit nothing"},
		{"cpu_limit", object{"cgroup": crowd, "max": 1, "share": 0.2}, "has 2 processes and max is 1"},
		{
			"cpu_limit",
			object{"pid": a.Process.Pid, "share": 0.2},
			fmt.Sprintf("process %d (sleep) shares cgroup %s with 1 others and max is 1: say max: 2, or alone: true to give it a cgroup of its own", a.Process.Pid, crowd),
		},
		{"cpu_limit", object{"cgroup": limited, "share": 0.2}, "is limited to 0.1 CPUs already: ask for less"},
		{"cpu_limit", object{"pid": tight.Process.Pid, "share": 0.2, "alone": true}, "is limited to 0.1 CPUs already: ask for less"},
		{"cpu_limit", object{"cgroup": crowd, "cpus": 4096}, "4096 CPUs is no limit on a machine with"},
		{"cpu_limit", object{"pid": outside.Process.Pid, "share": 0.2}, "is in the root cgroup, which cannot be limited: say alone: true to give it one of its own"},
		{"memory_limit", object{"pid": os.Getpid(), "bytes": "64MiB"}, "is this fault's own holder or one of those that started it"},
		{"memory_limit", object{"cgroup": own, "bytes": "512MiB"}, holds},
		{"cpu_pressure", object{"cgroup": "/belay-no-such-group"}, "no cgroup "},
	} {
		r.try(t)
	}
	if !v2 {
		refusal{"cpu_limit", object{"cgroup": memory, "share": 0.2}, fmt.Sprintf("is not in the hierarchy that limits cpu: say %q", "/"+filepath.Base(memory))}.try(t)
	}
	disk, _ := group(t, "io")
	enter(t, disk, a.Process.Pid)
	refusal{"disk_slow", object{"cgroup": disk, "path": "/proc", "write": "1MiB"}, "/proc is on no disk (proc): give device instead of path"}.try(t)
	refusal{"disk_slow", object{"cgroup": disk, "device": "4000:1", "write": "1MiB"}, "no disk 4000:1: `lsblk` shows them"}.try(t)
	enter(t, memory, outside.Process.Pid)
	write(t, filepath.Join(memory, most), strconv.Itoa(48<<20))
	refusal{"memory_limit", object{"cgroup": memory, "bytes": "64MiB"}, "is limited to 48 MiB already: ask for less"}.try(t)
	refusal{"memory_pressure", object{"cgroup": memory, "bytes": "64MiB"}, "must stay available: ask for less, or say a smaller reserve"}.try(t)
}

// ownMemory is the group that this process is in.
func ownMemory(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(read("/proc/self/cgroup")) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if f[1] == "memory" || f[1] == "" && f[0] == "0" {
			return f[2]
		}
	}
	return "/"
}
