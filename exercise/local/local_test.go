package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sqlite"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/local"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/internal/clock"
	"github.com/belay-dr/belay/measure"
)

// shop is a small service, and the fault that breaks it: it answers while the file "up" is in its directory.
type shop struct {
	dir    string
	server *httptest.Server
	mu     sync.Mutex
	status fault.Status
	done   chan struct{}
	holds  atomic.Int32
	class  fault.Class
	refuse error
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{dir: t.TempDir(), class: fault.OneShot, done: make(chan struct{})}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat(filepath.Join(s.dir, "up")); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.server.Close)
	s.put(t)
	return s
}

func (s *shop) put(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "up"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Hold breaks the service.
func (s *shop) Hold(_ context.Context, r hold.Request) (local.Held, error) {
	if s.refuse != nil {
		return nil, s.refuse
	}
	if r.Permit == nil || r.Limit <= 0 || r.Beat <= 0 {
		return nil, errors.New("a fault needs a permit, a limit and a beat")
	}
	s.holds.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = fault.Status{ID: r.ID, Target: "shop", Class: s.class, State: fault.Held, Confirmed: "the file is gone"}
	return s, os.Remove(filepath.Join(s.dir, "up"))
}

func (s *shop) Status() fault.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *shop) Done() <-chan struct{} { return s.done }

