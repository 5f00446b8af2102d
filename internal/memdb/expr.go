package memdb

import (
	"bytes"
	"cmp"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// scope is what an expression is evaluated in.
type scope struct {
	row    Row
	names  map[string]string
	values Row
}

func (s scope) operand(token string) types.AttributeValue {
	switch token[0] {
	case ':':
		return s.values[token]
	case '#':
		return s.row[s.names[token]]
	}
	return s.row[token]
}

func (s scope) name(token string) string {
	if token[0] == '#' {
		return s.names[token]
	}
	return token
}

// expr is an operator, or a function, with its operands: expressions of AND, OR
// and NOT, names and values of all others.
type expr struct {
	op    string
	args  []string
	exprs []*expr
}

func (e *expr) eval(s scope) bool {
	switch e.op {
	case "AND":
		return e.exprs[0].eval(s) && e.exprs[1].eval(s)
	case "OR":
		return e.exprs[0].eval(s) || e.exprs[1].eval(s)
	case "NOT":
		return !e.exprs[0].eval(s)
	case "attribute_exists":
		return s.operand(e.args[0]) != nil
	case "attribute_not_exists":
		return s.operand(e.args[0]) == nil
	case "attribute_type":
		return typeOf(s.operand(e.args[0])) == TextOf(s.operand(e.args[1]))
	case "begins_with":
		v, ok := s.operand(e.args[0]).(*types.AttributeValueMemberS)
		return ok && strings.HasPrefix(v.Value, TextOf(s.operand(e.args[1])))
	}
	return compare(s.operand(e.args[0]), e.op, s.operand(e.args[1]))
}

// hashKey is the value that a key condition demands of the first key.
func (e *expr) hashKey(values Row) string {
	switch {
	case e == nil:
		return ""
	case e.op == "AND":
		return cmp.Or(e.exprs[0].hashKey(values), e.exprs[1].hashKey(values))
	case e.op == "=" && (e.args[0] == "pk" || e.args[0] == "user_id"):
		return TextOf(values[e.args[1]])
	}
	return ""
}

func typeOf(v types.AttributeValue) string {
	switch v.(type) {
	case nil:
		return ""
	case *types.AttributeValueMemberS:
		return "S"
	case *types.AttributeValueMemberN:
		return "N"
	case *types.AttributeValueMemberB:
		return "B"
	case *types.AttributeValueMemberNULL:
		return "NULL"
	case *types.AttributeValueMemberBOOL:
		return "BOOL"
	case *types.AttributeValueMemberSS:
		return "SS"
	}
	panic(fmt.Sprintf("memdb: unknown type %T", v))
}

// compare is false for values of different types, whatever the operator but <>.
func compare(a types.AttributeValue, op string, b types.AttributeValue) bool {
	if a == nil || b == nil || typeOf(a) != typeOf(b) {
		return op == "<>"
	}
	c := 0
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		c = strings.Compare(a.Value, TextOf(b))
	case *types.AttributeValueMemberB:
		c = bytes.Compare(a.Value, b.(*types.AttributeValueMemberB).Value)
	case *types.AttributeValueMemberN:
		c = compareNumbers(a.Value, TextOf(b))
	default: // These have no order.
		same := reflect.DeepEqual(a, b)
		return op == "=" && same || op == "<>" && !same
	}
	switch op {
	case "=":
		return c == 0
	case "<>":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	}
	panic("memdb: unknown operator " + op)
}

func compareNumbers(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	r, okR := new(big.Rat).SetString(a)
	q, okQ := new(big.Rat).SetString(b)
	if !okR || !okQ {
		panic(fmt.Sprintf("memdb: %q or %q is not a number", a, b))
	}
	return r.Cmp(q)
}

// update does what an update expression says to a row.
func update(row Row, s scope, text string) error {
	set, remove, _ := strings.Cut(text, "REMOVE ")
	for name := range strings.SplitSeq(remove, ",") {
		if name = strings.TrimSpace(name); name != "" {
			delete(row, s.name(name))
		}
	}
	set, ok := strings.CutPrefix(strings.TrimSpace(set), "SET ")
	if !ok && set != "" {
		return invalid("Invalid UpdateExpression: " + text)
	}
	// The comma of if_not_exists is before a value, those of assignments before
	// a name.
	for assignment := range strings.SplitSeq(strings.ReplaceAll(set, ", :", ",:"), ", ") {
		if assignment == "" {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimSpace(assignment), " = ")
		if !ok {
			return invalid("Invalid UpdateExpression: " + text)
		}
		if args, isFunc := strings.CutPrefix(value, "if_not_exists("); isFunc {
			path, otherwise, _ := strings.Cut(strings.TrimSuffix(args, ")"), ",")
			if value = path; s.operand(path) == nil {
				value = otherwise
			}
		}
		v := s.operand(value)
		if v == nil {
			return invalid("The provided expression refers to an attribute that does not exist in the item")
		}
		row[s.name(name)] = v
	}
	return nil
}
