package aws

import (
	"testing"

	"github.com/belay-dr/belay/fault/faulttest"
)

// a is an A record as Route 53 has it.
func a(name, value string) map[string]any {
	return map[string]any{"Name": name, "Type": "A", "TTL": int64(60), "ResourceRecords": []any{map[string]any{"Value": value}}}
}

func weighted(name, id string, weight int64) map[string]any {
	r := a(name, "192.0.2.1")
	r["SetIdentifier"], r["Weight"] = id, weight
	return r
}

func TestRecordConformance(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	next := counter()
	faulttest.Run(t, func(t testing.TB) faulttest.Rig {
		zone, name := "Z"+next(), "www.example.com."
		srv.Route53.Zone(zone, "example.com.", false, a(name, "192.0.2.1"), a("example.com.", "192.0.2.2"))
		return faulttest.Rig{
			Kinds: Kinds(),
			Spec: spec(t, srv, "route53", map[string]any{"record": map[string]any{
				"zone": zone, "name": "www.example.com", "type": "A", "values": []string{"192.0.2.99"},
			}}),
			Broken: func() bool { return srv.Route53.Answer(zone, name) == "192.0.2.99" },
			Change: func() { srv.Route53.PersonWrites(zone, a(name, "192.0.2.50")) },
			Intact: func() bool { return srv.Route53.Answer(zone, name) == "192.0.2.50" && len(srv.Route53.Tags(zone)) == 0 },
			Remove: func() { srv.Route53.Drop(zone) },
		}
	})
}

func TestHealthCheckConformance(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	next := counter()
	faulttest.Run(t, func(t testing.TB) faulttest.Rig {
		id := "abcdef00-" + next()
		srv.Route53.Check(id)
		return faulttest.Rig{
			Kinds:  Kinds(),
			Spec:   spec(t, srv, "route53", map[string]any{"health_check": map[string]any{"invert": id}}),
			Broken: func() bool { return srv.Route53.Is(id, "Inverted") },
			Change: func() { srv.Route53.PersonSets(id, "Inverted", false) },
			Intact: func() bool { return !srv.Route53.Is(id, "Inverted") && len(srv.Route53.Tags(id)) == 0 },
			Remove: func() { srv.Route53.Drop(id) },
		}
	})
}
