// Package suggest finds the name that somebody most likely meant.
package suggest

import "strings"

// minShortened is the shortest beginning of a name that is taken for the name.
const minShortened = 3

// Closest returns the name that a misspelt or shortened one most likely means,
// whatever its case, or "" when none is near.
func Closest(typed string, names []string) string {
	typed = strings.ToLower(typed)
	best, distance := "", max(len(typed)/3, 2)+1
	for _, name := range names {
		if d := editDistance(typed, strings.ToLower(name)); d < distance {
			best, distance = name, d
		}
	}
	if best != "" || len(typed) < minShortened {
		return best
	}
	for _, name := range names {
		if strings.HasPrefix(strings.ToLower(name), typed) {
			return name
		}
	}
	return ""
}

// editDistance counts the bytes to insert, delete or replace (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
