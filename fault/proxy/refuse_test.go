package proxy_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/proxy"
)

// TestRefusals has one line for each thing that is wrong.
func TestRefusals(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it accepts in the kernel, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "{}") }))
	defer other.Close()
	upstream, free, nobody := dependency(t, 10), port(t), port(t)
	s := serve(t, buildServer(t), upstream)
	with := func(config object, more ...any) object {
		out := object{}
		for k, v := range config {
			out[k] = v
		}
		for n := 0; n < len(more); n += 2 {
			out[more[n].(string)] = more[n+1]
		}
		return out
	}
	inside := object{"listen": free, "upstream": upstream, "ping": hello}
	server := object{"server": s.url, "name": "db", "ping": hello}
	delay := with(inside, "delay", "50ms")
	for _, c := range []struct {
		config object
		want   string
	}{
		{object{"delay": "1s"}, "fault proxy: give listen and upstream, or the server of a running Toxiproxy and the name of its proxy"},
		{object{"server": s.url, "delay": "1s"}, "fault proxy: server and name belong together"},
		{with(server, "upstream", upstream, "delay", "1s"), "fault proxy: upstream: the server knows the upstream of its proxy: leave it out"},
		{with(server, "expose", true, "delay", "1s"), "fault proxy: expose: the server decides where its proxy listens: leave it out"},
		{with(server, "server", "toxiproxy:8474", "delay", "1s"), `fault proxy: server: must be a URL: "http://127.0.0.1:8474"`},
		{with(delay, "listen", "127.0.0.1"), `fault proxy: listen: must be an address and a port: "127.0.0.1:15432"`},
		{with(delay, "listen", "127.0.0.1:0"), `fault proxy: listen: must be an address and a port: "127.0.0.1:15432"`},
		{with(delay, "upstream", "db"), `fault proxy: upstream: must be an address and a port: "127.0.0.1:15432"`},
		{inside, "fault proxy: give exactly one of delay, cut, reset, rate, limit_bytes, slow_close and timeout"},
		{with(delay, "reset", true), "fault proxy: give exactly one of delay, cut, reset, rate, limit_bytes, slow_close and timeout"},
		{with(delay, "delay", "5s"), "fault proxy: delay: must be a time with a unit, 1ms to 4s"},
		{with(delay, "delay", "100"), "fault proxy: delay: must be a time with a unit, 1ms to 4s"},
		{with(delay, "jitter", "60ms"), "fault proxy: jitter: must not be above the delay"},
		{with(inside, "reset", true, "jitter", "1ms"), "fault proxy: jitter: belongs to a delay"},
		{with(inside, "rate", "1 mbit"), `fault proxy: rate: must be a whole number with kbit, mbit or gbit: "1mbit"`},
		{with(inside, "rate", "7kbit"), "fault proxy: rate: must be at least 8kbit"},
		{with(inside, "limit_bytes", -1), "fault proxy: limit_bytes: must be above zero"},
		{with(inside, "cut", true), "fault proxy: cut: needs the server of a running Toxiproxy: a proxy that begins with the fault has nothing to cut; reset and timeout can be made here"},
		{with(server, "cut", true, "stream", "up"), "fault proxy: stream: a cut is of both: leave it out"},
		{with(delay, "stream", "sideways"), "fault proxy: stream: must be down, up or both"},
		{with(delay, "toxicity", 1), `fault proxy: unknown field "toxicity"`},

		{with(delay, "listen", "0.0.0.0:"+strings.Split(free, ":")[1]), "listen: other hosts could reach " + upstream + " through 0.0.0.0:" + strings.Split(free, ":")[1] + ": listen on 127.0.0.1, or say expose: true"},
		{with(delay, "listen", upstream), "listen: " + upstream + " is in use: the proxy of this fault needs a port of its own; for one that runs already give server and name"},
		{with(delay, "upstream", nobody), "upstream: nothing listens at " + nobody + ": a dependency that is lost already cannot be seen to be lost"},
		{with(delay, "upstream", silent.Addr().String()), "upstream: " + silent.Addr().String() + ` does not answer "hello": say in ping what it answers to: http, postgres, redis, greeting (it speaks first), or a text of your own`},
		{with(inside, "rate", "8mbit"), "the answer from " + free + " has 10 bytes, too few to see a rate of 8mbit: give a ping with at least 10000"},
		{with(inside, "limit_bytes", 10), "the answer from " + free + " has 10 bytes, too few to see a limit of 10: give a ping with more"},
		{with(inside, "limit_bytes", 6, "stream", "up"), "the question to " + free + " has 6 bytes, too few to see a limit of 6: give a ping with more"},
		{with(server, "server", "http://"+nobody, "delay", "1s"), "server: no Toxiproxy listens at http://" + nobody + ": start it, or give listen and upstream to have one for as long as the fault lives"},
		{with(server, "name", "cache", "delay", "1s"), "name: the Toxiproxy at " + s.url + ` has no proxy "cache": it has db`},
		{with(server, "server", other.URL, "delay", "1s"), "server: ask Toxiproxy: /proxies/db: this is no answer of one: is there a Toxiproxy at " + other.URL + ", and can it be reached from here"},
	} {
		refused(t, c.config, c.want)
	}
	s.call(t, http.MethodPost, "/proxies/db", object{"enabled": false})
	refused(t, with(server, "cut", true), "name: proxy db is switched off already")
	if os.Geteuid() != 0 {
		refused(t, with(delay, "listen", "127.0.0.1:81"), "listen: 127.0.0.1:81 needs privileges: take a port above 1023")
	}
}

