package cli

import (
	"os/exec"
	"testing"
)

// A suggested command is copied into a shell: the word must arrive there as it was.
func TestShellWord(t *testing.T) {
	for _, text := range []string{
		"shop", "/tmp/shop-1", "", "mein Lädchen/shop", "it's", "$HOME", "a;b", "~", "~root/x", "*", "a\nb", "-x", "#1", "(a)", "50%",
	} {
		out, err := exec.Command("/bin/sh", "-c", "printf '%s' "+shellWord(text)).Output()
		if err != nil || string(out) != text {
			t.Errorf("%q became %s, which a shell reads as %q (%v)", text, shellWord(text), out, err)
		}
	}
	if got := shellWord("/tmp/shop-1"); got != "/tmp/shop-1" {
		t.Errorf("a plain path is quoted: %s", got)
	}
}
