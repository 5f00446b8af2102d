package sumu

import (
	"strings"
	"unicode"
)

// nearest returns the one of known that a member's name was probably meant to
// be; "": none. A name is near when it is the same without regard to case,
// spaces, invisible characters, "_" and "-" and to whether "ids" stands for
// "s", or differs from that by one letter (put in, left out, exchanged, or two
// that changed places), or by two where the known one has over eight.
func nearest(name string, known ...string) string {
	best, least := "", 3
	folded := fold(name)
	for _, k := range known {
		want := fold(k)
		most := 1
		if len(want) > 8 {
			most = 2
		}
		if d := distance(folded, want, most); d <= most && d < least {
			best, least = k, d
		}
	}
	return best
}

// sameFolded returns the one of known that differs from a name in nothing that
// [nearest] disregards; "": none.
func sameFolded(name string, known []string) string {
	folded := fold(name)
	for _, k := range known {
		if fold(k) == folded {
			return k
		}
	}
	return ""
}

func fold(name string) string {
	if len(name) > maxFolded {
		return name
	}
	s := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r)) // "ſ" is an "s", too.
	}, name)
	if stem, ok := strings.CutSuffix(s, "ids"); ok && stem != "" {
		return stem + "s"
	}
	return s
}

// maxFolded is longer than what a known name could be misspelt as, in bytes.
const maxFolded = 128

// distance is how many letters were put in, left out or exchanged, or pairs of
// neighbours that changed places, between a and b; over most: more than that.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
		for j := range b {
			switch {
			case i == 0:
				rows[0][j+1] = j + 1
				continue
			case a[i-1] == b[j]:
				rows[i][j+1] = rows[i-1][j]
			default:
				rows[i][j+1] = 1 + min(rows[i-1][j], rows[i-1][j+1], rows[i][j])
			}
			if i > 1 && j > 0 && a[i-1] == b[j-1] && a[i-2] == b[j] {
				rows[i][j+1] = min(rows[i][j+1], rows[i-2][j-1]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// unknownMember is the error for a member that must not be ignored.
func unknownMember(name, near string) error {
	if near == "" {
		return invalid("unknown member %.64q", name)
	}
	return invalid("unknown member %.64q; did you mean %q?", name, near)
}
