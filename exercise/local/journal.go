package local

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"
)

// journal is a file of JSON lines. Each line is one write, so that a crash loses at most the last one.
type journal struct {
	mu sync.Mutex
	f  *os.File
}

// openJournal opens the file to append to, after cutting off a last line that was not written to its end.
func openJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	if err == nil {
		whole := len(b)
		for whole > 0 && b[whole-1] != '\n' {
			whole--
		}
		if whole < len(b) {
			err = f.Truncate(int64(whole))
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &journal{f: f}, nil
}

func (j *journal) write(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err = j.f.Write(append(b, '\n'))
	return err
}

// readLines reads the whole lines of a journal; a file that is not there has none.
func readLines[T any](path string, take func(T)) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return err
		}
		take(v)
	}
}

// digest syncs the file and returns the SHA-256 of its content.
func (j *journal) digest() (string, error) {
	if err := j.f.Sync(); err != nil {
		return "", err
	}
	f, err := os.Open(j.f.Name())
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
