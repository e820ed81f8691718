package dockertest

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// Image is the image that containers of tests are made of.
const Image = "belay-app:test"

// Engine is a running Docker Engine.
type Engine struct {
	// Host is where it answers: unix:///….
	Host string
	// Client asks it: the eyes of the tests.
	Client *client.Client

	dir string
	// keeper is held open for as long as the engine must live.
	keeper io.Closer
}

// shared is the engine of this test binary.
var shared = sync.OnceValues(start)

// errMissing says that there is no engine to start.
var errMissing = errors.New("no Docker Engine here")

// Start returns the engine of this test binary, which the first call starts. Where there is none to start it returns nil
// and says so loudly; with CI=true that is a failure.
func Start(t testing.TB) *Engine {
	t.Helper()
	e, err := shared()
	switch {
	case errors.Is(err, errMissing) && os.Getenv("CI") != "true":
		t.Logf("NOT TESTED AGAINST A REAL DOCKER ENGINE: %v", err)
		return nil
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(e.dir, "log"))
			lines := strings.Split(string(b), "\n")
			t.Log(strings.Join(lines[max(0, len(lines)-12):], "\n"))
		}
	})
	return e
}

func start() (*Engine, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: only root can start one", errMissing)
	}
	for _, name := range []string{"dockerd", "containerd", "runc", "nsenter", "ip", "go"} {
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("%w: %w: apt-get install docker.io", errMissing, err)
		}
	}
	dir, err := os.MkdirTemp("", "dockertest-")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, asKeeper, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ok\n" {
		in.Close()
		return nil, fmt.Errorf("start Docker: %s %w", strings.TrimSpace(line), errors.Join(err, cmd.Wait()))
	}
	e := &Engine{Host: "unix://" + filepath.Join(dir, "docker.sock"), dir: dir, keeper: in}
	if e.Client, err = client.New(client.WithHost(e.Host)); err != nil {
		return nil, err
	}
	return e, e.ready()
}

// ready waits until the engine answers and has the image.
func (e *Engine) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	app := filepath.Join(e.dir, "app")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", app, "github.com/belay-dr/belay/fault/faulttest/dockertest/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build what runs in containers: %w: %s", err, b)
	}
	for {
		_, err := e.Client.Ping(ctx, client.PingOptions{})
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			b, _ := os.ReadFile(filepath.Join(e.dir, "log"))
			return fmt.Errorf("start Docker: %w\n%s", err, b)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return e.image(ctx, app)
}

func (e *Engine) image(ctx context.Context, app string) error {
	body, err := os.ReadFile(app)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "app", Mode: 0o755, Size: int64(len(body)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	r, err := e.Client.ImageImport(ctx, client.ImageImportSource{Source: &b, SourceName: "-"}, Image, client.ImageImportOptions{Changes: []string{`CMD ["/app", "/way/in"]`}})
	if err != nil {
		return fmt.Errorf("import image: %w", err)
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

// Container is one that runs the app.
type Container struct {
	ID   string
	Name string

	engine *Engine
	way    string
}

// Options of a container.
type Options struct {
	Labels  map[string]string
	Restart container.RestartPolicyMode
	// Network is one of Engine.Network; empty is the default one.
	Network string
	Aliases []string
	// Address is a fixed one in that network.
	Address string
	// Remove lets it be removed when it ends.
	Remove bool
}

// Run starts a container, waits until it answers, and removes it after the test.
func (e *Engine) Run(t testing.TB, name string, o Options) *Container {
	t.Helper()
	ctx := context.Background()
	way, err := os.MkdirTemp(e.dir, "way-")
	if err != nil {
		t.Fatal(err)
	}
	create := client.ContainerCreateOptions{
		Name: name, Config: &container.Config{Image: Image, Labels: o.Labels},
		HostConfig: &container.HostConfig{
			Binds: []string{way + ":/way"}, AutoRemove: o.Remove, RestartPolicy: container.RestartPolicy{Name: o.Restart},
		},
	}
	if o.Network != "" {
		create.HostConfig.NetworkMode = container.NetworkMode(o.Network)
		ep := &network.EndpointSettings{Aliases: o.Aliases}
		if o.Address != "" {
			ep.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: netip.MustParseAddr(o.Address)}
		}
		create.NetworkingConfig = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{o.Network: ep}}
	}
	made, err := e.Client.ContainerCreate(ctx, create)
	if err != nil {
		t.Fatalf("create container: %v", err)
	}
	c := &Container{ID: made.ID, Name: name, engine: e, way: filepath.Join(way, "in")}
	t.Cleanup(func() { c.Remove(t) })
	if _, err := e.Client.ContainerStart(ctx, c.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatalf("start container: %v", err)
	}
	for end := time.Now().Add(20 * time.Second); !c.Answers(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("container %s does not answer", name)
		}
	}
	return c
}

// Remove takes the container away, whatever its state.
func (c *Container) Remove(t testing.TB) {
	_, err := c.engine.Client.ContainerRemove(context.Background(), c.ID, client.ContainerRemoveOptions{Force: true})
	if err != nil && !strings.Contains(err.Error(), "No such container") && !strings.Contains(err.Error(), "already in progress") {
		t.Errorf("remove container %s: %v", c.Name, err)
	}
}

// Inspect is what the engine says of it.
func (c *Container) Inspect(t testing.TB) container.InspectResponse {
	t.Helper()
	r, err := c.engine.Client.ContainerInspect(context.Background(), c.ID, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Container
}

// Answers says that the app answers within half a second.
func (c *Container) Answers() bool {
	_, err := c.Ask("/", 500*time.Millisecond)
	return err == nil
}

// Addresses are those of the container, as it sees them itself.
func (c *Container) Addresses() string {
	s, _ := c.Ask("/addresses", time.Second)
	return s
}

// Get asks another container from this one, and returns how long that took.
func (c *Container) Get(from string, within time.Duration) (time.Duration, error) {
	s, err := c.Ask("/get?from="+url.QueryEscape(from)+"&within="+within.String(), within+time.Second)
	if err != nil {
		return 0, err
	}
	return time.ParseDuration(s)
}

// Ask asks the app, not through any network.
func (c *Container) Ask(path string, within time.Duration) (string, error) {
	h := http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.way)
	}}}
	r, err := h.Get("http://app" + path)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", r.Status, b)
	}
	return string(b), err
}

// Network makes a network with a subnet of its own, such as 10.77.1.0/24, and removes it after the test.
func (e *Engine) Network(t testing.TB, name, subnet string) string {
	t.Helper()
	o := client.NetworkCreateOptions{Driver: "bridge"}
	if subnet != "" {
		o.IPAM = &network.IPAM{Config: []network.IPAMConfig{{Subnet: netip.MustParsePrefix(subnet)}}}
	}
	made, err := e.Client.NetworkCreate(context.Background(), name, o)
	if err != nil {
		t.Fatalf("create network: %v", err)
	}
	t.Cleanup(func() {
		if _, err := e.Client.NetworkRemove(context.Background(), made.ID, client.NetworkRemoveOptions{}); err != nil {
			t.Errorf("remove network %s: %v", name, err)
		}
	})
	return made.ID
}
