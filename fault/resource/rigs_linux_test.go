package resource_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/uml"
	"github.com/belay-dr/belay/fault/resource"
)

// asOpener makes this test binary a process that opens files when it is asked to.
const asOpener = "resource-test-opener"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asOpener {
		opener()
		return
	}
	faulttest.Main(m, resource.Kinds(), resource.Workers())
}

// opener opens files for every line on its input until it has 50 or cannot, says how many, and closes them.
func opener() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var fds []int
		said := ""
		for len(fds) < 50 {
			fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				said = " " + unix.ErrnoName(err.(unix.Errno))
				break
			}
			fds = append(fds, fd)
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
		fmt.Printf("%d%s\n", len(fds), said)
	}
}

// openerProcess is a running one.
type openerProcess struct {
	pid int
	ask func() string
}

func fdVictim(t testing.TB) openerProcess {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, asOpener)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	ask := func() string {
		fmt.Fprintln(in, "go")
		lines.Scan()
		return lines.Text()
	}
	if got := ask(); got != "50" {
		t.Fatalf("it opened %s from the start", got)
	}
	return openerProcess{cmd.Process.Pid, ask}
}

// confirmed makes the suite's limits long enough for effects that have to be measured before they are confirmed.
// In the kernel inside everything is slower.
func confirmed() time.Duration {
	if uml.Inside() {
		return 10 * time.Second // and a holder that is frozen for longer than three is ended for that
	}
	return 5 * time.Second
}

type object = map[string]any

// spec is {"resource": {kind: config}}.
func spec(t testing.TB, kind string, config object) fault.Spec {
	return faulttest.Spec(t, object{"resource": object{kind: config}})
}

// need says loudly what is not tested without root; CI is root.
func needRoot(t testing.TB) bool {
	t.Helper()
	if os.Geteuid() == 0 {
		return true
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("CI runs these tests as root")
	}
	t.Log("NOT TESTED: only root may make cgroups and mount file systems here: run the tests as root")
	return false
}

// hierarchy is where the kernel has this controller: "cpu", "memory", "io". It reads the mounts by itself.
func hierarchy(t testing.TB, controller string) (dir string, v2 bool) {
	t.Helper()
	b, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	v1 := controller
	if v1 == "io" {
		v1 = "blkio"
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if f[2] == "cgroup" && slices.Contains(strings.Split(f[3], ","), v1) {
			return f[1], false
		}
		if f[2] == "cgroup2" {
			have, _ := os.ReadFile(filepath.Join(f[1], "cgroup.subtree_control"))
			if slices.Contains(strings.Fields(string(have)), controller) {
				return f[1], true
			}
		}
	}
	t.Fatalf("no hierarchy has the %s controller", controller)
	return "", false
}

// group makes a cgroup that is removed, with all that is in it, after the test.
func group(t testing.TB, controller string) (dir string, v2 bool) {
	t.Helper()
	top, v2 := hierarchy(t, controller)
	dir, err := os.MkdirTemp(top, "belay-resource-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeGroup(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // as cgroups are
		t.Fatal(err)
	}
	return dir, v2
}

