// Package identity asks the world where we are: which AWS account the credentials belong to, which cluster, which host. A
// playbook pins what must be seen, and it is looked at again before each fault and each step. It must never take a failure to
// ask for an answer. Start at Differs.
package identity

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// bound is how long one question may take.
const bound = 10 * time.Second

// questions are what can be asked, by the key under which a playbook pins the answer.
func questions() map[string]func(context.Context) (string, error) {
	return map[string]func(context.Context) (string, error){
		"hostname":    func(context.Context) (string, error) { return os.Hostname() },
		"machine_id":  machineID,
		"aws_account": awsAccount,
		"region":      awsRegion,
		"kubernetes":  cluster,
	}
}

// Keys are the keys that can be pinned.
func Keys() []string { return slices.Sorted(maps.Keys(questions())) }

// machineID is systemd's ID of this installation.
func machineID(context.Context) (string, error) {
	b, err := os.ReadFile("/etc/machine-id")
	return string(bytes.TrimSpace(b)), err
}

// Live is what is seen now for a key.
func Live(ctx context.Context, key string) (string, error) {
	ask, ok := questions()[key]
	if !ok {
		return "", fmt.Errorf("identity.%s cannot be looked at: what can be pinned is %s", key, strings.Join(Keys(), ", "))
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	got, err := ask(ctx)
	if err != nil {
		return "", fmt.Errorf("look at identity.%s: %w", key, err)
	}
	return got, nil
}

// far says that a question leaves this host.
func far(key string) bool { return key == "aws_account" || key == "kubernetes" }

// cheapest sorts keys so that nobody else is asked where this host's own answer is enough.
func cheapest(a, b string) int {
	if far(a) != far(b) {
		if far(a) {
			return 1
		}
		return -1
	}
	return strings.Compare(a, b)
}

// Differs returns an error unless all that is pinned is seen. Nothing pinned is no error.
func Differs(ctx context.Context, pinned map[string]string) error {
	for _, key := range slices.SortedFunc(maps.Keys(pinned), cheapest) {
		got, err := Live(ctx, key)
		if err != nil {
			return err
		}
		if got != pinned[key] {
			return fmt.Errorf("identity.%s is %q here, and the playbook says %q", key, got, pinned[key])
		}
	}
	return nil
}
