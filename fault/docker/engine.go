package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// answerBound is how long an engine may take to answer at all.
const answerBound = 3 * time.Second

// engine is where the config says that an engine answers; empty when it leaves that to the environment.
type engine struct{ host string }

// address is where an engine answers. All of it is in the undo: a sweep may run in another environment.
type address struct {
	Host string `json:"host"`
	// Certs is the directory of the client's certificate, of an engine that asks for one.
	Certs string `json:"certs,omitempty"`
}

// address is what the config and the environment say.
func (e engine) address() address {
	a := address{Host: e.host}
	if a.Host == "" {
		a.Host = os.Getenv(client.EnvOverrideHost)
		a.Certs = os.Getenv(client.EnvOverrideCertPath)
	}
	if a.Host == "" {
		a.Host = client.DefaultDockerHost
	}
	return a
}

// local says that the engine is on this host.
func (a address) local() bool { return strings.HasPrefix(a.Host, "unix://") }

// near says that asking it does not leave this host.
func (a address) near() bool {
	u, err := url.Parse(a.Host)
	if err != nil || a.local() || u.Scheme == "npipe" {
		return err == nil
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// open makes a client. Nothing is asked yet.
func (a address) open() (*client.Client, error) {
	if scheme, _, ok := strings.Cut(a.Host, "://"); ok && scheme == "ssh" {
		return nil, fmt.Errorf("open Docker at %s: an engine is not reached by ssh: run Belay there, or forward its socket with ssh -L and give that as host", a.Host)
	}
	opts := []client.Opt{client.WithHost(a.Host)}
	if a.Certs != "" {
		in := func(name string) string { return a.Certs + "/" + name }
		opts = append(opts, client.WithTLSClientConfig(in("ca.pem"), in("cert.pem"), in("key.pem")))
	}
	cli, err := client.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("open Docker at %s: %w", a.Host, err)
	}
	return cli, nil
}

// reach makes a client of an engine that answers.
func (a address) reach(ctx context.Context) (*client.Client, error) {
	cli, err := a.open()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerBound)
	defer cancel()
	if _, err := cli.Ping(ctx, client.PingOptions{}); err != nil {
		cli.Close()
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", answerBound)
		}
		if dial, ok := errors.AsType[*net.OpError](err); ok {
			err = dial // the client says much around it
		}
		return nil, fmt.Errorf("no Docker Engine answers at %s: start it, let this user use its socket, or say host: %w", a.Host, err)
	}
	return cli, nil
}

// inspect looks at a container; found is false when there is none with this name or ID.
func inspect(ctx context.Context, cli *client.Client, id string) (c container.InspectResponse, found bool, err error) {
	r, err := cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return c, false, nil
	}
	if err != nil {
		return c, false, fmt.Errorf("look at container %s: %w", id, err)
	}
	if r.Container.State == nil {
		return c, false, fmt.Errorf("look at container %s: the engine does not tell its state", id)
	}
	return r.Container, true, nil
}

func name(c container.InspectResponse) string {
	if n := strings.TrimPrefix(c.Name, "/"); n != "" {
		return n
	}
	return c.ID[:min(12, len(c.ID))]
}
