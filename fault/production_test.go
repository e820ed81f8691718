package fault

import "testing"

func TestIsProduction(t *testing.T) {
	for value, want := range map[string]bool{
		"production": true, "Production": true, "PROD": true, "prd": true, " live ": true,
		"": false, "non-production": false, "preprod": false, "pre-production": false, "staging": false, "prod-like": false, "alive": false,
	} {
		if got := IsProduction(value); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func TestProductionMark(t *testing.T) {
	for _, c := range []struct {
		labels map[string]string
		want   string
	}{
		{nil, ""},
		{map[string]string{"app": "production"}, ""},
		{map[string]string{"env": "staging", "environment": "test"}, ""},
		{map[string]string{"environment": "Prod"}, "environment=Prod"},
		{map[string]string{"Env": "live"}, "Env=live"},
		{map[string]string{"ENVIRONMENT": "prd"}, "ENVIRONMENT=prd"},
		{map[string]string{"belay:environment": "production"}, "belay:environment=production"},
		{map[string]string{"app.kubernetes.io/environment": "production"}, "app.kubernetes.io/environment=production"},
		{map[string]string{"environment": "prod", "belay.dev/environment": "production"}, "belay.dev/environment=production"},
		{map[string]string{"belay.dev/environment": "staging", "environment": "prod"}, "environment=prod"}, // one is enough
	} {
		if got := ProductionMark(c.labels); got != c.want {
			t.Errorf("%v: %q, want %q", c.labels, got, c.want)
		}
	}
}
