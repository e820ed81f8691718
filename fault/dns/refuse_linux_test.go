package dns_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/dns"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/network/nettest"
)

func refused(t *testing.T, config object, want string) {
	t.Helper()
	target, err := dns.Kinds().Decode(faulttest.Spec(t, object{"dns": config}))
	if err == nil {
		_, err = target.Plan(t.Context(), fault.Ask{ID: "f1"})
	}
	if err == nil || err.Error() != want {
		t.Errorf("%v:\ngot  %v\nwant %s", config, err, want)
	}
}

// TestBadConfigs has one line for each mistake.
func TestBadConfigs(t *testing.T) {
	one := []string{"db.example.test"}
	for _, c := range []struct {
		config object
		want   string
	}{
		{object{"names": []string{}, "answer": "nxdomain"}, `fault dns: names: give one to 100 names: "db.example.test", or "*.svc" for all below svc`},
		{object{"names": []string{"a b"}, "answer": "nxdomain"}, `fault dns: names[0]: "a b" is no name: a pattern has its star in front, as in *.svc`},
		{object{"names": []string{"db", "db.*.test"}, "answer": "nxdomain"}, `fault dns: names[1]: "db.*.test" is no name: a pattern has its star in front, as in *.svc`},
		{object{"names": []string{""}, "answer": "nxdomain"}, `fault dns: names[0]: "" is no name`},
		{object{"names": []string{"*"}, "answer": "nxdomain"}, "fault dns: names[0]: * is most of all names, and the runner needs some: say even_runner: true if that is meant"},
		{object{"names": []string{"*.svc"}, "answer": "nxdomain"}, "fault dns: example: names has only patterns: give one name that resolves now, by which the effect is seen"},
		{object{"names": []string{"*.svc"}, "example": "db.test", "answer": "nxdomain"}, "fault dns: example: none of the names is it: the effect could not be seen by it"},
		{object{"names": []string{"*.svc"}, "example": "*.svc", "answer": "nxdomain"}, "fault dns: example: must be one name"},
		{object{"names": one, "answer": object{}}, "fault dns: answer: give exactly one of nxdomain, servfail, silent, {address: ...} and {slow: ...}"},
		{object{"names": one, "answer": object{"address": "192.0.2.1", "slow": "1s"}}, "fault dns: answer: give exactly one of nxdomain, servfail, silent, {address: ...} and {slow: ...}"},
		{object{"names": one, "answer": "refused"}, `fault dns: answer: "refused": must be nxdomain, servfail, silent, {address: ...} or {slow: ...}`},
		{object{"names": one, "answer": object{"address": "db"}}, `fault dns: answer.address: "db" is no IP address`},
		{object{"names": one, "answer": object{"slow": "10s"}}, "fault dns: answer.slow: must be a time with a unit, 1ms to 4s"},
		{object{"names": one, "answer": "silent", "upstream": []string{"dns.google"}}, `fault dns: upstream[0]: must be an address, or one with a port: "10.0.0.2", "[fd00::2]:53"`},
		{object{"names": one, "answer": "silent", "netns": "a", "pid": 5}, "fault dns: give one of netns, pid_file and pid, or none"},
		{object{"names": one, "answer": "silent", "pid": -5}, "fault dns: pid: must be above 0"},
		{object{"names": one, "answer": "silent", "ttl": 5}, `fault dns: unknown field "ttl"`},
	} {
		refused(t, c.config, c.want)
	}
	d := dns.DNS{Names: []string{"${db}"}, Answer: dns.Answer{Slow: "${slow}"}, Upstream: []string{"${dns}"}}
	if wrong := d.CheckConfig(); wrong != nil {
		t.Errorf("placeholders: %v", wrong)
	}
}

// TestRights says what is missing to a normal user.
func TestRights(t *testing.T) {
	if os.Geteuid() == 0 {
		return
	}
	refused(t, object{"names": []string{"a"}, "answer": "silent"}, "CAP_NET_ADMIN is missing: run as root")
}

// TestRefusals has one line for each thing that must not be, or could not be seen.
func TestRefusals(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	w := newWorld(t)
	in := func(config object) object {
		config["netns"] = w.here.Name
		return config
	}
	one := []string{"db.example.test"}
	nothing := []string{"db.example.test", "no.example.test"}
	refused(t, object{"names": one, "answer": "silent", "netns": "belay-dns-none"}, "no network namespace \"belay-dns-none\": `ip netns list` shows them")
	refused(t, in(object{"names": nothing, "answer": "nxdomain"}), "no.example.test does not resolve now, so its loss could not be seen: no such host")
	refused(t, in(object{"names": one, "answer": object{"address": []string{"10.77.0.100", "fd77::100"}}}), "db.example.test has the address 10.77.0.100, fd77::100 already")
	refused(t, in(object{"names": one, "answer": "silent", "upstream": []string{"10.77.0.2:54"}}),
		"no real server answers, so all other names would fail too: 10.77.0.2:54: read: connection refused")

	hosts := filepath.Join("/etc/netns", w.here.Name, "hosts")
	if err := os.WriteFile(hosts, []byte("10.0.0.1 db.example.test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, in(object{"names": one, "answer": "silent"}), "db.example.test is in "+hosts+", so nobody asks DNS for it")
	if err := os.Remove(hosts); err != nil {
		t.Fatal(err)
	}
	w.resolv(t)
	refused(t, in(object{"names": one, "answer": "silent"}), "find the real servers: "+filepath.Join("/etc/netns", w.here.Name, "resolv.conf")+" names none: name them in upstream")
}

// TestRunner refuses names that this program's own environment has, in its own namespace.
func TestRunner(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	t.Setenv("DOCKER_HOST", "tcp://docker.example.test:2376")
	refused(t, object{"names": []string{"*.example.test"}, "example": "docker.example.test", "answer": "nxdomain"},
		"the runner itself needs docker.example.test: say even_runner: true if that is meant")
}