// removeGroup ends what is in a group and removes it.
func removeGroup(dir string) {
	for range 400 {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.IsDir() {
				removeGroup(filepath.Join(dir, e.Name()))
			}
		}
		for _, pid := range members(dir) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err := os.Remove(dir); err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// members are the processes of a group.
func members(dir string) []int {
	b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	var out []int
	for word := range strings.FieldsSeq(string(b)) {
		if pid, err := strconv.Atoi(word); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

// enter moves a process into a group.
func enter(t testing.TB, dir string, pid int) {
	t.Helper()
	write(t, filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid))
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read is a file without its last line's end; "gone" when there is none.
func read(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "gone"
	}
	return strings.TrimSpace(string(b))
}

// victim starts a process that does nothing, or what is given.
func victim(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	if len(args) == 0 {
		args = []string{"sleep", "600"}
	}
	cmd := exec.Command(args[0], args[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	return cmd
}

func pidFile(t testing.TB, pids ...int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.pid")
	write(t, path, strings.Trim(fmt.Sprint(pids), "[]")+"\n")
	return path
}

// limitRig is a cgroup with an idle process, one file of it, and what that says when it is not limited.
func limitRig(t testing.TB, kind, controller, file, free string, config object, change ...[2]string) faulttest.Rig {
	dir, _ := group(t, controller)
	app := victim(t)
	enter(t, dir, app.Process.Pid)
	config["cgroup"] = dir
	path := filepath.Join(dir, file)
	if read(path) != free {
		t.Fatalf("%s is %q from the start, want %q", path, read(path), free)
	}
	return faulttest.Rig{
		Kinds:  resource.Kinds(),
		Spec:   spec(t, kind, config),
		Within: confirmed(),
		Broken: func() bool { now := read(path); return now != free && now != "gone" },
		Remove: func() { removeGroup(dir) },
		Change: func() {
			for _, c := range change {
				write(t, filepath.Join(dir, c[0]), c[1])
			}
		},
		Intact: func() bool {
			last := change[len(change)-1]
			return strings.HasPrefix(read(filepath.Join(dir, last[0])), last[1])
		},
	}
}

func cpuRig(t testing.TB) faulttest.Rig {
	config := object{"share": "3%"} // so little that even a busy machine has it
	if _, v2 := hierarchy(t, "cpu"); v2 {
		return limitRig(t, "cpu_limit", "cpu", "cpu.max", "max 100000", config, [2]string{"cpu.max", "50000 100000"})
	}
	return limitRig(t, "cpu_limit", "cpu", "cpu.cfs_quota_us", "-1", config, [2]string{"cpu.cfs_quota_us", "50000"})
}

func memoryRig(t testing.TB) faulttest.Rig {
	config := object{"bytes": "64MiB"}
	if _, v2 := hierarchy(t, "memory"); v2 {
		return limitRig(t, "memory_limit", "memory", "memory.max", "max", config, [2]string{"memory.max", "134217728"})
	}
	// The recovery raises both, which only goes in this order.
	return limitRig(t, "memory_limit", "memory", "memory.limit_in_bytes", "9223372036854771712", config,
		[2]string{"memory.memsw.limit_in_bytes", "268435456"}, [2]string{"memory.limit_in_bytes", "134217728"})
}

func diskRig(t testing.TB) faulttest.Rig {
	disk := diskDir(t)
	config := object{"path": disk, "write": "2MiB"}
	if _, v2 := hierarchy(t, "io"); v2 {
		return limitRig(t, "disk_slow", "io", "io.max", "", config, [2]string{"io.max", diskNumbers(t, disk) + " rbps=max wbps=5000000 riops=max wiops=max"})
	}
	return limitRig(t, "disk_slow", "io", "blkio.throttle.write_bps_device", "", config,
		[2]string{"blkio.throttle.write_bps_device", diskNumbers(t, disk) + " 5000000"})
}

// diskVar names a directory on a disk, where the one for temporary files is on none.
const diskVar = "BELAY_TEST_DISK"

func diskDir(t testing.TB) string {
	if dir := os.Getenv(diskVar); dir != "" {
		return dir
	}
	return t.TempDir()
}

// diskNumbers are the numbers of the disk that a directory is on, as lsblk says them.
func diskNumbers(t testing.TB, dir string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `lsblk -no PKNAME,MAJ:MIN "$(findmnt -no SOURCE -T "$1")" | head -1`, "sh", dir).Output()
	f := strings.Fields(string(out))
	if err != nil || len(f) == 0 {
		t.Fatalf("lsblk: %v %q", err, out)
	}
	if len(f) == 1 {
		return f[0]
	}
	out, err = exec.Command("lsblk", "-dno", "MAJ:MIN", "/dev/"+f[0]).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// aloneRig limits one of two processes of a group.
func aloneRig(t testing.TB) faulttest.Rig {
	dir, v2 := group(t, "cpu")
	other, _ := group(t, "cpu")
	app, beside := victim(t), victim(t)
	enter(t, dir, app.Process.Pid)
	enter(t, dir, beside.Process.Pid)
	in := func(group string) bool {
		b := read(fmt.Sprintf("/proc/%d/cgroup", app.Process.Pid))
		name := ":cpu:/"
		if v2 {
			name = "0::/"
		}
		return strings.Contains(b+"\n", name+filepath.Base(group)+"\n")
	}
	return faulttest.Rig{
		Kinds:  resource.Kinds(),
		Within: confirmed(),
		Spec:   spec(t, "cpu_limit", object{"pid_file": pidFile(t, app.Process.Pid), "cpus": 0.03, "alone": true}),
		Broken: func() bool {
			left, _ := filepath.Glob(dir + "/belay-*")
			return !in(dir) && len(members(dir)) == 1 || len(left) > 0
		},
		Remove: func() { end(app) },
		Change: func() { enter(t, other, app.Process.Pid) },
		Intact: func() bool { return in(other) },
	}
}

// end kills a process and waits until it is gone.
func end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	for syscall.Kill(cmd.Process.Pid, 0) == nil {
		time.Sleep(time.Millisecond)
	}
}

// descriptors is the soft limit as the kernel shows it.
func descriptors(pid int) string {
	for line := range strings.Lines(read(fmt.Sprintf("/proc/%d/limits", pid)) + "\n") {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			return strings.Fields(rest)[0]
		}
	}
	return "gone"
}

func fdRig(t testing.TB) faulttest.Rig {
	app := victim(t)
	before := descriptors(app.Process.Pid)
	return faulttest.Rig{
		Kinds:  resource.Kinds(),
		Spec:   spec(t, "fd_exhaustion", object{"pid_file": pidFile(t, app.Process.Pid)}),
		Broken: func() bool { now := descriptors(app.Process.Pid); return now != before && now != "gone" },
		Remove: func() { end(app) },
		Change: func() {
			now := unix.Rlimit{}
			_ = unix.Prlimit(app.Process.Pid, unix.RLIMIT_NOFILE, nil, &now)
			now.Cur = 500
			if err := unix.Prlimit(app.Process.Pid, unix.RLIMIT_NOFILE, &now, nil); err != nil {
				t.Error(err)
			}
		},
		Intact: func() bool { return descriptors(app.Process.Pid) == "500" },
	}
}

// tmpfs mounts a small file system.
func tmpfs(t testing.TB, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("belay-test", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// full says that a file system takes no more.
func full(dir string) bool {
	f, err := os.CreateTemp(dir, "eyes-")
	if err != nil {
		return errors.Is(err, unix.ENOSPC)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	_, err = f.Write(make([]byte, 64<<10))
	return errors.Is(err, unix.ENOSPC)
}

func fillRig(t testing.TB) faulttest.Rig {
	dir := tmpfs(t, "8m")
	return faulttest.Rig{
		Kinds:      resource.Kinds(),
		Spec:       spec(t, "disk_fill", object{"dir": dir}),
		Broken:     func() bool { return full(dir) },
		Remove:     func() { _ = unix.Unmount(dir, unix.MNT_DETACH) },
		KernelEnds: true,
	}
}

// fillBytesRig needs no right but that of writing to a directory.
func fillBytesRig(t testing.TB) faulttest.Rig {
	dir := t.TempDir()
	return faulttest.Rig{
		Kinds:      resource.Kinds(),
		Spec:       spec(t, "disk_fill", object{"dir": dir, "bytes": "3MB", "records_too": true}),
		Broken:     func() bool { return openedIn(dir) },
		Remove:     func() { os.RemoveAll(dir) },
		KernelEnds: true,
	}
}

// openedIn says that some process has a file in a directory open that has no name there.
func openedIn(dir string) bool {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range processes {
		if !strings.Contains(read(p+"/cmdline"), filepath.Base(os.Args[0])) {
			continue // none of ours
		}
		fds, _ := filepath.Glob(p + "/fd/*")
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, dir+"/#") {
				return true
			}
		}
	}
	return false
}

// pressureRig presses in a cgroup of its own, so that it is seen who does.
func pressureRig(t testing.TB, kind, controller string, config object, felt func(dir string) bool) faulttest.Rig {
	dir, _ := group(t, controller)
	config["cgroup"] = dir
	return faulttest.Rig{
		Kinds:      resource.Kinds(),
		Spec:       spec(t, kind, config),
		Within:     confirmed(),
		Broken:     func() bool { return felt(dir) },
		Remove:     func() { removeGroup(dir) },
		KernelEnds: true,
	}
}

func cpuPressureRig(t testing.TB) faulttest.Rig {
	return pressureRig(t, "cpu_pressure", "cpu", object{"load": "10%", "cpus": 1}, func(dir string) bool { return len(members(dir)) > 0 })
}

func memoryPressureRig(t testing.TB) faulttest.Rig {
	return pressureRig(t, "memory_pressure", "memory", object{"bytes": "24MiB"}, func(dir string) bool {
		for _, pid := range members(dir) {
			if resident(pid) > 20<<20 {
				return true
			}
		}
		return false
	})
}

// resident is how much memory a process has, in bytes.
func resident(pid int) int64 {
	f := strings.Fields(read(fmt.Sprintf("/proc/%d/statm", pid)))
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.ParseInt(f[1], 10, 64)
	return n * int64(os.Getpagesize())
}
