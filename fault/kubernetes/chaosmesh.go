package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/belay-dr/belay/fault"
)

// chaosMesh is a fault that Chaos Mesh makes. Its duration is the fault's limit, so that it ends there too.
type chaosMesh struct {
	address
	which ChaosMesh
}

// chaosGroup is the API of Chaos Mesh.
const chaosGroup, chaosVersion = "chaos-mesh.org", "v1alpha1"

// meshStatus is what Chaos Mesh says of a chaos: a record for each target, and conditions.
type meshStatus struct {
	Status struct {
		Conditions []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
			Reason string `json:"reason"`
		} `json:"conditions"`
		Experiment struct {
			Records []struct {
				ID     string `json:"id"`
				Phase  string `json:"phase"`
				Events []struct {
					Type    string `json:"type"`
					Message string `json:"message"`
				} `json:"events"`
			} `json:"containerRecords"`
		} `json:"experiment"`
	} `json:"status"`
}

// is says that a condition is true.
func (s meshStatus) is(condition string) bool {
	for _, c := range s.Status.Conditions {
		if c.Type == condition {
			return c.Status == "True"
		}
	}
	return false
}

func (m chaosMesh) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := m.open()
	if err != nil {
		return fault.Plan{}, err
	}
	namespace, err := m.namespace(c)
	if err != nil {
		return fault.Plan{}, err
	}
	r, found, err := c.served(ctx, chaosGroup, chaosVersion, m.which.Kind)
	if err != nil {
		return fault.Plan{}, err
	}
	if !found {
		return fault.Plan{}, fmt.Errorf("%s does not know %s of %s: is Chaos Mesh installed there", c.name(), m.which.Kind, chaosGroup)
	}
	rights := []right{{"get list create delete", r, "", namespace}}
	if err := c.may(ctx, rights...); err != nil {
		return fault.Plan{}, err
	}
	mark, err := newMark(ask, nil, time.Now())
	if err != nil {
		return fault.Plan{}, err
	}
	u := ownUndo{Place: c.place, Object: owned{Resource: r, Namespace: namespace, Name: mark.object(), Mark: mark}}
	u.Object.Called = strings.ToLower(m.which.Kind) + " " + path(namespace, mark.object())
	if u.Object.Spec, err = m.spec(ask.Limit); err != nil {
		return fault.Plan{}, err
	}
	manifest, err := m.manifest(u.Object)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := u.Object.rehearse(ctx, c, manifest); err != nil {
		return fault.Plan{}, err
	}
	action, _ := m.which.Spec["action"].(string)
	p := fault.Plan{
		Target: strings.TrimSpace(m.which.Kind+" "+action) + " in " + namespace, Class: m.class(action), Fidelity: m.fidelity(),
		Mechanism: "Chaos Mesh", Elsewhere: true, EndsThere: true, Needs: needs(rights),
		Changes: []string{fmt.Sprintf("make %s with the fault's limit as its duration and the label %s", u.Object.Called, mark.selector())},
		Claims:  []string{c.claim(m.which.Kind, path(namespace, mark.object()))},
		Radius:  []string{"what its spec selects: " + m.selects()},
	}
	if p.Production, err = c.aimed(ctx, append(m.namespaces(), namespace), m.labels()); err != nil {
		return fault.Plan{}, err
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// namespace is where it is made. Neither that nor one that its spec selects may be the system's.
func (m chaosMesh) namespace(c *cluster) (string, error) {
	if m.which.Namespace != "" {
		m.cfg.Namespace = m.which.Namespace
	}
	for _, name := range m.namespaces() {
		if err := m.allowed(name); err != nil {
			return "", err
		}
	}
	return m.in(c)
}

// namespaces are those that its spec selects.
func (m chaosMesh) namespaces() (out []string) {
	selector, _ := m.which.Spec["selector"].(map[string]any)
	list, _ := selector["namespaces"].([]any)
	for _, one := range list {
		if name, _ := one.(string); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// labels are those that its spec selects.
func (m chaosMesh) labels() map[string]string {
	selector, _ := m.which.Spec["selector"].(map[string]any)
	given, _ := selector["labelSelectors"].(map[string]any)
	out := map[string]string{}
	for key, value := range given {
		out[key], _ = value.(string)
	}
	return out
}

// selects is the selector and the mode, for a person.
func (m chaosMesh) selects() string {
	b, err := json.Marshal(map[string]any{"mode": m.which.Spec["mode"], "selector": m.which.Spec["selector"]})
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// class is one-shot where Chaos Mesh has nothing to take back either.
func (m chaosMesh) class(action string) fault.Class {
	if m.which.Kind == "PodChaos" && (action == "pod-kill" || action == "container-kill") {
		return fault.OneShot
	}
	return fault.SelfEnding
}

func (m chaosMesh) fidelity() fault.Fidelity {
	switch m.which.Kind {
	case "NetworkChaos", "HTTPChaos", "DNSChaos":
		return fault.Network
	case "AWSChaos", "AzureChaos", "GCPChaos", "PhysicalMachineChaos", "BlockChaos":
		return fault.Host
	}
	return fault.Process
}

// spec is the config's with the duration. A limit that is not known yet is a minute, for the rehearsal.
func (m chaosMesh) spec(limit time.Duration) (json.RawMessage, error) {
	if limit <= 0 {
		limit = time.Minute
	}
	spec := maps.Clone(m.which.Spec)
	spec["duration"] = limit.String()
	return json.Marshal(spec)
}

func (m chaosMesh) manifest(o owned) (*unstructured.Unstructured, error) {
	return o.manifest(chaosGroup+"/"+chaosVersion, m.which.Kind, o.Spec)
}

// Inject makes the resource and waits until Chaos Mesh says that all is injected.
func (m chaosMesh) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, c, err := readOwn(undo)
	if err != nil {
		return err
	}
	manifest, err := m.manifest(u.Object)
	if err != nil {
		return err
	}
	if u, err = u.make(ctx, c, manifest, save); err != nil {
		return err
	}
	return within(ctx, cmp.Or(m.which.Within, 60), func() error {
		_, err := m.injected(ctx, u, c)
		return err
	})
}

// within tries until it works, for so many seconds.
func within(ctx context.Context, seconds int, try func() error) error {
	for end := time.Now().Add(time.Duration(seconds) * time.Second); ; {
		err := try()
		if err == nil || !errors.Is(err, errNoEffect) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("after %d seconds: %w", seconds, err)
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// injected looks at the status. Without targets Chaos Mesh calls all of them injected: that is no effect.
func (m chaosMesh) injected(ctx context.Context, u ownUndo, c *cluster) (string, error) {
	o, err := u.Object.at(c).Get(ctx, u.Object.Name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("read %s: %w", u.Object.Called, c.explain(err))
	}
	var s meshStatus
	if err := decode(o, &s); err != nil {
		return "", fmt.Errorf("read %s: %w", u.Object.Called, err)
	}
	records := s.Status.Experiment.Records
	n := 0
	var why []string
	for _, r := range records {
		if r.Phase == "Injected" {
			n++
			continue
		}
		for _, e := range slices.Backward(r.Events) {
			if e.Message != "" {
				why = append(why, r.ID+": "+e.Message)
				break
			}
		}
	}
	if len(records) == 0 || !s.is("Selected") {
		return "", fmt.Errorf("%w: %s selects nothing", errNoEffect, u.Object.Called)
	}
	if n < len(records) || !s.is("AllInjected") {
		return "", fmt.Errorf("%w: %s has injected %d of %s %s", errNoEffect, u.Object.Called, n, count(len(records), "target"), strings.Join(why, "; "))
	}
	return fmt.Sprintf("Chaos Mesh says that %s has injected %d of %s", u.Object.Called, n, count(len(records), "target")), nil
}

func (m chaosMesh) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, c, err := readOwn(undo)
	if err != nil {
		return "", err
	}
	return m.injected(ctx, u, c)
}

// Revert deletes the resource. Its finalizer holds it until Chaos Mesh has taken every record back.
func (m chaosMesh) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, c, err := readOwn(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	return u.unmake(ctx, c, save, false, nil)
}

func (m chaosMesh) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, c, err := readOwn(undo)
	if err != nil {
		return nil, err
	}
	return u.residue(ctx, c)
}
