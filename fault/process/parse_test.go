package process

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadMounts(t *testing.T) {
	const text = `23 1 254:0 / / rw,relatime - ext4 /dev/root rw
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
40 31 0:37 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup rw,name=systemd
37 31 0:34 /docker/4f /sys/fs/cgroup/free\040zer rw,relatime - cgroup cgroup rw,freezer
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:10 master:2 - cgroup2 cgroup2 rw
broken line
1 2 3 - cgroup2 x rw
`
	got := readMounts(text)
	want := []hierarchy{
		{root: "/", dir: "/sys/fs/cgroup/unified", v2: true},
		{root: "/docker/4f", dir: "/sys/fs/cgroup/free zer", controllers: []string{"rw", "freezer"}},
		{root: "/", dir: "/sys/fs/cgroup/systemd", controllers: []string{"rw", "name=systemd"}},
		{root: "/", dir: "/sys/fs/cgroup/cpuacct", controllers: []string{"rw", "cpuacct"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(hierarchy{})); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		in   int
		path string
		want string
	}{
		{0, "/a/b", "/sys/fs/cgroup/unified/a/b"},
		{0, "/sys/fs/cgroup/unified/a", "/sys/fs/cgroup/unified/a"},
		{1, "/docker/4f/a", "/sys/fs/cgroup/free zer/a"},
		{1, "/docker/4f", "/sys/fs/cgroup/free zer"},
		{1, "/docker/4fa", ""},
		{1, "/system.slice", ""},
	} {
		if dir, ok := got[c.in].place(c.path); dir != c.want || ok != (c.want != "") {
			t.Errorf("%s in %s: %q, %v, want %q", c.path, got[c.in].dir, dir, ok, c.want)
		}
	}
}

func FuzzReadMounts(f *testing.F) {
	f.Add("41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw\n")
	f.Add("37 31 0:34 /x /y rw - cgroup cgroup rw,freezer\n - \\04")
	f.Fuzz(func(t *testing.T, text string) {
		for _, h := range readMounts(text) {
			if dir, ok := h.place("/a"); ok && dir == "" {
				t.Errorf("%q: a place without a name", text)
			}
		}
	})
}

func FuzzReadUnit(f *testing.F) {
	f.Add("MainPID=12\nControlGroup=/a\nActiveState=active\n")
	f.Add("MainPID=-1\nActiveState=\n=\n")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := readUnit(text)
		if err == nil && (u.main < 0 || u.state == "" || strings.Contains(u.group, "\n")) {
			t.Errorf("%q is read as %+v", text, u)
		}
	})
}
