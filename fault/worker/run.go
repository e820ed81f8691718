package worker

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Read reads a worker's config: one line of JSON. What is left of its input can then be given to Ended.
func Read(stdin io.Reader, config any) (*bufio.Reader, error) {
	r := bufio.NewReader(stdin)
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	if err := json.Unmarshal(line, config); err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return r, nil
}

// Ready says that the worker is at work.
func Ready(stdout io.Writer) error {
	_, err := fmt.Fprintln(stdout, ready)
	return err
}

// Told waits for one more line of input, and says whether it came.
func Told(stdin *bufio.Reader) bool {
	_, err := stdin.ReadString('\n')
	return err == nil
}

// Ended is closed when the worker's input is: its holder released it, or is dead.
func Ended(stdin io.Reader) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		close(done)
	}()
	return done
}
