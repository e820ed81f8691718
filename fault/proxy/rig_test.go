package proxy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/proxy"
)

func TestMain(m *testing.M) { faulttest.Main(m, proxy.Kinds(), nil) }

type object = map[string]any

// hello is what the dependency of these tests answers to.
const hello = "hello\n"

// dependency answers each thing that comes with size bytes, as long as the test lives.
func dependency(t testing.TB, size int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 64<<10)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := c.Write(bytes.Repeat([]byte("x"), size)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// ports are handed out below those that the system takes by itself.
var next atomic.Int32

func port(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+(os.Getpid()*37+int(next.Add(1)))%10000)
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// rtt is the time of one question and answer on a connection of its own.
func rtt(address string) (time.Duration, error) {
	c, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	began := time.Now()
	if _, err := io.WriteString(c, hello); err != nil {
		return 0, err
	}
	_, err = c.Read(make([]byte, 1))
	return time.Since(began), err
}

// buildServer builds the server command of the very module that we link.
func buildServer(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "toxiproxy-server")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/Shopify/toxiproxy/v2/cmd/server").CombinedOutput(); err != nil {
		t.Fatalf("build toxiproxy: %v\n%s", err, out)
	}
	return path
}

// toxiproxy is a server that runs, with one proxy called "db".
type toxiproxy struct {
	url    string
	listen string
	end    func()
}

func serve(t testing.TB, binary, upstream string) toxiproxy {
	t.Helper()
	host, number, _ := strings.Cut(port(t), ":")
	cmd := exec.Command(binary, "-host", host, "-port", number)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	s := toxiproxy{url: "http://" + host + ":" + number, listen: port(t), end: func() { _ = cmd.Process.Kill(); <-done }}
	t.Cleanup(s.end)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if a, err := http.Get(s.url + "/version"); err == nil {
			a.Body.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("the server does not come up")
		}
	}
	s.call(t, http.MethodPost, "/proxies", object{"name": "db", "listen": s.listen, "upstream": upstream})
	return s
}

// call is what the team's own tool does.
func (s toxiproxy) call(t testing.TB, method, path string, body any) string {
	t.Helper()
	b, _ := json.Marshal(body)
	r, err := http.NewRequest(method, s.url+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(a.Body)
	if a.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s", method, path, a.Status, text)
	}
	return string(text)
}

// ours are the names of toxics with our mark.
func (s toxiproxy) ours(t testing.TB) []string {
	t.Helper()
	var list []struct{ Name string }
	if err := json.Unmarshal([]byte(s.call(t, http.MethodGet, "/proxies/db/toxics", nil)), &list); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, x := range list {
		if strings.HasPrefix(x.Name, "belay-") {
			out = append(out, x.Name)
		}
	}
	return out
}

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
func isReset(err error) bool   { return errors.Is(err, syscall.ECONNRESET) }
