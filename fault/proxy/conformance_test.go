package proxy_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/proxy"
)

func TestConformance(t *testing.T) {
	binary := buildServer(t)
	for name, rig := range map[string]func(testing.TB) faulttest.Rig{
		"inside.delay": delayRig, "inside.reset": resetRig,
		"server.delay": func(t testing.TB) faulttest.Rig { return serverDelayRig(t, binary) },
		"server.cut":   func(t testing.TB) faulttest.Rig { return serverCutRig(t, binary) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, rig)
		})
	}
}

func delayRig(t testing.TB) faulttest.Rig {
	upstream, listen := dependency(t, 10), port(t)
	return faulttest.Rig{
		Kinds: proxy.Kinds(),
		Spec:  faulttest.Spec(t, object{"proxy": object{"listen": listen, "upstream": upstream, "delay": "60ms", "ping": hello}}),
		Broken: func() bool {
			took, err := rtt(listen)
			if err == nil && took < 60*time.Millisecond {
				t.Errorf("an answer came through the proxy after %s, without the delay", took)
			}
			return !isRefused(err)
		},
		Remove: func() {}, KernelEnds: true,
	}
}

func resetRig(t testing.TB) faulttest.Rig {
	upstream, listen := dependency(t, 10), port(t)
	return faulttest.Rig{
		Kinds:  proxy.Kinds(),
		Spec:   faulttest.Spec(t, object{"proxy": object{"listen": listen, "upstream": upstream, "reset": true, "ping": hello}}),
		Broken: func() bool { _, err := rtt(listen); return isReset(err) },
		Remove: func() {}, KernelEnds: true,
	}
}

func serverDelayRig(t testing.TB, binary string) faulttest.Rig {
	s := serve(t, binary, dependency(t, 10))
	name := "/proxies/db/toxics/belay-f1-downstream"
	return faulttest.Rig{
		Kinds: proxy.Kinds(),
		Spec:  faulttest.Spec(t, object{"proxy": object{"server": s.url, "name": "db", "delay": "60ms", "ping": hello}}),
		Broken: func() bool {
			for range 3 { // a busy machine is late too, but not always
				if took, err := rtt(s.listen); err != nil || took < 60*time.Millisecond {
					return false
				}
			}
			return true
		},
		Remove: s.end,
		Change: func() { s.call(t, http.MethodDelete, name, nil) },
		Intact: func() bool { return len(s.ours(t)) == 0 },
	}
}

func serverCutRig(t testing.TB, binary string) faulttest.Rig {
	s := serve(t, binary, dependency(t, 10))
	return faulttest.Rig{
		Kinds:  proxy.Kinds(),
		Spec:   faulttest.Spec(t, object{"proxy": object{"server": s.url, "name": "db", "cut": true, "ping": hello}}),
		Broken: func() bool { _, err := rtt(s.listen); return isRefused(err) },
		Remove: func() { s.call(t, http.MethodDelete, "/proxies/db", nil) },
		Change: func() { s.call(t, http.MethodPost, "/proxies/db", object{"enabled": true}) },
		Intact: func() bool { _, err := rtt(s.listen); return err == nil },
	}
}
