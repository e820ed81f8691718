package secret

import "testing"

func TestRedact(t *testing.T) {
	var r Redactor
	if got := r.Redact("nothing known"); got != "nothing known" {
		t.Errorf("an empty redactor changed the text to %q", got)
	}
	r.Add("db", "hunter2")
	r.Add("long", "hunter2-and-more")
	r.Add("pin", "123")
	r.Add("key", "line one\nline two\n")
	for _, c := range []struct{ in, want string }{
		{"password hunter2!", "password <secret db>!"},
		{"hunter2-and-more", "<secret long>"},
		{"12345", "12345"},
		{"x line two y", "x <secret key> y"},
		{"", ""},
	} {
		if got := r.Redact(c.in); got != c.want {
			t.Errorf("Redact(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
