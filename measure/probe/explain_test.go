package probe

import (
	"testing"
	"time"
)

func TestExplanationReads(t *testing.T) {
	ex := Explanation{
		Asked:   "GET http://127.0.0.1:8001/version/ HTTP/1.1\nHost: 127.0.0.1:8001\n",
		Got:     "HTTP/1.1 200 OK\n\n",
		Body:    []byte("{\"version\": 7}\n\xff"),
		Timings: []Timing{{"connect", 1234567 * time.Nanosecond}, {"first byte", 20 * time.Millisecond}},
	}
	want := `> GET http://127.0.0.1:8001/version/ HTTP/1.1
> Host: 127.0.0.1:8001
< HTTP/1.1 200 OK
| {"version": 7}
| ` + "\uFFFD" + `
= connect 1.23ms, first byte 20ms
`
	if got := ex.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := (Explanation{}).String(); got != "" {
		t.Errorf("%q from nothing", got)
	}
}
