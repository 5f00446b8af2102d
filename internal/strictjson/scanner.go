package strictjson

// scanner walks text that is known to be valid JSON, which is why it need not
// check for its end.
type scanner struct {
	data []byte
	pos  int
}

// peek skips white space and returns the byte behind it.
func (s *scanner) peek() byte {
	for {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return c
		}
	}
}

// value returns the text of the value at pos and moves behind it.
func (s *scanner) value() []byte {
	start, depth := s.pos, 0
	for {
		switch s.data[s.pos] {
		case '"':
			s.skipString()
		case '{', '[':
			depth++
			s.pos++
			continue
		case '}', ']':
			depth--
			s.pos++
		case ',', ':', ' ', '\t', '\r', '\n':
			s.pos++
			continue
		default:
			s.skipLiteral()
		}
		if depth == 0 {
			return s.data[start:s.pos:s.pos]
		}
	}
}

func (s *scanner) skipString() {
	for s.pos++; s.data[s.pos] != '"'; s.pos++ {
		if s.data[s.pos] == '\\' {
			s.pos++
		}
	}
	s.pos++
}

// skipLiteral moves behind a number, true, false or null.
func (s *scanner) skipLiteral() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ',', ':', '}', ']', ' ', '\t', '\r', '\n':
			return
		}
		s.pos++
	}
}
