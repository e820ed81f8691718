package kubetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// startBound is how long a cluster may take to come up on a busy machine.
const startBound = 120 * time.Second

// Cluster is a running control plane.
type Cluster struct {
	// Kubeconfig is the path of a kubeconfig with the contexts Admin, Viewer and Stranger.
	Kubeconfig string
	// Dynamic is a client of the admin: the eyes of the tests.
	Dynamic dynamic.Interface

	dir    string
	mu     sync.Mutex
	keeper io.WriteCloser
	said   *bufio.Reader
}

// shared is the cluster of this test binary. It is made once and never changed.
var shared = sync.OnceValues(start)

// Start returns the cluster of this test binary, which the first call starts. Where the programs are not built it returns
// nil and says so loudly; with CI=true that is a failure.
func Start(t testing.TB) *Cluster {
	t.Helper()
	c, err := shared()
	return c.given(t, err)
}

// Own starts a cluster for one test that does to it what others would suffer from. It ends with the test.
func Own(t testing.TB) *Cluster {
	t.Helper()
	c, err := start()
	if c = c.given(t, err); c != nil {
		t.Cleanup(func() { _ = c.keeper.Close() })
	}
	return c
}

func (c *Cluster) given(t testing.TB, err error) *Cluster {
	t.Helper()
	switch {
	case errors.Is(err, errNotBuilt) && os.Getenv("CI") != "true":
		t.Logf("NOT TESTED AGAINST A REAL KUBERNETES API: %v", err)
		return nil
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.logs())
		}
	})
	return c
}

// errNotBuilt says that there is nothing to start.
var errNotBuilt = errors.New("no Kubernetes here")

func start() (*Cluster, error) {
	programs, err := parts()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotBuilt, err)
	}
	dir, err := os.MkdirTemp("", "kubetest-")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, asKeeper, programs, dir)
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
	c := &Cluster{Kubeconfig: filepath.Join(dir, "config"), dir: dir, keeper: in, said: bufio.NewReader(out)}
	if err := c.answered(); err != nil {
		return nil, err
	}
	config, err := c.Config(Admin)
	if err != nil {
		return nil, err
	}
	if c.Dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	if err := c.furnish(ctx); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, c.logs())
	}
	return c, nil
}

// Config is the client configuration of one of the users.
func (c *Cluster) Config(user string) (*rest.Config, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: c.Kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: user},
	).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.Timeout = 10 * time.Second
	config.WarningHandler = rest.NoWarnings{}
	return config, nil
}

// ready waits until the API server says that it is.
func (c *Cluster) ready(ctx context.Context) error {
	config, err := c.Config(Admin)
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	return until(ctx, "the API server is ready", func() error {
		answer, err := client.Get(config.Host + "/readyz")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != 200 {
			return errors.New(answer.Status)
		}
		return nil
	})
}

// KillAPI kills the API server, as kill -9 does.
func (c *Cluster) KillAPI(t testing.TB) { t.Helper(); c.tell(t, "kill kube-apiserver") }

// StartAPI starts it again, on the same port, and waits until it is ready.
func (c *Cluster) StartAPI(t testing.TB) {
	t.Helper()
	c.tell(t, "start kube-apiserver")
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	if err := c.ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// FreezeZone stops the heartbeats of a zone's nodes, and ThawZone lets them go on.
func (c *Cluster) FreezeZone(t testing.TB, zone string) { t.Helper(); c.tell(t, "freeze "+kwok(zone)) }

// ThawZone ends FreezeZone.
func (c *Cluster) ThawZone(t testing.TB, zone string) { t.Helper(); c.tell(t, "thaw "+kwok(zone)) }

func (c *Cluster) tell(t testing.TB, line string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := fmt.Fprintln(c.keeper, line); err != nil {
		t.Fatal(err)
	}
	if err := c.answered(); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) answered() error {
	line, err := c.said.ReadString('\n')
	if err != nil || line != "ok\n" {
		return fmt.Errorf("keep a cluster: %s %w", strings.TrimSpace(line), err)
	}
	return nil
}

// logs are the last lines of every program.
func (c *Cluster) logs() string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(c.dir, "*.log"))
	for _, file := range files {
		content, _ := os.ReadFile(file)
		fmt.Fprintf(&b, "--- %s\n%s\n", filepath.Base(file), content[max(0, len(content)-1500):])
	}
	return b.String()
}

// until tries until there is no error any more.
func until(ctx context.Context, what string, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("never: %s: %w", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
