package postgres

import (
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A standby that does not answer may still be there with its replay paused: that is not reverted. Only one that has ended on
// this host is.
func TestReplayUnreachable(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	port := func(l net.Listener) uint16 {
		_, text, _ := net.SplitHostPort(l.Addr().String())
		n, _ := strconv.Atoi(text)
		return uint16(n)
	}
	for name, c := range map[string]struct {
		at    place
		ended bool
	}{
		"it is silent":         {place{Host: "127.0.0.1", Port: port(silent), User: "x", Database: "x"}, false},
		"it has ended":         {place{Host: "127.0.0.1", Port: port(closed), User: "x", Database: "x"}, true},
		"its socket has ended": {place{Host: filepath.Join(t.TempDir(), "none"), Port: 5432, User: "x", Database: "x"}, true},
	} {
		undo, err := json.Marshal(replayUndo{At: c.at, Paused: true})
		if err != nil {
			t.Fatal(err)
		}
		r := replay{server{url: "postgres://x@127.0.0.1/x?sslmode=disable"}}
		out, err := r.Revert(t.Context(), undo, func(json.RawMessage) error { return nil })
		if c.ended != (err == nil) || c.ended != (len(out.Superseded) == 1) || err != nil && !errors.Is(err, errUnreachable) {
			t.Errorf("%s: revert: %v, %v", name, out, err)
		}
		if _, err := r.Residue(t.Context(), undo); c.ended != (err == nil) {
			t.Errorf("%s: residue: %v", name, err)
		}
	}
	far := place{Host: "192.0.2.1", Port: 5432}
	if far.ended(errors.Join(errUnreachable, errRefused())) {
		t.Error("a refusal of another host is no proof that its server has ended")
	}
}

// errRefused is what connecting to a port without a listener returns.
func errRefused() error {
	_, err := net.Dial("tcp", "127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "refused") {
		return nil
	}
	return err
}
