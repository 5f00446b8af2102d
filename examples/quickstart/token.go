package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	issuerName = "sumu-quickstart" // the "iss" of the demo tokens
	audience   = "sumu-quickstart" // and their "aud"
	tokenLife  = time.Hour
	maxName    = 64 // characters of a name
)

// tokenHandler gives a token to whoever gives a name. It stands in for the
// identity provider of your application: nothing here proves who is asking.
func tokenHandler(sign func(claims map[string]any) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, ok := readJSON(w, r, 4096)
		if !ok {
			return
		}
		var request struct {
			User string `json:"user"`
		}
		if err := json.Unmarshal(body, &request); err != nil {
			fail(w, http.StatusBadRequest, `send a name as {"user":"ann"}`)
			return
		}
		name, err := cleanName(request.User)
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
		now := time.Now()
		token, err := sign(map[string]any{
			"iss": issuerName, "aud": audience, "sub": name,
			"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
		})
		if err != nil {
			fail(w, http.StatusInternalServerError, "no token could be signed")
			return
		}
		answer(w, http.StatusOK, map[string]string{"token": token, "user": name})
	}
}

// cleanName trims a name and checks it. The page shows its errors as they are.
func cleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return "", errors.New("give a name")
	case n > maxName:
		return "", fmt.Errorf("this name has %d characters; at most %d are allowed", n, maxName)
	}
	for _, c := range name {
		// Two names that look the same must not be two people.
		if !unicode.IsPrint(c) || c == utf8.RuneError {
			return "", errors.New("a name may hold letters, digits, signs and spaces, but no invisible characters")
		}
	}
	return name, nil
}