// Release ends the fault; a one-shot fault has nothing to take back.
func (s *shop) Release(context.Context) (fault.Status, error) {
	s.holds.Add(-1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.State = fault.Ended
	if s.class == fault.Restore {
		s.status.State = fault.Reverted
	}
	return s.status, nil
}

func (s *shop) Find(context.Context, string) (fault.Status, bool, error) {
	st := s.Status()
	return st, st.ID != "", nil
}

// plan is an exercise of the shop in automatic mode, quick enough for a test.
func (s *shop) plan(id string, recovery ...string) exercise.Plan {
	config, _ := json.Marshal(map[string]any{"url": s.server.URL})
	check := exercise.Check{Kind: "http", Config: config}
	return exercise.Plan{
		Machine: exercise.MachineVersion, ID: id, Application: "shop", Scenario: "gone", Title: "The shop is gone", Environment: "test",
		Mode: exercise.Automatic, Runner: "bob", Planned: time.Now().UTC(), Covers: []string{"shop"},
		Probes: []exercise.Probe{{Name: "shop/http", Service: "shop", Primary: true, Check: check}},
		Fault:  &fault.Spec{Kind: "file", Config: json.RawMessage(`{}`)}, Limit: time.Minute,
		Nodes: []exercise.Node{
			{
				ID: "fix", Procedure: exercise.Recovery, Kind: exercise.NodeRun, Text: "put the file back", Argv: recovery, Timeout: 10 * time.Second,
				Repeat: "safe", OK: "next", Failed: "stop", Expect: &check,
			},
			{
				ID: "works", Procedure: exercise.Test, Kind: exercise.NodeCheck, Text: "it answers", Check: &check, Timeout: 10 * time.Second,
				Repeat: "safe", OK: "next", Failed: "stop",
			},
		},
		Pace:     measure.Pace{Period: 20 * time.Millisecond, Timeout: 20 * time.Millisecond, Window: 100 * time.Millisecond},
		Baseline: 100 * time.Millisecond, BaselineLimit: 10 * time.Second, TimeBox: 20 * time.Second, Grace: 5 * time.Second, RTO: 10 * time.Second, RecoversBy: "procedure",
	}
}

func (s *shop) options(t *testing.T, p exercise.Plan) local.Options {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(s.dir, ".belay"), 0o755); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(context.Background(), filepath.Join(s.dir, ".belay", "ledger.db"), clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return local.Options{
		Plan: p, Permit: fault.Permit{Exercise: p.ID, Environment: "test", Plan: p.Digest(), Expires: time.Now().Add(time.Hour)},
		Dir: s.dir, Ledger: db, Clock: clock.System{}, Faults: s,
	}
}

func TestRun(t *testing.T) {
	s := newShop(t)
	opts := s.options(t, s.plan("E1", "/bin/sh", "-c", "sleep 0.2; touch up"))
	var phases []exercise.Phase
	opts.Passed = func(p exercise.Phase) { phases = append(phases, p) }
	r, err := local.Run(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != exercise.Pass {
		t.Errorf("verdict %s: %s", r.Verdict, r.Why)
	}
	if r.OutageMS.Upper == nil || r.OutageMS.Lower <= 0 || *r.OutageMS.Upper < r.OutageMS.Lower || *r.OutageMS.Upper < 200 {
		t.Errorf("outage [%v, %v]", r.OutageMS.Lower, r.OutageMS.Upper)
	}
	if len(phases) != 11 || phases[len(phases)-1] != exercise.Closed {
		t.Errorf("phases %v", phases)
	}
	if s.holds.Load() != 0 {
		t.Error("the fault is still held")
	}
	records, err := opts.Ledger.List(context.Background(), evidence.Filter{Subject: "E1"})
	if err != nil {
		t.Fatal(err)
	}
	if records[0].Kind != evidence.KindStarted || records[len(records)-1].Kind != evidence.KindExercise {
		t.Errorf("the journal begins with %s and ends with %s", records[0].Kind, records[len(records)-1].Kind)
	}
	if r.Digests["file:samples.jsonl"] == "" || r.Digests["plan"] != opts.Plan.Digest() {
		t.Errorf("digests %v", r.Digests)
	}
}

// Every way out of an exercise releases the fault.
func TestFaultIsAlwaysReleased(t *testing.T) {
	t.Run("step fails", func(t *testing.T) {
		s := newShop(t)
		r, err := local.Run(context.Background(), s.options(t, s.plan("E1", "/bin/false")))
		if err != nil || r.Verdict != exercise.Fail || s.holds.Load() != 0 {
			t.Errorf("verdict %s (%s), held %d, %v", r.Verdict, r.Why, s.holds.Load(), err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		s := newShop(t)
		opts := s.options(t, s.plan("E1", "sleep", "30"))
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		opts.Passed = func(p exercise.Phase) {
			if p == exercise.Recovering {
				cancel()
			}
		}
		r, err := local.Run(ctx, opts)
		if err != nil || r.Verdict != exercise.Inconclusive || r.OutageMS.Upper != nil || s.holds.Load() != 0 {
			t.Errorf("verdict %s (%s), held %d, %v", r.Verdict, r.Why, s.holds.Load(), err)
		}
	})
	t.Run("ledger fails", func(t *testing.T) {
		s := newShop(t)
		opts := s.options(t, s.plan("E1", "touch", "up"))
		opts.Ledger = &failing{Ledger: opts.Ledger, after: 9}
		if _, err := local.Run(context.Background(), opts); !errors.Is(err, errDisk) || s.holds.Load() != 0 {
			t.Errorf("held %d, %v", s.holds.Load(), err)
		}
	})
	t.Run("fault refused", func(t *testing.T) {
		s := newShop(t)
		s.refuse = errors.New("no such file")
		r, err := local.Run(context.Background(), s.options(t, s.plan("E1", "touch", "up")))
		if err != nil || r.Verdict != exercise.Invalid {
			t.Errorf("verdict %s (%s), %v", r.Verdict, r.Why, err)
		}
	})
}

// Whoever leaves before the exercise has begun breaks nothing: the words are not lost on a machine that has not started.
func TestStoppedBeforeTheBeginning(t *testing.T) {
	for name, prepare := range map[string]func(*local.Options) context.Context{
		"interrupted": func(*local.Options) context.Context {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return ctx
		},
		"nobody answers": func(opts *local.Options) context.Context {
			gone := make(chan local.Input)
			close(gone)
			opts.Inputs = gone
			return context.Background()
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 8 { // the order in which a select looks is random
				s := newShop(t)
				p := s.plan("E1", "touch", "up")
				p.Mode = exercise.Guided
				opts := s.options(t, p)
				r, err := local.Run(prepare(&opts), opts)
				if err != nil || r.Verdict == exercise.Pass || s.Status().ID != "" {
					t.Fatalf("verdict %s (%s), fault %q, %v", r.Verdict, r.Why, s.Status().ID, err)
				}
			}
		})
	}
}

var errDisk = errors.New("disk full")

// failing is a ledger that takes so many records and no more.
type failing struct {
	evidence.Ledger
	after int
}

func (f *failing) Append(ctx context.Context, d evidence.Draft) (evidence.Record, error) {
	if f.after--; f.after < 0 {
		return evidence.Record{}, errDisk
	}
	return f.Ledger.Append(ctx, d)
}

// One exercise at a time in an environment, and an abort from elsewhere ends it.
func TestLockAndAbort(t *testing.T) {
	s := newShop(t)
	opts := s.options(t, s.plan("E1", "sleep", "30"))
	recovering := make(chan struct{})
	opts.Passed = func(p exercise.Phase) {
		if p == exercise.Recovering {
			close(recovering)
		}
	}
	end := make(chan exercise.Result, 1)
	go func() {
		r, err := local.Run(context.Background(), opts)
		if err != nil {
			t.Error(err)
		}
		end <- r
	}()
	<-recovering
	second := opts
	second.Plan.ID = "E2"
	var busy *local.Busy
	if _, err := local.Run(context.Background(), second); !errors.As(err, &busy) || busy.Exercise != "E1" {
		t.Errorf("a second exercise: %v", err)
	}
	r, err := local.Abort(context.Background(), opts, "E1", "alice", "a real incident")
	if err != nil || r.Verdict != exercise.Inconclusive {
		t.Errorf("abort: %s (%s), %v", r.Verdict, r.Why, err)
	}
	<-end
	if _, err := local.Resume(context.Background(), opts, "E1"); !errors.Is(err, local.ErrClosed) {
		t.Errorf("resume of a closed exercise: %v", err)
	}
	if _, err := local.Resume(context.Background(), opts, "E9"); !errors.Is(err, local.ErrNotFound) {
		t.Errorf("resume of an unknown exercise: %v", err)
	}
}

// An exercise whose process died after the fault was injected goes on: a one-shot fault is not lost.
func TestResume(t *testing.T) {
	s := newShop(t)
	opts := s.options(t, s.plan("E1", "/bin/sh", "-c", "sleep 0.1; touch up"))
	// The ledger dies with the runner: nothing after this record is written.
	dead := opts
	dead.Ledger = &failing{Ledger: opts.Ledger, after: 12}
	if _, err := local.Run(context.Background(), dead); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	r, err := local.Resume(context.Background(), opts, "E1")
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != exercise.Pass {
		t.Errorf("verdict %s: %s", r.Verdict, r.Why)
	}
	if r.OutageMS.Upper == nil || *r.OutageMS.Upper < 100 {
		t.Errorf("outage up to %v", r.OutageMS.Upper)
	}
}
