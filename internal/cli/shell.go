package cli

import "strings"

// plainLetters are those that a shell takes as they are, besides letters and digits.
const plainLetters = "/._-+:@%,=~"

// shellWord is text as one word of a command line that a person may copy.
func shellWord(text string) string {
	special := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(plainLetters, r))
	}
	if text != "" && text[0] != '~' && strings.IndexFunc(text, special) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// inDir is the flag that makes a suggested command work on the same playbook as this one.
func inDir(dir string) string {
	if dir == "" || dir == "." {
		return ""
	}
	return " --dir " + shellWord(dir)
}

// inDirToo adds the flag to a suggested text when that is a command of Belay.
func inDirToo(text, dir string) string {
	if strings.HasPrefix(text, "belay ") {
		return text + inDir(dir)
	}
	return text
}
