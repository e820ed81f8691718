package local_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/local"
)

// A failing probe begins the baseline again; only a service that never is steady for a whole one makes the exercise invalid. Nothing
// is broken before.
func TestBaselineWaits(t *testing.T) {
	for name, c := range map[string]struct {
		fails   func(request int64) bool
		limit   time.Duration
		verdict exercise.Verdict
	}{
		"one probe fails":           {func(n int64) bool { return n == 3 }, 10 * time.Second, exercise.Pass},
		"down all the time":         {func(int64) bool { return true }, 500 * time.Millisecond, exercise.Invalid},
		"flaps within each stretch": {func(n int64) bool { return n%4 == 0 }, 500 * time.Millisecond, exercise.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			inner := s.server.Config.Handler
			var requests atomic.Int64
			flaky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.fails(requests.Add(1)) {
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				inner.ServeHTTP(w, r)
			}))
			defer flaky.Close()
			s.server.Close()
			s.server = flaky
			p := s.plan("E1", "/bin/sh", "-c", "sleep 0.2; touch up")
			p.BaselineLimit = c.limit
			r, err := local.Run(context.Background(), s.options(t, p))
			if err != nil || r.Verdict != c.verdict {
				t.Fatalf("verdict %s (%s), %v", r.Verdict, r.Why, err)
			}
			if b := r.Baseline; b == nil || !b.Waited || b.Failed == 0 || b.Probes < b.Failed || b.WatchedMS < 100 {
				t.Errorf("baseline %+v", b)
			}
			broken := s.Status().ID != ""
			if broken != (c.verdict == exercise.Pass) {
				t.Errorf("the service was broken: %t", broken)
			}
			if r.Verdict == exercise.Pass && (r.Relapses != 0 || r.OutageMS.Lower < 100 || *r.OutageMS.Upper > 5000) {
				t.Errorf("the failure before the fault counts: outage [%v, %v], %d relapses", r.OutageMS.Lower, *r.OutageMS.Upper, r.Relapses)
			}
			if r.Verdict == exercise.Invalid && r.FailingMS != 0 {
				t.Errorf("nothing was broken, and %v ms of failing are reported", r.FailingMS)
			}
		})
	}
}
