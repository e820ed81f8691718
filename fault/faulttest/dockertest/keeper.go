package dockertest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
)

// asKeeper is what the test binary is started as to keep an engine.
const asKeeper = "dockertest-keeper"

// Main is faulttest.Main of packages that also use an engine.
func Main(m *testing.M, kinds fault.Kinds, workers fault.Workers) {
	if len(os.Args) == 3 && os.Args[1] == asKeeper {
		os.Exit(keep(os.Args[2], os.Stdin, os.Stdout))
	}
	faulttest.Main(m, kinds, workers)
}

// bound is how long an engine may take to end by itself.
const bound = 20 * time.Second

// namespace is the network namespace, and the control group, of the engine in this directory.
func namespace(dir string) string { return "belay-docker-" + filepath.Base(dir) }

// keep runs an engine until the input ends, and then takes away all that it left.
func keep(dir string, in io.Reader, out io.Writer) int {
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGPIPE)
	ns := namespace(dir)
	defer os.RemoveAll(dir)
	defer clear(dir, ns)
	cmd, err := engine(dir, ns)
	if err != nil {
		fmt.Fprintln(out, "error:", err)
		return 1
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	fmt.Fprintln(out, "ok")
	_, _ = io.Copy(io.Discard, in)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(bound):
		_ = cmd.Process.Kill()
		<-ended
	}
	return 0
}

// engine starts the engine in its own network namespace.
func engine(dir, ns string) (*exec.Cmd, error) {
	for _, args := range [][]string{{"netns", "add", ns}, {"-n", ns, "link", "set", "lo", "up"}} {
		if b, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ip %v: %w: %s", args, err, b)
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("nsenter", "--net=/run/netns/"+ns, "dockerd", "--data-root", filepath.Join(dir, "data"),
		"--exec-root", filepath.Join(dir, "exec"), "-H", "unix://"+filepath.Join(dir, "docker.sock"), "--pidfile", filepath.Join(dir, "pid"),
		"--config-file", filepath.Join(dir, "config.json"), "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", "/"+ns,
		"--shutdown-timeout", "5")
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o600); err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, cmd.Start()
}

// clear ends every process that has the directory in its command line, such as the shims of containers, and takes away
// mounts, control groups and the namespace.
func clear(dir, ns string) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if !killAll(dir) {
			break
		}
	}
	unmount(dir)
	_ = exec.Command("ip", "netns", "del", ns).Run()
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if !removeGroups(ns) {
			break
		}
	}
}

// killAll kills what belongs to the engine, and says whether there was something.
func killAll(dir string) bool {
	some := false
	procs, _ := os.ReadDir("/proc")
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || pid == os.Getpid() || pid < 2 {
			continue
		}
		b, _ := os.ReadFile(filepath.Join("/proc", p.Name(), "cmdline"))
		words := strings.Split(string(b), "\x00")
		engine := slices.ContainsFunc([]string{"dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v2", "docker-proxy", "runc"}, func(n string) bool {
			return filepath.Base(words[0]) == n
		})
		group, _ := os.ReadFile(filepath.Join("/proc", p.Name(), "cgroup"))
		if engine && strings.Contains(string(b), dir+"/") || strings.Contains(string(group), "/"+namespace(dir)+"/") {
			some = syscall.Kill(pid, syscall.SIGKILL) == nil || some
		}
	}
	return some
}

// unmount takes away what is mounted below the directory, last first.
func unmount(dir string) {
	b, _ := os.ReadFile("/proc/self/mountinfo")
	var points []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], dir+"/") {
			points = append(points, f[4])
		}
	}
	for _, p := range slices.Backward(points) {
		_ = syscall.Unmount(p, 2) // MNT_DETACH
	}
}

// removeGroups removes the control groups of the engine, and says whether some are still in use.
func removeGroups(ns string) bool {
	tops, _ := filepath.Glob("/sys/fs/cgroup/*/" + ns)
	if _, err := os.Stat("/sys/fs/cgroup/" + ns); err == nil {
		tops = append(tops, "/sys/fs/cgroup/"+ns)
	}
	left := false
	for _, top := range tops {
		var dirs []string
		_ = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, d := range slices.Backward(dirs) {
			if err := syscall.Rmdir(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
				left = true
			}
		}
	}
	return left
}
