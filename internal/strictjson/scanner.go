package strictjson

// Scanner walks text that is known to be valid JSON, which is why it need not
// check for its end. It is for readers that count their allocations: [Members]
// and [List] are simpler to use.
type Scanner struct {
	Data []byte
	Pos  int
}

// Peek skips white space and returns the byte behind it.
func (s *Scanner) Peek() byte {
	for {
		switch c := s.Data[s.Pos]; c {
		case ' ', '\t', '\r', '\n':
			s.Pos++
		default:
			return c
		}
	}
}

// Value returns the text of the value at Pos and moves behind it.
func (s *Scanner) Value() []byte {
	start, depth := s.Pos, 0
	for {
		switch s.Data[s.Pos] {
		case '"':
			s.skipString()
		case '{', '[':
			depth++
			s.Pos++
			continue
		case '}', ']':
			depth--
			s.Pos++
		case ',', ':', ' ', '\t', '\r', '\n':
			s.Pos++
			continue
		default:
			s.skipLiteral()
		}
		if depth == 0 {
			return s.Data[start:s.Pos:s.Pos]
		}
	}
}

func (s *Scanner) skipString() {
	for s.Pos++; s.Data[s.Pos] != '"'; s.Pos++ {
		if s.Data[s.Pos] == '\\' {
			s.Pos++
		}
	}
	s.Pos++
}

// skipLiteral moves behind a number, true, false or null.
func (s *Scanner) skipLiteral() {
	for s.Pos < len(s.Data) {
		switch s.Data[s.Pos] {
		case ',', ':', '}', ']', ' ', '\t', '\r', '\n':
			return
		}
		s.Pos++
	}
}
