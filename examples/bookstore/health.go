package bookstore

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

func newFlags(name string, stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("bookstore "+name, flag.ContinueOnError)
	f.SetOutput(stderr)
	return f
}

// get asks once, on a connection of its own.
func get(ctx context.Context, url string) (string, error) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", url, response.Status, strings.TrimSpace(string(body)))
	}
	return string(body), err
}

// healthy asks the shop what a customer would ask.
func healthy(ctx context.Context, info *Info) error {
	if _, err := get(ctx, info.APIURL+"/books/"); err != nil {
		return err
	}
	_, err := get(ctx, info.CDNURL+"/"+beacon)
	return err
}

func waitHealthy(ctx context.Context, info *Info) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := healthy(ctx, info)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until healthy: %w", err)
		case <-tick.C:
		}
	}
}

// waitGone returns when nobody listens on any of the ports.
func waitGone(ctx context.Context, info *Info) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, component := range []string{Database, CDN, API} {
		for stopped(info, component) != nil {
			select {
			case <-ctx.Done():
				return fmt.Errorf("stop bookstore: the %s still answers: %w", component, ctx.Err())
			case <-tick.C:
			}
		}
	}
	return nil
}

func runStatus(ctx context.Context, c call) error {
	flags := newFlags("status", c.stderr)
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.Parse(c.args); err != nil {
		return fmt.Errorf("%w: %v", errUsage, err)
	}
	info, err := ReadInfo(c.dir)
	if err != nil {
		return err
	}
	state := map[string]string{}
	for _, component := range []string{Database, CDN, API} {
		state[component] = "down"
		if stopped(info, component) != nil {
			state[component] = "up"
		}
	}
	if *asJSON {
		return json.NewEncoder(c.stdout).Encode(state)
	}
	for _, component := range []string{API, Database, CDN} {
		fmt.Fprintf(c.stdout, "%-10s %-5s %s\n", component, state[component], info.address(component))
	}
	return nil
}

// runResolve prints where a component answers, as a name server would.
func runResolve(ctx context.Context, c call) error {
	info, err := ReadInfo(c.dir)
	if err != nil {
		return err
	}
	if len(c.args) != 1 || (c.args[0] != API && c.args[0] != Database && c.args[0] != CDN) {
		return fmt.Errorf("%w: name api, database or cdn", errUsage)
	}
	fmt.Fprintln(c.stdout, info.address(c.args[0]))
	return nil
}
