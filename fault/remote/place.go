package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/belay-dr/belay/reach/ssh"
)

// places are the directories there that may take the holder program, best first, as a shell knows them.
const places = `"${XDG_RUNTIME_DIR:-}" /run /dev/shm "${HOME:-}" /tmp /var/tmp`

// put first removes what an earlier try of the same fault left in the way. It makes a directory there that only we can enter, in the first place that lets programs run, copies the program from
// standard input into it, and compares the checksum. $1 is how the directory's name begins, $2 the checksum. It leaves nothing when it fails,
// and when nobody runs the program within $3 seconds: whoever put it there may be gone. A running program has removed it before.
const put = `set -u
name=$1 want=$2 dir=
for place in ` + places + `; do [ -n "$place" ] && rm -rf "$place/$name".*; done
for place in ` + places + `; do
  [ -n "$place" ] && [ -d "$place" ] || continue
  try=$place/$name.$$
  (umask 077 && mkdir "$try") 2>/dev/null || continue
  printf '#!/bin/sh\nexit 0\n' >"$try/try" 2>/dev/null && chmod 700 "$try/try" &&
    "$try/try" 2>/dev/null && { rm -f "$try/try"; dir=$try; break; }
  rm -rf "$try"
done
[ -n "$dir" ] || { echo "no directory there lets a program run: tried ` + "`" + `echo ` + "$(printf '%s ' " + places + ")" + "`" + `" >&2; exit 71; }
cat >"$dir/belay-hold" && chmod 700 "$dir/belay-hold" || { rm -rf "$dir"; exit 72; }
sum=$( { sha256sum "$dir/belay-hold" 2>/dev/null || shasum -a 256 "$dir/belay-hold"; } | cut -d' ' -f1)
[ "$sum" = "$want" ] || { rm -rf "$dir"; echo "checksum is $sum there and $want here" >&2; exit 73; }
[ -n "$3" ] && (sleep "$3"; rm -rf "$dir") >/dev/null 2>&1 </dev/null &
printf '%s\n' "$dir"`

// cleanBound is how long it may take to remove a program that was put there in vain. It is short, because whoever waits may be
// about to revert.
const cleanBound = 2 * time.Second

// leftovers lists the directories of one fault that are still there, and removes them when $2 says so. What somebody else has
// put in their place is not ours.
const leftovers = `for place in ` + places + `; do
  [ -n "$place" ] || continue
  for dir in "$place/$1".*; do
    [ ! -L "$dir" ] && [ -d "$dir" ] && [ -O "$dir" ] || continue
    [ "$2" = remove ] && rm -rf "$dir" && continue
    printf '%s\n' "$dir"
  done
done`

// unusedBound is how long a program that nobody runs may lie there.
const unusedBound = 20 * time.Second

// script is a shell line that runs a script with arguments.
func script(text string, args ...string) string {
	return "/bin/sh -c " + ssh.Quote(append([]string{text, "belay"}, args...)...)
}

// site is a holder program that was put on a host.
type site struct {
	host ssh.Host
	dir  string
}

// deploy puts the holder program there. The directory's name is the fault's, so that it can be found again.
func deploy(ctx context.Context, host ssh.Host, u undo) (site, error) {
	p, err := find(u.System, u.Arch)
	if err != nil {
		return site{}, err
	}
	unused := strconv.Itoa(int(unusedBound.Seconds()))
	if u.System != "linux" {
		unused = "" // the program needs its file there: it is removed when the fault has ended
	}
	out, err := host.Run(ctx, script(put, u.Dir, p.sum, unused), bytes.NewReader(p.bytes))
	dir := strings.TrimSpace(string(out))
	if err == nil && (!strings.HasPrefix(dir, "/") || strings.ContainsAny(dir, "\n")) {
		err = fmt.Errorf("%s answered %.200q", host, dir)
	}
	if err != nil {
		// The connection may have ended after the program was there, and before we heard of it.
		if !errors.Is(err, ssh.ErrUnreachable) || ctx.Err() != nil {
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanBound)
			defer cancel()
			_, _ = left(clean, host, u.Dir, true)
		}
		return site{}, fmt.Errorf("put holder program: %w", err)
	}
	return site{host, dir}, nil
}

// line is the shell line that runs the holder program there. It removes its own file as it starts.
func (s site) line(args ...string) string {
	return "BELAY_HOLD_ONCE=" + ssh.Quote(s.dir) + " exec " + ssh.Quote(append([]string{s.dir + "/belay-hold"}, args...)...)
}

// left lists what is left there of a fault's program; remove takes it away.
func left(ctx context.Context, host ssh.Host, name string, remove bool) ([]string, error) {
	verb := "list"
	if remove {
		verb = "remove"
	}
	out, err := host.Run(ctx, script(leftovers, name, verb), nil)
	return strings.Fields(string(out)), err
}
