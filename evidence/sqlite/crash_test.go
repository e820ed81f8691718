package sqlite_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sqlite"
	"github.com/belay-dr/belay/internal/clock"
)

// TestMain lets this test binary be a writer process: it appends for ever (or so many times) and prints each record's
// seq and hash once the record is acknowledged.
func TestMain(m *testing.M) {
	if path, ok := os.LookupEnv("LEDGER_WRITER"); ok {
		if err := write(path, os.Getenv("LEDGER_WRITES")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if path, ok := os.LookupEnv("LEDGER_READER"); ok {
		if err := readOnly(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func write(path, times string) error {
	db, err := sqlite.Open(context.Background(), path, clock.System{})
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(times)
	if err != nil {
		n = 1 << 30
	}
	for i := range n {
		payload, err := json.Marshal(map[string]any{"pid": os.Getpid(), "i": i, "fill": strings.Repeat("x", i%3000)})
		if err != nil {
			return err
		}
		r, err := db.Append(context.Background(), evidence.Draft{Kind: evidence.KindNote, Grade: evidence.Claimed, Payload: payload})
		if err != nil {
			return err
		}
		fmt.Printf("%d %s\n", r.Seq, r.Hash)
	}
	return db.Close()
}

func writer(t *testing.T, path, times string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "LEDGER_WRITER="+path, "LEDGER_WRITES="+times)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// A record that was acknowledged is there after kill -9 of its writer, and the chain goes on behind it.
func TestKilledWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	acknowledged := make(map[int64]string)
	for round := range 8 {
		cmd, lines := writer(t, path, "for ever")
		for n := 0; lines.Scan(); n++ {
			var seq int64
			var hash string
			if _, err := fmt.Sscan(lines.Text(), &seq, &hash); err == nil && len(hash) == 64 {
				acknowledged[seq] = hash
			}
			if n == 5+13*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("the writer ended by itself: %v", err)
		}
	}
	db, err := sqlite.Open(t.Context(), path, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	records, err := db.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored := make(map[int64]string)
	for _, r := range records {
		stored[r.Seq] = r.Hash
	}
	for seq, hash := range acknowledged {
		if stored[seq] != hash {
			t.Errorf("record %d was acknowledged with hash %s; stored is %q", seq, hash, stored[seq])
		}
	}
	t.Logf("%d records acknowledged, %d stored, in 8 rounds", len(acknowledged), len(records))
	if len(acknowledged) < 8*5 {
		t.Errorf("only %d records were acknowledged: the test shows nothing", len(acknowledged))
	}
}

// Several processes that make the same ledger at the same time and write to it leave one chain without gaps.
func TestWriterProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".belay", "ledger.db")
	const processes, each = 6, 40
	var writers []*exec.Cmd
	for range processes {
		cmd, lines := writer(t, path, strconv.Itoa(each))
		writers = append(writers, cmd)
		go func() {
			for lines.Scan() {
			}
		}()
	}
	for _, cmd := range writers {
		if err := cmd.Wait(); err != nil {
			t.Errorf("writer: %v", err)
		}
	}
	db, err := sqlite.Open(t.Context(), path, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	records, err := db.Verify(t.Context())
	if err != nil {
		t.Error(err)
	}
	if len(records) != processes*each {
		t.Errorf("%d records, want %d", len(records), processes*each)
	}
}
