package process

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// maxPIDFile is larger than any pid file.
const maxPIDFile = 64 << 10

func readPIDFile(path string) ([]int, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read pid file: %w", err)
	}
	if !st.Mode().IsRegular() || st.Size() > maxPIDFile {
		return nil, fmt.Errorf("read pid file: %s is not a small file", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read pid file: %w", err)
	}
	var out []int
	for word := range strings.FieldsSeq(string(b)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("read pid file: %s: %q is not a process ID", path, word)
		}
		if !slices.Contains(out, pid) {
			out = append(out, pid)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read pid file: %s is empty", path)
	}
	return out, nil
}
