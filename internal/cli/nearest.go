package cli

import "github.com/spf13/cobra"

// nearest is the sub-command that was probably meant by word, or nil.
func nearest(cmd *cobra.Command, word string) *cobra.Command {
	var best *cobra.Command
	least := 3 // two mistakes at most
	for _, sub := range cmd.Commands() {
		if sub.Hidden {
			continue
		}
		if d := distance(word, sub.Name()); d < least && d < len(word) {
			best, least = sub, d
		}
	}
	return best
}

// distance is how many letters must be added, dropped, changed or swapped with their neighbour to make b of a.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
