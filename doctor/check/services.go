package check

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/belay-dr/belay/doctor"
	"github.com/belay-dr/belay/measure"
	"github.com/belay-dr/belay/playbook"
)

// services asks each probe of each service once, and looks where the canaries write.
func (v *visit) services(ctx context.Context) {
	for i := range v.pb.Services {
		id, service := v.pb.Services[i].ID, &v.pb.Services[i].Value
		for j := range service.Probes {
			row := &service.Probes[j]
			v.look(doctor.AreaHealth, id, func() *doctor.Finding { return v.probe(ctx, id, row.ID, &row.Value, j == 0) })
		}
		if service.Canary != nil {
			v.look(doctor.AreaMeasuring, id, func() *doctor.Finding { return v.canary(ctx, id, service.Canary) })
		}
	}
}

// probe wants an answer now. The first probe of a service decides its exercises; the others are shown.
func (v *visit) probe(ctx context.Context, service, name string, spec *playbook.Spec, decides bool) *doctor.Finding {
	pace := v.env.Measure.OrDefault()
	id := "probe." + service + "." + name
	started := v.deps.Clock.Boot()
	a, later, err := v.ask(ctx, "probe", spec, max(v.deps.Timeout, pace.Timeout.D()))
	took := v.deps.Clock.Boot() - started
	switch {
	case later:
		return blocker(id, "a probe that can be asked at any time", "it uses a value that only an exercise knows",
			"a service is watched before the exercise begins", "use only variables of the environment in probes")
	case err != nil || a.Outcome != measure.OK:
		f := blocker(id, fmt.Sprintf("the probe %s of %s answers well", name, service), seen(a, err),
			"a service that is down already cannot be broken: the exercise would be INVALID",
			fmt.Sprintf("bring %s up in %s, or correct services.%s.probes.%s", service, v.environment, service, name))
		if !decides {
			f.Severity = doctor.Risk
			f.Why = "the probe does not decide the verdict, but what it shows in an exercise will mean nothing"
		}
		return f
	case took > pace.Timeout.D():
		return risk(id, fmt.Sprintf("an answer within the timeout of %s", pace.Timeout), "an answer after "+round(took),
			"a healthy service would count as down, and the outage would be measured wrong",
			fmt.Sprintf("lengthen environments.%s.measure.timeout, or find out why %s is slow", v.environment, service))
	}
	return nil
}

func round(d time.Duration) string { return d.Round(time.Millisecond).String() }

// canary reads where the canary will write, and writes nothing.
func (v *visit) canary(ctx context.Context, service string, spec *playbook.Spec) *doctor.Finding {
	id := "canary." + service
	raw, err := json.Marshal(spec.Config)
	if err != nil {
		return canaryFinding(id, service, err.Error())
	}
	var where struct {
		URL     string            `json:"url"`
		Read    string            `json:"read"`
		Headers map[string]string `json:"headers"`
	}
	if err := json.Unmarshal(raw, &where); err != nil {
		return canaryFinding(id, service, err.Error())
	}
	if where.Read == "" {
		where.Read = where.URL
	}
	if where.Read == "" {
		return nil // another kind of canary, which has no address to be read
	}
	a, later, err := v.ask(ctx, "probe", &playbook.Spec{Kind: "http", Config: map[string]any{"url": where.Read, "headers": where.Headers}}, v.deps.Timeout)
	if later || (err == nil && a.Outcome == measure.OK) {
		return nil
	}
	return canaryFinding(id, service, seen(a, err))
}

func canaryFinding(id, service, saw string) *doctor.Finding {
	return blocker(id, fmt.Sprintf("the rows that the canary of %s writes can be read back", service), saw,
		"lost rows cannot be counted, and an RPO that is not measured is never met",
		fmt.Sprintf("bring %s up, or correct services.%s.canary", service, service))
}