func refused(t *testing.T, config object, want string) {
	t.Helper()
	target, err := proxy.Kinds().Decode(faulttest.Spec(t, object{"proxy": config}))
	if err == nil {
		_, err = target.Plan(t.Context(), fault.Ask{ID: "f1"})
	}
	if err == nil || err.Error() != want {
		t.Errorf("%v:\ngot  %v\nwant %s", config, err, want)
	}
}

// TestPlaceholders are filled in later, so that nothing can be said about them yet.
func TestPlaceholders(t *testing.T) {
	c := proxy.Proxy{Listen: "${proxy}", Upstream: "${db}", Delay: "${delay}", Stream: "${stream}"}
	if wrong := c.CheckConfig(); wrong != nil {
		t.Error(wrong)
	}
}

// TestChangedToxic leaves alone what somebody gave another value: it is theirs now.
func TestChangedToxic(t *testing.T) {
	s := serve(t, buildServer(t), dependency(t, 10))
	_, revert := held(t, object{"server": s.url, "name": "db", "delay": "50ms", "ping": hello})
	s.call(t, http.MethodPost, "/proxies/db/toxics/belay-f7-downstream", object{"attributes": object{"latency": 70}})
	if out := revert(); len(out.Superseded) != 1 || out.Superseded[0] != "somebody changed the toxic belay-f7-downstream: it was left alone" {
		t.Errorf("superseded: %q", out.Superseded)
	}
	if left := s.ours(t); len(left) != 1 {
		t.Errorf("toxics: %v, want the changed one", left)
	}
}

// TestEndedServer takes its toxics along.
func TestEndedServer(t *testing.T) {
	s := serve(t, buildServer(t), dependency(t, 10))
	_, revert := held(t, object{"server": s.url, "name": "db", "delay": "50ms", "ping": hello})
	s.end()
	if out := revert(); len(out.Superseded) != 1 || out.Superseded[0] != "the Toxiproxy at "+s.url+" has ended, and its toxics with it" {
		t.Errorf("superseded: %q", out.Superseded)
	}
}

// TestHeldByAnother is a proxy that has a toxic of another fault, wherever that is held. A person's toxics are no reason.
func TestHeldByAnother(t *testing.T) {
	s := serve(t, buildServer(t), dependency(t, 10))
	target, err := proxy.Kinds().Decode(faulttest.Spec(t, object{"proxy": object{"server": s.url, "name": "db", "delay": "50ms", "ping": hello}}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"slow": "", "belay-f1-downstream": "",
		"belay-f10-downstream": "name: proxy db is held by another fault, whose toxic is belay-f10-downstream: end that one first; if it is over, remove the toxic",
	} {
		s.call(t, http.MethodPost, "/proxies/db/toxics", object{"name": name, "type": "latency", "attributes": object{"latency": 1}})
		if _, err := target.Plan(t.Context(), fault.Ask{ID: "f1"}); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		s.call(t, http.MethodDelete, "/proxies/db/toxics/"+name, nil)
	}
}

// TestSwitchedOffByOthers never switches on what somebody else switched off before anything was injected.
func TestSwitchedOffByOthers(t *testing.T) {
	s := serve(t, buildServer(t), dependency(t, 10))
	target, err := proxy.Kinds().Decode(faulttest.Spec(t, object{"proxy": object{"server": s.url, "name": "db", "cut": true, "ping": hello}}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	s.call(t, http.MethodPost, "/proxies/db", object{"enabled": false})
	if err := target.Inject(t.Context(), p.Undo, nil); err == nil {
		t.Error("it was injected into a proxy that is off")
	}
	if out, err := target.Revert(t.Context(), p.Undo, nil); err != nil || len(out.Superseded) > 0 {
		t.Errorf("revert: %+v, %v", out, err)
	}
	if _, err := rtt(s.listen); !isRefused(err) {
		t.Error("somebody else's proxy was switched on")
	}
}
