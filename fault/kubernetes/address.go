package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// requestBound is how long one request may take. An API that is silent is found out in this time.
const requestBound = 5 * time.Second

// address is where a fault is to be made.
type address struct{ cfg Kubernetes }

// place is an address as the undo keeps it: a stranger finds the same cluster by it, whatever has become the current
// context since. It has no secrets.
type place struct {
	// Files are the kubeconfigs in the order in which they are read. None: the cluster that we run in.
	Files   []string `json:"files,omitempty"`
	Context string   `json:"context,omitempty"`
	// Server is the API server's address then. Another one now would be another cluster.
	Server string `json:"server"`
}

// cluster is a connection to an API server.
type cluster struct {
	place
	dynamic.Interface
	http *http.Client
	// namespace is the context's own.
	namespace string
	// program gives the credentials; empty when the kubeconfig has them.
	program string
}

// open finds the cluster of a config.
func (a address) open() (*cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	files := rules.Precedence
	if a.cfg.Kubeconfig != "" {
		files = []string{a.cfg.Kubeconfig}
	}
	var p place
	for _, f := range files {
		path, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(path); err == nil {
			p.Files = append(p.Files, path)
		} else if a.cfg.Kubeconfig != "" {
			return nil, fmt.Errorf("read kubeconfig: %w", err)
		}
	}
	p.Context = a.cfg.Context
	if len(p.Files) > 0 && p.Context == "" {
		raw, err := p.loader().RawConfig()
		if err != nil {
			return nil, fmt.Errorf("read kubeconfig: %w", err)
		}
		if p.Context = raw.CurrentContext; p.Context == "" {
			return nil, fmt.Errorf("%v has no current context: give one by context", p.Files)
		}
	}
	return p.open()
}

func (p place) loader() clientcmd.ClientConfig {
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{Precedence: p.Files}, &clientcmd.ConfigOverrides{CurrentContext: p.Context})
}

// open connects. Nothing is sent yet.
func (p place) open() (*cluster, error) {
	config, namespace, err := p.config()
	if err != nil {
		return nil, err
	}
	if p.Server != "" && p.Server != config.Host {
		return nil, fmt.Errorf("context %s was %s when the fault was made and is %s now: that may be another cluster", p.Context, p.Server, config.Host)
	}
	p.Server = config.Host
	config.Timeout = requestBound
	config.QPS = -1
	config.UserAgent = "belay"
	config.WarningHandler = rest.NoWarnings{}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connect to Kubernetes: %w", err)
	}
	program := ""
	if config.ExecProvider != nil {
		program = config.ExecProvider.Command
	}
	client.Transport = impatient{client.Transport, program}
	d, err := dynamic.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("connect to Kubernetes: %w", err)
	}
	return &cluster{place: p, Interface: d, http: client, namespace: namespace, program: program}, nil
}

func (p place) config() (*rest.Config, string, error) {
	if len(p.Files) > 0 {
		config, err := p.loader().ClientConfig()
		if err != nil && p.Context != "" && strings.HasSuffix(err.Error(), "does not exist") {
			return nil, "", fmt.Errorf("read kubeconfig: %w: `kubectl config get-contexts` shows those there are", err)
		}
		if err != nil {
			return nil, "", fmt.Errorf("read kubeconfig: %w", err)
		}
		namespace, _, err := p.loader().Namespace()
		return config, namespace, err
	}
	config, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, "", errors.New("no cluster is known: give kubeconfig, or set KUBECONFIG, or run inside one")
	}
	namespace, _ := ownPlace()
	return config, namespace, err
}

// in is the namespace of a fault.
func (a address) in(c *cluster) (string, error) {
	namespace := a.cfg.Namespace
	if namespace == "" {
		namespace = c.namespace
	}
	if namespace == "" {
		namespace = "default"
	}
	return namespace, a.allowed(namespace)
}

// allowed refuses the system's own namespace.
func (a address) allowed(namespace string) error {
	if namespace == system && !a.cfg.EvenSystem {
		return fmt.Errorf("%s holds what the cluster itself needs: say even_system: true if it may be hit", system)
	}
	return nil
}

// system is the namespace of what the cluster itself needs.
const system = "kube-system"

// name says in a phrase which cluster it is.
func (c *cluster) name() string {
	if c.Context == "" {
		return c.Server
	}
	return c.Server + " (context " + c.Context + ")"
}

// explain says what can be done about an error of a request.
func (c *cluster) explain(err error) error {
	var broken *url.Error
	var timeout net.Error
	switch {
	case err == nil:
		return nil
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("kubernetes at %s does not know us: log in again, or give another context: %w", c.name(), err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("kubernetes at %s refuses: %w", c.name(), err)
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &broken), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("reach Kubernetes at %s: is it up, and is this the right context: %w", c.name(), err)
	}
	return err
}

// passing says that an error may go away by itself.
func passing(err error) bool {
	var broken *url.Error
	return errors.As(err, &broken) || apierrors.IsServerTimeout(err) || apierrors.IsServiceUnavailable(err) ||
		apierrors.IsInternalError(err) || apierrors.IsTimeout(err)
}

// patience is how long a revert waits for an API server that is away, in each of its attempts.
const patience = 2 * time.Second

// patiently tries again while an error may go away.
func patiently(ctx context.Context, try func() error) error {
	for end := time.Now().Add(patience); ; {
		err := try()
		if err == nil || !passing(err) || time.Now().After(end) {
			return err
		}
		if wait(ctx, 200*time.Millisecond) != nil {
			return err
		}
	}
}

// wait returns early, with an error, when ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
