package probe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/belay-dr/belay/measure"
)

// containsLimit bounds how much of a file is searched for text: 16 MiB.
const containsLimit = 16 << 20

// Probe looks at the file once.
func (c *File) Probe(ctx context.Context) Answer {
	a := c.look(ctx)
	a.Explain.Asked = "look at " + c.Path
	return a
}

func (c *File) look(ctx context.Context) Answer {
	info, err := os.Stat(c.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.Absent:
		return Answer{Outcome: measure.OK}
	case errors.Is(err, fs.ErrNotExist):
		return failed("%s does not exist", c.Path)
	case err != nil:
		return unreadable(ctx, err)
	case c.Absent:
		return failed("%s exists", c.Path)
	}
	got := fmt.Sprintf("%s, %d bytes, changed %s", info.Mode(), info.Size(), info.ModTime().UTC().Format("2006-01-02T15:04:05Z"))
	a := c.content(ctx, info)
	a.Explain.Got = got
	return a
}

func (c *File) content(ctx context.Context, info fs.FileInfo) Answer {
	if c.Contains == "" && c.SHA256 == "" {
		return Answer{Outcome: measure.OK}
	}
	if !info.Mode().IsRegular() {
		return failed("%s is not a regular file", c.Path)
	}
	f, err := os.Open(c.Path)
	if err != nil {
		return unreadable(ctx, err)
	}
	defer f.Close()
	digest := sha256.New()
	start, err := io.ReadAll(io.TeeReader(io.LimitReader(f, containsLimit), digest))
	if err == nil && c.SHA256 != "" {
		_, err = io.Copy(digest, f)
	}
	if err != nil {
		return answer(ctx, err)
	}
	a := Answer{Outcome: measure.OK, Explain: Explanation{Body: head(start)}}
	sum := hex.EncodeToString(digest.Sum(nil))
	switch {
	case c.Contains != "" && !bytes.Contains(start, []byte(c.Contains)):
		a.Outcome, a.Reason = measure.Fail, fmt.Sprintf("%s does not contain %q", c.Path, c.Contains)
	case c.SHA256 != "" && !strings.EqualFold(sum, c.SHA256):
		a.Outcome, a.Reason = measure.Fail, fmt.Sprintf("%s has the digest %s", c.Path, sum)
	}
	return a
}

// unreadable is what an error means for a file: one that may not be read is not there for its users either.
func unreadable(ctx context.Context, err error) Answer {
	if errors.Is(err, fs.ErrPermission) {
		return failed("%s", err)
	}
	return answer(ctx, err)
}
