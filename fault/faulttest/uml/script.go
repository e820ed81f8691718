package uml

import (
	"os"
	"path"
	"strings"
)

// modules is where Debian puts the modules of the kernel inside.
const modules = "/usr/lib/uml/modules"

// begins is said before the tests are started.
const begins = "the tests begin"

// script is the first process inside. The directories of the binary and of the package stay reachable when /tmp is covered by an empty one.
func (o Options) script(binary, end string) string {
	var b strings.Builder
	line := func(words ...string) { b.WriteString(strings.Join(words, " ") + "\n") }
	line("#!/bin/sh")
	line("export PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	line("finish() { printf '\\n%s %s\\n' ", quote(end), ` "$1"; sync; echo o >/proc/sysrq-trigger; sleep 60; }`)
	line("stop() { echo \"$1\"; finish 1; }")
	line("mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs tmpfs /run || stop 'mount /proc, /sys, /run'")
	line("mount -t cgroup2 none /sys/fs/cgroup || stop 'mount /sys/fs/cgroup'")
	line("for c in $(cat /sys/fs/cgroup/cgroup.controllers); do echo +$c >/sys/fs/cgroup/cgroup.subtree_control; done")
	dir, _ := os.Getwd()
	line("mkdir -p /run/bin /run/here /run/netns /run/root/lib && ln -s", modules, "/run/root/lib/modules || stop 'prepare /run'")
	line("mount --bind", quote(dir), "/run/here || stop 'mount the directory of the package'")
	line("mount --bind", quote(path.Dir(binary)), "/run/bin && mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /var/tmp || stop 'mount /tmp'")
	line("chmod 1777 /tmp /var/tmp")
	line("mkdir -p /dev/shm /dev/pts; mount -t tmpfs tmpfs /dev/shm; mount -t devpts devpts /dev/pts")
	for _, m := range o.Modules {
		name := strings.TrimSuffix(path.Base(m), ".ko")
		line("modprobe -d /run/root", quote(name), "|| stop", quote("load module "+name))
	}
	line("ip link set lo up || stop 'bring lo up'")
	for _, v := range o.env() {
		name, value, _ := strings.Cut(v, "=")
		line("export", name+"="+quote(value))
	}
	line("cd /run/here || cd /")
	line("echo;", "echo", quote(begins))
	line(quote("/run/bin/"+path.Base(binary)), "-test.v -test.count=1 -test.timeout="+(o.Timeout*2/3).String(),
		"-test.run="+quote(o.Run), "</dev/null 2>&1")
	line("finish $?")
	return b.String()
}

// env is what the tests inside see: that they are inside, where they may write, and how much they are asked to do.
func (o Options) env() []string {
	out := []string{insideVar + "=1", "HOME=/tmp", "TMPDIR=/tmp", "BELAY_STATE_DIR=/run/belay/holds"}
	for _, name := range []string{"CI", "BELAY_TORTURE"} {
		if v, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+v)
		}
	}
	return append(out, o.Env...)
}

// quote makes one word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
