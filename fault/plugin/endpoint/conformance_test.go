package endpoint_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/plugin"
	"github.com/belay-dr/belay/fault/plugin/endpoint"
)

// asService is what the test binary is started as to be a service of its own process.
const asService = "endpoint-service"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asService {
		serve()
		return
	}
	faulttest.Main(m, endpoint.Kinds(), nil)
}

type object = map[string]any

const token = "Bearer s3cret-token"

// switches is a service with switches, and a plug-in for them.
type switches struct {
	mu sync.Mutex
	on map[string]string
}

// serve is the service until its standard input ends.
func serve() {
	s := &switches{on: map[string]string{"checkout": "on"}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /belay", s.plugin)
	mux.HandleFunc("/switch", s.plain)
	server := httptest.NewServer(mux)
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// plain is how everybody else reads and writes a switch.
func (s *switches) plain(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPut {
		b, _ := io.ReadAll(r.Body)
		s.on["checkout"] = string(b)
	}
	_, _ = io.WriteString(w, s.on["checkout"])
}

func (s *switches) plugin(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var q plugin.Request
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.Header.Get("Authorization") != token {
		http.Error(w, "not for you: "+r.Header.Get("Authorization"), http.StatusForbidden)
		return
	}
	reply := object{}
	mine := "off by " + q.ID
	switch now := s.on["checkout"]; q.Do {
	case plugin.DoPlan:
		reply = object{"target": "switch checkout", "class": "restore", "changes": []string{"switch checkout off"}, "ends_after": "1m", "undo": now}
	case plugin.DoInject:
		s.on["checkout"] = mine
	case plugin.DoConfirm:
		reply["seen"] = ""
		if now == mine {
			reply["seen"] = "checkout is off"
		}
	case plugin.DoRevert:
		switch {
		case now == mine:
			_ = json.Unmarshal(q.Undo, &now)
			s.on["checkout"] = now
		case !q.Again:
			reply["superseded"] = []string{"somebody set checkout to " + now}
		}
	case plugin.DoResidue:
		reply["residue"] = []string{}
		if now == mine {
			reply["residue"] = []string{"checkout is off"}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply)
}

// service starts the service in a process of its own.
func service(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, asService)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(url)
}

// state is the switch as everybody else sees it.
func state(t testing.TB, url string) string {
	t.Helper()
	a, err := http.Get(url + "/switch")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, _ := io.ReadAll(a.Body)
	return string(b)
}

func set(t testing.TB, url, value string) {
	t.Helper()
	r, _ := http.NewRequest(http.MethodPut, url+"/switch", strings.NewReader(value))
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
}

func secretFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, func(t testing.TB) faulttest.Rig {
		url := service(t)
		return faulttest.Rig{
			Kinds:  endpoint.Kinds(),
			Spec:   faulttest.Spec(t, object{"http": object{"url": url + "/belay", "authorization_file": secretFile(t)}}),
			Broken: func() bool { return strings.HasPrefix(state(t, url), "off") },
			Change: func() { set(t, url, "on by hand") },
			Remove: func() { set(t, url, "") },
			Intact: func() bool { return state(t, url) == "on by hand" },
			Within: 2 * time.Second,
		}
	})
}
