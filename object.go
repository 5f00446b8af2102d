package sumu

import (
	"encoding/json"

	"github.com/sumu-live/sumu/internal/strictjson"
)

// object reads the members of a JSON object, each as the text it had, strictly:
// reading a name that comes twice, in another case, or with half of a surrogate
// pair leniently could turn one audience into another.
func object(data []byte) (strictjson.Object, error) {
	members, err := strictjson.Parse(data, 0)
	if err != nil {
		return nil, invalid("%v", err)
	}
	return members, nil
}

// readString reads a member that must be a string.
func readString(name string, value json.RawMessage, into *string) error {
	s, ok := strictjson.String(value)
	switch {
	case ok:
		*into = s
		return nil
	case value[0] == '"':
		return invalid("%s holds half of a surrogate pair", name)
	}
	return invalid("%s is not a string", name)
}

// readStrings reads a member that must be a list of strings.
func readStrings(name string, value json.RawMessage, into *[]string) error {
	list := []string{}
	elements, ok := strictjson.List(value)
	if !ok {
		return invalid("%s is %s; it must be a list of strings", name, kindOf(value))
	}
	for e := range elements {
		switch e[0] {
		case '"':
		case 'n':
			return invalid("%s[%d] is null; it must be a string", name, len(list))
		default:
			return invalid("%s holds something that is not a string", name)
		}
		var s string
		if err := readString(name+"["+itoa(len(list))+"]", e, &s); err != nil {
			return err
		}
		list = append(list, s)
	}
	*into = list
	return nil
}

// kindOf names the kind of a JSON value, for error messages.
func kindOf(v json.RawMessage) string {
	switch v[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
