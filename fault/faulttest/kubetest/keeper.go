package kubetest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// program is one process of the cluster.
type program struct {
	path string
	args []string
	cmd  *exec.Cmd
}

// keep starts the programs, does what it is told by lines such as "kill kube-apiserver", and ends all of them when its
// input ends. It answers each line with one of its own. The directory goes with the cluster.
func keep(parts, dir string, in io.Reader, out io.Writer) int {
	all, err := programs(parts, dir)
	defer os.RemoveAll(dir)
	defer func() {
		for _, p := range all {
			p.kill()
		}
	}()
	for name, p := range all {
		if err == nil {
			err = p.start(filepath.Join(dir, name+".log"))
		}
	}
	answer(out, err)
	if err != nil {
		return 1
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		verb, name, _ := strings.Cut(lines.Text(), " ")
		p := all[name]
		if p == nil {
			answer(out, fmt.Errorf("no program %q", name))
			continue
		}
		switch verb {
		case "kill":
			p.kill()
			answer(out, nil)
		case "start":
			answer(out, p.start(filepath.Join(dir, name+".log")))
		case "freeze":
			answer(out, p.cmd.Process.Signal(syscall.SIGSTOP))
		case "thaw":
			answer(out, p.cmd.Process.Signal(syscall.SIGCONT))
		default:
			answer(out, fmt.Errorf("what is %q", verb))
		}
	}
	return 0
}

func answer(out io.Writer, err error) {
	if err != nil {
		fmt.Fprintln(out, "error:", err)
		return
	}
	fmt.Fprintln(out, "ok")
}

func (p *program) start(log string) error {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = filepath.Dir(log), f, f
	p.cmd.Env = []string{"HOME=" + filepath.Dir(log), "PATH=/usr/bin:/bin", "GOMAXPROCS=2"}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return p.cmd.Start()
}

// kill ends the program and returns when it is gone. There is nothing to save.
func (p *program) kill() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// programs are those of one cluster by name, on ports that are free now.
func programs(parts, dir string) (map[string]*program, error) {
	ports, err := free(3)
	if err != nil {
		return nil, err
	}
	server := fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	if err := credentials(dir, server); err != nil {
		return nil, err
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	all := map[string]*program{
		"etcd": {args: []string{
			"--name=one", "--data-dir=" + in("etcd"), "--unsafe-no-fsync", "--log-level=error",
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=one=" + peer,
		}},
		"kube-apiserver": {args: []string{
			"--etcd-servers=" + client, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[2]),
			"--tls-cert-file=" + in("tls.crt"), "--tls-private-key-file=" + in("tls.key"), "--cert-dir=" + in("certs"),
			"--token-auth-file=" + in("tokens"), "--authorization-mode=RBAC", "--endpoint-reconciler-type=none",
			"--service-account-issuer=https://kubernetes.default.svc", "--service-account-signing-key-file=" + in("sa.key"),
			"--service-account-key-file=" + in("sa.pub"), "--service-cluster-ip-range=10.96.0.0/16", "--profiling=false",
		}},
		// A node is given up after 20 seconds: on a busy machine its heartbeats may be late.
		"kube-controller-manager": {args: []string{
			"--kubeconfig=" + in("config"), "--leader-elect=false", "--secure-port=0", "--profiling=false",
			"--service-account-private-key-file=" + in("sa.key"), "--root-ca-file=" + in("tls.crt"),
			"--node-monitor-grace-period=20s", "--node-monitor-period=1s",
		}},
		"kube-scheduler": {args: []string{
			"--kubeconfig=" + in("config"), "--leader-elect=false", "--secure-port=0", "--profiling=false",
		}},
	}
	for name, p := range all {
		p.path = filepath.Join(parts, name)
	}
	for _, zone := range Zones() {
		all[kwok(zone)] = &program{path: filepath.Join(parts, "kwok"), args: []string{
			"--kubeconfig=" + in("config"), "--config=" + filepath.Join(parts, "kwok.yaml"), "--manage-all-nodes=false",
			"--manage-nodes-with-label-selector=" + ZoneLabel + "=" + zone, "--node-lease-duration-seconds=8", "--node-ip=127.0.0.1",
		}}
	}
	return all, nil
}

func kwok(zone string) string { return "kwok-" + zone }

// free finds ports that nobody listens on.
func free(n int) ([]int, error) {
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out, nil
}
