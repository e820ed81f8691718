package local

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/belay-dr/belay/evidence"
)

// The ledger takes only numbers that its canonical form keeps. The boot clock of a machine that has been up for 104 days is
// above 2^53 ns, and an exercise must start there too.
func TestOpeningFitsTheLedger(t *testing.T) {
	want := Opening{Boot: 400*24*time.Hour + 1}
	payload, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	r, err := evidence.Chain(1, "ID", time.Unix(0, 0), evidence.Draft{Kind: evidence.KindStarted, Payload: payload}, evidence.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	var got Opening
	if err := json.Unmarshal(r.Payload, &got); err != nil || got.Boot != want.Boot {
		t.Errorf("read back %v (%v), want %v", got.Boot, err, want.Boot)
	}
}
