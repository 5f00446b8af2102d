package memdb

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// expression is a text, parsed; expr is nil for an update expression, which is
// only looked at.
type expression struct {
	*expr
	names, values []string // that it uses
	reserved      string   // a name that it may not use
}

// parsed are expressions by their text: there are few.
var parsed sync.Map

func parse(text string) (e expression, ok bool) {
	if known, ok := parsed.Load(text); ok {
		return known.(expression), true
	}
	tokens := tokenize(text)
	for _, token := range tokens {
		switch {
		case token[0] == ':':
			e.values = append(e.values, token)
		case token[0] == '#':
			e.names = append(e.names, token)
		case reserved[strings.ToUpper(token)]:
			e.reserved = token
		}
	}
	if tokens[0] != "SET" && tokens[0] != "REMOVE" {
		p := &parser{tokens: tokens}
		if e.expr = p.or(); p.at != len(tokens) {
			return e, false
		}
	}
	parsed.Store(text, e)
	return e, true
}

// parseAll parses expressions, nil ones as nil, and refuses names and values
// that they use and that are not given, and such that are given in vain.
func parseAll(names map[string]string, values Row, texts ...*string) ([]*expr, error) {
	if names != nil && len(names) == 0 || values != nil && len(values) == 0 {
		return nil, invalid("ExpressionAttributeNames and ExpressionAttributeValues must not be empty")
	}
	exprs, all := make([]*expr, len(texts)), expression{}
	for i, text := range texts {
		if text == nil {
			continue
		}
		e, ok := parse(*text)
		if !ok || e.reserved != "" {
			return nil, invalid("Invalid expression: " + *text + " " + e.reserved)
		}
		exprs[i], all.names, all.values = e.expr, append(all.names, e.names...), append(all.values, e.values...)
	}
	for _, name := range all.names {
		if names[name] == "" {
			return nil, invalid("Invalid expression: " + name + " is not defined")
		}
	}
	for _, value := range all.values {
		if values[value] == nil {
			return nil, invalid("Invalid expression: " + value + " is not defined")
		}
	}
	for name := range names {
		if !slices.Contains(all.names, name) {
			return nil, invalid("Value provided in ExpressionAttributeNames unused: " + name)
		}
	}
	for value := range values {
		if !slices.Contains(all.values, value) {
			return nil, invalid("Value provided in ExpressionAttributeValues unused: " + value)
		}
	}
	return exprs, nil
}

// reserved are those of DynamoDB's reserved words that a row of ours might have
// as a name (read 2026-11).
var reserved = map[string]bool{
	"AT": true, "CONNECTION": true, "COUNT": true, "FIRST": true, "PARTITION": true, "STATUS": true,
	"TTL": true, "USER": true, "VALUE": true, "WRITE": true,
}

func tokenize(text string) (tokens []string) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		n := 1
		switch c := text[0]; {
		case strings.IndexByte("(),", c) >= 0:
		case strings.IndexByte("<>=", c) >= 0:
			for n < len(text) && strings.IndexByte("<>=", text[n]) >= 0 {
				n++
			}
		default:
			for n < len(text) && strings.IndexByte("(),<>= ", text[n]) < 0 {
				n++
			}
		}
		tokens, text = append(tokens, text[:n]), text[n:]
	}
	return tokens
}

type parser struct {
	tokens []string
	at     int
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) next() string {
	token := p.peek()
	if p.at++; token == "" {
		panic(fmt.Sprintf("memdb: unknown expression %q", p.tokens))
	}
	return token
}

func (p *parser) expect(token string) {
	if got := p.next(); got != token {
		panic(fmt.Sprintf("memdb: %q instead of %q in %q", got, token, p.tokens))
	}
}

func (p *parser) or() *expr {
	e := p.and()
	for p.peek() == "OR" {
		p.next()
		e = &expr{op: "OR", exprs: []*expr{e, p.and()}}
	}
	return e
}

func (p *parser) and() *expr {
	e := p.not()
	for p.peek() == "AND" {
		p.next()
		e = &expr{op: "AND", exprs: []*expr{e, p.not()}}
	}
	return e
}

func (p *parser) not() *expr {
	switch token := p.next(); token {
	case "NOT":
		return &expr{op: "NOT", exprs: []*expr{p.not()}}
	case "(":
		e := p.or()
		p.expect(")")
		return e
	case "attribute_exists", "attribute_not_exists":
		p.expect("(")
		e := &expr{op: token, args: []string{p.next()}}
		p.expect(")")
		return e
	case "attribute_type", "begins_with":
		p.expect("(")
		e := &expr{op: token, args: []string{p.next(), ""}}
		p.expect(",")
		e.args[1] = p.next()
		p.expect(")")
		return e
	default:
		op := p.next()
		switch op {
		case "=", "<>", "<", "<=", ">", ">=":
			return &expr{op: op, args: []string{token, p.next()}}
		}
		panic(fmt.Sprintf("memdb: unknown operator %q in %q", op, p.tokens))
	}
}
