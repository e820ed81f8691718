package cgroup

import "testing"

const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /docker/abc /sys/fs/cgroup/my\040memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
broken
`

func TestParseMounts(t *testing.T) {
	got := parseMounts(hybrid)
	if len(got) != 3 {
		t.Fatalf("%d mounts: %+v", len(got), got)
	}
	if m := got[0]; m.v2 || m.point != "/sys/fs/cgroup/cpu,cpuacct" || m.controllers[1] != "cpu" {
		t.Errorf("cpu: %+v", m)
	}
	if m := got[1]; m.point != "/sys/fs/cgroup/my memory" || m.root != "/docker/abc" {
		t.Errorf("memory: %+v", m)
	}
	if m := got[2]; !m.v2 || m.controllers != nil {
		t.Errorf("version 2: %+v", m)
	}
	for path, want := range map[string]string{
		"/docker/abc": "/sys/fs/cgroup/my memory", "/docker/abc/x": "/sys/fs/cgroup/my memory/x", "/docker/abcd": "", "/docker": "", "/": "",
	} {
		if dir, ok := got[1].under(path); dir != want || ok != (want != "") {
			t.Errorf("%s is at %q, %v, want %q", path, dir, ok, want)
		}
	}
}

func TestParseOwn(t *testing.T) {
	const text = "9:name=systemd:/init.scope\n4:memory:/a:b\n2:cpu,cpuacct:/fast\n0::/unified.slice\n"
	for controller, want := range map[string]string{"memory": "/a:b", "cpu": "/fast", "": "/unified.slice", "blkio": ""} {
		if got, ok := parseOwn(text, controller); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v, want %q", controller, got, ok, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(hybrid, "4:memory:/a:b\n")
	f.Fuzz(func(t *testing.T, mounts, own string) {
		for _, m := range parseMounts(mounts) {
			if path, ok := parseOwn(own, ""); ok {
				m.under(path)
			}
			if m.point == "" {
				t.Error("a mount without a place")
			}
		}
	})
}
