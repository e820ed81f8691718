package postgres

import "testing"

func FuzzReadPIDFile(f *testing.F) {
	f.Add("4711\n/data\n1700000000\n5432\n/tmp\n127.0.0.1\n  1 2\nready   \n")
	f.Add("-1\n\n\n5432")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := readPIDFile(text); err == nil && p.pid < 2 {
			t.Errorf("%q names process %d", text, p.pid)
		}
	})
}

func FuzzCheckURL(f *testing.F) {
	f.Add("postgres://a:b@c/d")
	f.Add("postgres://a@c/d?Password=x")
	f.Fuzz(func(t *testing.T, text string) {
		if checkURL(text) != "" {
			return
		}
		// What is accepted never makes the connection's config print, or hold, a password of its own.
		t.Setenv("PGPASSWORD", "")
		t.Setenv("PGPASSFILE", "/dev/null")
		if c, err := (server{url: text}).config(nil, "fuzz"); err == nil && c.Password != "" {
			t.Errorf("%q has the password %q", text, c.Password)
		}
	})
}
