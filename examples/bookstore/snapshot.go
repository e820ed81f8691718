package bookstore

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
)

// snapshotsKept is how many complete snapshots are kept.
const snapshotsKept = 5

// snapshots takes snapshots of one server. A snapshot holds the rows of the moment it was begun, and counts only from
// the moment its copy is complete, as with a managed database. So the latest one is always older than the copy takes,
// and a restore always loses what was written since.
type snapshots struct {
	dir    string
	copy   time.Duration
	server *server
	mu     sync.Mutex // one at a time
}

func newSnapshots(dir string, copyTime time.Duration, s *server) *snapshots {
	return &snapshots{dir: dir, copy: copyTime, server: s}
}

// loop takes a snapshot now and then every period, until the context ends.
func (s *snapshots) loop(ctx context.Context, every time.Duration, log io.Writer) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, err := s.take(ctx); err != nil {
			fmt.Fprintf(log, "snapshot: %v\n", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// take takes one snapshot and returns its file name.
func (s *snapshots) take(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return "", fmt.Errorf("take snapshot: %w", err)
	}
	draft, err := os.MkdirTemp(s.dir, ".incomplete-*")
	if err != nil {
		return "", fmt.Errorf("take snapshot: %w", err)
	}
	defer os.RemoveAll(draft)
	name := time.Now().UTC().Format("20060102T150405.000000000Z") + ".db"
	file := filepath.Join(draft, name)
	if _, err := s.server.db.ExecContext(ctx, `VACUUM INTO ?`, file); err != nil {
		return "", fmt.Errorf("take snapshot: %w", err)
	}
	select {
	case <-time.After(s.copy):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if err := s.server.lost(); err != nil {
		return "", fmt.Errorf("take snapshot: %w", err)
	}
	if err := os.Rename(file, filepath.Join(s.dir, name)); err != nil {
		return "", fmt.Errorf("take snapshot: %w", err)
	}
	return name, s.prune()
}

// prune removes all but the latest snapshots, and what earlier servers left incomplete.
func (s *snapshots) prune() error {
	complete, err := listSnapshots(s.dir)
	if err != nil {
		return err
	}
	for len(complete) > snapshotsKept {
		if err := os.Remove(filepath.Join(s.dir, complete[0])); err != nil {
			return fmt.Errorf("prune snapshots: %w", err)
		}
		complete = complete[1:]
	}
	return nil
}

// listSnapshots names the complete snapshots, oldest first.
func listSnapshots(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".db") && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

// runSnapshot asks the database server for a snapshot and prints its name.
func runSnapshot(ctx context.Context, c call) error {
	info, err := ReadInfo(c.dir)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+info.DatabaseAddress+"/snapshot", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("take snapshot: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("take snapshot: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("take snapshot: %s", strings.TrimSpace(string(text)))
	}
	_, err = c.stdout.Write(text)
	return err
}
