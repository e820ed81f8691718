package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serving makes this test binary the HTTP service of a new user: address and file for its process number.
const serving = "BELAY_E2E_SERVE"

// serve answers 200 on every path until it is killed.
func serve(spec string) int {
	address, pidFile, _ := strings.Cut(spec, " ")
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// It ends by itself should the test be cut short.
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }))
	<-ctx.Done()
	return 0
}

// readmeInit is the README's `belay init` command, as the arguments of belay.
func readmeInit(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	must(t, err)
	command := regexp.MustCompile(`(?m)^belay (init --application(?:.*\\\n)*.*)$`).FindSubmatch(text)
	if command == nil {
		t.Fatal("the README has no `belay init --application` command")
	}
	words := regexp.MustCompile(`"[^"]*"|[^\s\\]+`).FindAllString(string(command[1]), -1)
	for i := range words {
		words[i] = strings.Trim(words[i], `"`)
	}
	return words
}

// What the README promises a new user with one HTTP service: from `belay init` to a first measured exercise.
func TestReadmeFirstExercise(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	must(t, l.Close())
	must(t, os.MkdirAll(w.dir, 0o755))
	pidFile := filepath.Join(w.dir, "shop.pid")
	self, err := os.Executable()
	must(t, err)
	restart := filepath.Join(w.dir, "restart")
	script := fmt.Sprintf("#!/bin/sh\n%s='%s %s' '%s' >/dev/null 2>&1 </dev/null &\n", serving, address, pidFile, self)
	must(t, os.WriteFile(restart, []byte(script), 0o755))
	must(t, exec.Command(restart).Run())
	t.Cleanup(func() { stopByPidFile(pidFile) })
	w.until(10*time.Second, "the service answers", func() bool {
		r, err := http.Get("http://" + address + "/health")
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	})

	args := readmeInit(t)
	for i := range args {
		switch {
		case strings.HasPrefix(args[i], "http://"):
			args[i] = "http://" + address + "/health"
		case strings.HasSuffix(args[i], ".pid"):
			args[i] = pidFile
		case i > 0 && args[i-1] == "--restart":
			args[i] = restart
		}
	}
	w.ok(append(args, "--dir", w.dir)...)
	w.ok("lint", "--dir", w.dir)
	w.ok("doctor", "--env", "staging", "--dir", w.dir)
	w.ok("exercise", "run", "web-failure", "--env", "staging", "--dry-run", "--dir", w.dir)
	e := decode[exercise](w, w.ok("exercise", "run", "web-failure", "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json"))
	if e.Verdict != "PASS" {
		t.Errorf("verdict %s: %s", e.Verdict, e.Why)
	}
	if len(e.OutageMS) != 2 || e.OutageMS[1] == nil || *e.OutageMS[1] <= 0 {
		t.Errorf("outage %v is not measured", e.OutageMS)
	}
	w.ok("stage", "--dir", w.dir)
}

// stopByPidFile ends the service that the test started.
func stopByPidFile(path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid > 1 {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}
