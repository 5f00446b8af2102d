package sumu

import (
	"math/big"
	"strconv"
	"strings"
)

// decimal is a number of a JSON text as it is written, to any number of digits:
// sign × 0.digits × 10^exponent. It is never made a float64, in which the ids
// over 2^53 would be one another's; and no work on it is more than its text is
// long, whatever its exponent.
type decimal struct {
	sign   int    // -1, 0, 1
	digits string // without zeros at the ends; "" of 0
	exp    int64
	far    *big.Int // the exponent instead of exp, where int64 may be too small
}

// maxExponent is how many digits of an exponent fit into an int64, with the
// length of any text added to it.
const maxExponent = 18

// parseDecimal reads a number as JSON has them; ok is false for any other text.
func parseDecimal(text string) (d decimal, ok bool) {
	rest, negative := strings.CutPrefix(text, "-")
	whole := leadingDigits(rest)
	rest = rest[len(whole):]
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return d, false
	}
	fraction := ""
	if after, point := strings.CutPrefix(rest, "."); point {
		if fraction = leadingDigits(after); fraction == "" {
			return d, false
		}
		rest = after[len(fraction):]
	}
	exponent, exponentSign := "", ""
	if rest != "" {
		if rest[0]|0x20 != 'e' {
			return d, false
		}
		rest = rest[1:]
		if rest != "" && (rest[0] == '-' || rest[0] == '+') {
			exponentSign, rest = strings.Trim(rest[:1], "+"), rest[1:]
		}
		if exponent = leadingDigits(rest); exponent == "" || exponent != rest {
			return d, false
		}
	}

	digits := whole
	if fraction != "" {
		digits += fraction
	}
	significant := strings.TrimLeft(digits, "0")
	if significant == "" {
		return decimal{}, true
	}
	d.sign = 1
	if negative {
		d.sign = -1
	}
	d.exp = int64(len(whole) - (len(digits) - len(significant)))
	d.digits = strings.TrimRight(significant, "0")
	exponent = strings.TrimLeft(exponent, "0")
	switch {
	case exponent == "":
	case len(exponent) <= maxExponent:
		e, _ := strconv.ParseInt(exponentSign+exponent, 10, 64) // Digits, and few.
		d.exp += e
	default:
		e, _ := new(big.Int).SetString(exponentSign+exponent, 10) // Digits.
		d.far = e.Add(e, big.NewInt(d.exp))
	}
	return d, true
}

// leadingDigits returns the digits that a text begins with.
func leadingDigits(text string) string {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return text[:i]
		}
	}
	return text
}

// compare returns -1, 0 or 1 as a is less than, equal to or greater than b.
func (a decimal) compare(b decimal) int {
	if a.sign != b.sign {
		if a.sign < b.sign {
			return -1
		}
		return 1
	}
	if c := a.compareExponent(b); c != 0 {
		return a.sign * c
	}
	return a.sign * strings.Compare(a.digits, b.digits)
}

func (a decimal) compareExponent(b decimal) int {
	if a.far != nil || b.far != nil {
		return a.exponent().Cmp(b.exponent())
	}
	switch {
	case a.exp < b.exp:
		return -1
	case a.exp > b.exp:
		return 1
	}
	return 0
}

func (a decimal) exponent() *big.Int {
	if a.far != nil {
		return a.far
	}
	return big.NewInt(a.exp)
}

// maxPlain is how many digits before the point a number is spelt with; a larger
// one has an exponent.
const maxPlain = 21

// String gives numbers that are equal one spelling, that of JSON.
func (a decimal) String() string {
	if a.sign == 0 {
		return "0"
	}
	sign := ""
	if a.sign < 0 {
		sign = "-"
	}
	if n := int64(len(a.digits)); a.far == nil && n <= a.exp && a.exp <= maxPlain {
		return sign + a.digits + strings.Repeat("0", int(a.exp-n))
	}
	point := ""
	if len(a.digits) > 1 {
		point = "."
	}
	e := a.exponent()
	return sign + a.digits[:1] + point + a.digits[1:] + "e" + new(big.Int).Sub(e, big.NewInt(1)).String()
}
