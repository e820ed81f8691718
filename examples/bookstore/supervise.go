package bookstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// supervisor starts the components, carries out orders, and writes down the truth. It never restarts what has died.
type supervisor struct {
	info       *Info
	components map[string]*component
	token      string
	shutdown   context.CancelFunc
}

// errSupervised says that another supervisor holds the directory.
var errSupervised = errors.New("another supervisor is running in this directory")

// takeLock holds the directory for as long as the file is open. The kernel gives it back however the process ends, so
// that nothing stale can be left.
func takeLock(at layout, how int) (*os.File, error) {
	f, err := os.OpenFile(at.lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock bookstore: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errSupervised
		}
		return nil, fmt.Errorf("lock bookstore: %w", err)
	}
	return f, nil
}

// isSupervised says whether a supervisor is alive in the directory. Those who only look do not keep each other out.
func isSupervised(at layout) bool {
	f, err := takeLock(at, syscall.LOCK_SH)
	if err == nil {
		f.Close()
	}
	return errors.Is(err, errSupervised)
}

func runSupervise(ctx context.Context, c call) error {
	flags := newFlags("supervise", c.stderr)
	tethered := flags.Bool("tethered", false, "end when standard input ends")
	if err := flags.Parse(c.args); err != nil {
		return fmt.Errorf("%w: %v", errUsage, err)
	}
	info, err := ReadInfo(c.dir)
	if err != nil {
		return err
	}
	at := layout(info.Dir)
	lock, err := lockPatiently(at)
	if err != nil {
		return err
	}
	defer lock.Close()
	truth, err := openTruth(at.truth())
	if err != nil {
		return err
	}
	defer truth.file.Close()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	ctx, shutdown := context.WithCancel(ctx)
	if *tethered {
		go func() {
			io.Copy(io.Discard, c.stdin) // until the process at the other end is gone
			shutdown()
		}()
	}
	s := &supervisor{info: info, token: rand.Text(), shutdown: shutdown, components: map[string]*component{}}
	for _, name := range startOrder() {
		s.components[name] = newComponent(name, info, truth)
	}
	return s.run(ctx, at, c.stderr)
}

// lockPatiently takes the lock, which somebody who only looks whether it is taken may hold for a moment.
func lockPatiently(at layout) (*os.File, error) {
	for tries := 0; ; tries++ {
		lock, err := takeLock(at, syscall.LOCK_EX)
		if err == nil || !errors.Is(err, errSupervised) || tries == 20 {
			return lock, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// startOrder names the components to be started. With a PostgreSQL of one's own there is no database to look after.
func startOrder() []string {
	if os.Getenv("DATABASE_URL") != "" {
		return []string{CDN, API}
	}
	return []string{Database, CDN, API}
}

func (s *supervisor) run(ctx context.Context, at layout, log io.Writer) error {
	l, err := net.Listen("tcp", s.info.Control)
	if err != nil {
		return fmt.Errorf("listen for orders: %w", err)
	}
	orders := &http.Server{Handler: s, ReadHeaderTimeout: time.Second}
	go orders.Serve(l)
	for _, name := range startOrder() {
		if err := s.components[name].start(ctx); err != nil {
			fmt.Fprintf(log, "%v\n", err) // the others go on: the database may have to be restored first
		}
	}
	if err := writeWhole(at.token(), []byte(s.token), 0o600); err != nil {
		return fmt.Errorf("write token: %w", err)
	}
	s.waitForEnd(ctx, at)
	os.Remove(at.token())
	for _, name := range []string{API, CDN, Database} {
		if c := s.components[name]; c != nil {
			c.stop()
		}
	}
	return orders.Close()
}

// waitForEnd returns when the supervisor is told to end, or when its directory was removed under it.
func (s *supervisor) waitForEnd(ctx context.Context, at layout) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := os.Stat(at.info()); os.IsNotExist(err) {
				return
			}
		}
	}
}

// ServeHTTP takes one order: POST /start/api, /stop/api, /restart/api, /shutdown.
func (s *supervisor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.token || r.Method != http.MethodPost {
		http.Error(w, "not authorised", http.StatusForbidden)
		return
	}
	order, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if order == "shutdown" {
		s.shutdown()
		return
	}
	c, ok := s.components[name]
	if !ok {
		if name == Database && order == "start" {
			return // PostgreSQL is looked after by somebody else
		}
		http.Error(w, fmt.Sprintf("there is no component %q here", name), http.StatusNotFound)
		return
	}
	// An order is carried out whole, even when the one who gave it has gone.
	ctx := context.WithoutCancel(r.Context())
	var err error
	switch order {
	case "start":
		err = c.start(ctx)
	case "stop":
		c.stop()
	case "restart":
		c.stop()
		err = c.start(ctx)
	default:
		err = fmt.Errorf("there is no order %q", order)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

// control sends an order to the supervisor and returns when it has been carried out.
func control(ctx context.Context, info *Info, order, name string) error {
	token, err := os.ReadFile(layout(info.Dir).token())
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("the bookstore is not running: run `bookstore up` first")
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", order, name, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+info.Control+"/"+strings.TrimSuffix(order+"/"+name, "/"), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", order, name, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(text)))
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", order, name, err)
	}
	return nil
}

// runControl is restart, stop and start.
func runControl(order string) func(ctx context.Context, c call) error {
	return func(ctx context.Context, c call) error {
		if len(c.args) != 1 {
			return fmt.Errorf("%w: name one component", errUsage)
		}
		info, err := ReadInfo(c.dir)
		if err != nil {
			return err
		}
		if err := control(ctx, info, order, c.args[0]); err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "%s %s: done\n", order, c.args[0])
		return nil
	}
}
