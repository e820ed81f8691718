package aws

import (
	"testing"

	"github.com/belay-dr/belay/fault/faulttest"
)

// template stops instances for two minutes.
func template() map[string]any {
	return map[string]any{
		"description":    "stop some",
		"roleArn":        "arn:aws:iam::111122223333:role/fis",
		"stopConditions": []any{map[string]any{"source": "aws:cloudwatch:alarm", "value": "arn:aws:cloudwatch:us-west-2:111122223333:alarm:errors"}},
		"targets": map[string]any{"some": map[string]any{
			"resourceType": "aws:ec2:instance", "resourceTags": map[string]any{"app": "web"}, "selectionMode": "COUNT(1)",
		}},
		"actions": map[string]any{"stop": map[string]any{
			"actionId": "aws:ec2:stop-instances", "parameters": map[string]any{"duration": "PT2M"}, "targets": map[string]any{"Instances": "some"},
		}},
	}
}

func TestExperimentConformance(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	next := counter()
	faulttest.Run(t, func(t testing.TB) faulttest.Rig {
		id := "EXT" + next()
		srv.FIS.Template(id, template())
		return faulttest.Rig{
			Kinds:  Kinds(),
			Spec:   spec(t, srv, "fis", map[string]any{"start": id}),
			Broken: func() bool { return srv.FIS.Running(id) },
			Remove: func() { srv.FIS.End(id, "stopped", "a person stopped it") },
		}
	})
}
