package sumu

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Validate returns ErrInvalid for an identity that no connection may have. Its
// user id must be 1 to [MaxUserID] bytes of UTF-8
//
//   - without control characters (C0, DEL, C1, U+2028, U+2029) and
//     noncharacters (U+FFFE, U+FFFF, …): SQS and SNS refuse most of them, so
//     that nobody could be told of the user,
//   - without those that change the direction of text (U+202E, U+2066, …), and
//     without white space or U+FEFF at either end: with them one id looks like
//     another,
//   - without U+FFFD, which stands for what could not be read: two ids would be one.
//
// Names and values of claims must be UTF-8. [App] validates whatever its
// Authorizer returns.
func (id Identity) Validate() error {
	if err := checkUserID("user id", id.UserID); err != nil {
		return err
	}
	if err := checkID("user id", id.UserID); err != nil {
		return err
	}
	for name, value := range id.Claims {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return invalid("a claim is not valid UTF-8")
		}
	}
	return nil
}

// validIdentity returns ErrUnauthorized for an identity that does not validate:
// there is nobody whom it stands for.
func validIdentity(id Identity) error {
	if err := id.Validate(); err != nil {
		return &Error{Kind: ErrUnauthorized, Err: err}
	}
	return nil
}

// checkID returns ErrInvalid for an id, of a user or a connection, that cannot
// travel as it is. What is stored is checked less: a row that another program
// wrote must be found and removed all the same.
func checkID(what, id string) error {
	switch {
	case strings.ContainsFunc(id, isHidden):
		return invalid("%s holds a control character, or one that hides what it is", what)
	case strings.TrimFunc(id, isBlank) != id:
		return invalid("%s begins or ends with white space", what)
	}
	return nil
}

// isHidden reports whether a character stands for nothing that can be read:
// controls, those of bidirectional text among them, noncharacters, and what
// takes the place of broken text.
func isHidden(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	return r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Noncharacter_Code_Point)
}

// isBlank reports whether a character is white space, or U+FEFF, which some
// languages trim as such.
func isBlank(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' }
