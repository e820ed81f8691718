package cli_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sqlite"
	"github.com/belay-dr/belay/internal/cli"
	"github.com/belay-dr/belay/internal/clock"
)

// The raw data of an exercise lies in files beside the ledger; the result names their digests, and verify recomputes them.
func TestVerifyRawData(t *testing.T) {
	const text = "{\"seq\":1}\n"
	sum := sha256.Sum256([]byte(text))
	tests := map[string]struct {
		digest string
		spoil  func(t *testing.T, file string)
		want   string
		code   int
	}{
		"whole":   {"file:samples.jsonl", nil, "OK: 1 record, head ", 0},
		"by path": {"file:.belay/exercises/E1/samples.jsonl", nil, "OK: 1 record, head ", 0},
		"changed": {
			"file:samples.jsonl", func(t *testing.T, file string) { writeFile(t, file, "{\"seq\":2}\n") },
			".belay/exercises/E1/samples.jsonl was changed: its digest is not the recorded one\nNOT OK: 1 problem in 1 record\n", 1,
		},
		"missing": {"file:samples.jsonl", func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}, ".belay/exercises/E1/samples.jsonl is missing\n", 1},
		"outside":          {"file:../../etc/passwd", nil, "../../etc/passwd cannot be read: ", 1},
		"no digest of one": {"plan", nil, "0 raw files\n", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, ".belay", "exercises", "E1", "samples.jsonl")
			writeFile(t, file, text)
			payload, err := json.Marshal(map[string]any{"id": "E1", "digests": map[string]string{test.digest: hex.EncodeToString(sum[:])}})
			if err != nil {
				t.Fatal(err)
			}
			ledger, err := sqlite.Open(t.Context(), filepath.Join(dir, ".belay", "ledger.db"), clock.System{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ledger.Append(t.Context(), evidence.Draft{Kind: evidence.KindExercise, Subject: "E1", Payload: payload}); err != nil {
				t.Fatal(err)
			}
			if err := ledger.Close(); err != nil {
				t.Fatal(err)
			}
			if test.spoil != nil {
				test.spoil(t, file)
			}
			var stdout, stderr bytes.Buffer
			code := cli.Main(t.Context(), []string{"evidence", "verify", "--dir", dir}, strings.NewReader(""), &stdout, &stderr)
			if code != test.code || !strings.Contains(stdout.String(), test.want) {
				t.Errorf("exit code %d, output %q%s; want %d, %q", code, stdout.String(), stderr.String(), test.code, test.want)
			}
		})
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
