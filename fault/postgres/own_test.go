package postgres

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
)

// TestSilentServer reverts without the sessions in hand at a server that is silent, as behind a network that is cut: it may still
// have them. One that has ended has not.
func TestSilentServer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	ended, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended.Close()
	for kind, config := range map[string]object{
		"fill": {"fill": object{}},
		"lock": {"lock": "books"},
	} {
		for what, l := range map[string]net.Listener{"silent": silent, "ended": ended} {
			t.Run(kind+" "+what, func(t *testing.T) {
				t.Parallel()
				addr := l.Addr().(*net.TCPAddr)
				config := object{"url": "postgres://x@" + addr.String() + "/x?sslmode=disable", kind: config[kind]}
				target, err := Kinds().Decode(faulttest.Spec(t, object{"postgres": config}))
				if err != nil {
					t.Fatal(err)
				}
				at := place{Host: "127.0.0.1", Port: uint16(addr.Port), User: "x", Database: "x", System: "1", Started: time.Now()}
				undo, err := json.Marshal(ownUndo{At: at, Name: "f1"})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				out, err := target.Revert(ctx, undo, func(json.RawMessage) error { return nil })
				left, rerr := target.Residue(ctx, undo)
				checkEnd(t, what, out, err, left, rerr)
			})
		}
	}
}

func checkEnd(t *testing.T, what string, out fault.Outcome, err error, left []string, rerr error) {
	t.Helper()
	if what == "ended" {
		if err != nil || rerr != nil || len(left) > 0 || len(out.Superseded) != 1 || !strings.Contains(out.Superseded[0], "has ended") {
			t.Errorf("%+v, %v; left %v, %v", out, err, left, rerr)
		}
		return
	}
	if err == nil || rerr == nil {
		t.Errorf("nobody can know what is left there: revert %+v, %v; residue %v, %v", out, err, left, rerr)
	}
}
