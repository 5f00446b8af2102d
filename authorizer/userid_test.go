package authorizer_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
)

// The classes of characters are tested in the root; here is one of each, as JSON
// writes it.
func TestUserIDsThatNoQueueTakes(t *testing.T) {
	iss := issuers["EdDSA"]()
	a := newAuthorizer(t, static(t, iss.JWKS()))
	tickets, err := authorizer.NewTickets(newFakeState(time.Now))
	if err != nil {
		t.Fatal(err)
	}
	for text, ok := range map[string]bool{
		`"ann"`: true, `"Ann Lee"`: true, `"\u0061nn"`: true, `"auth0|507f"`: true,
		`"an\u0000n"`: false, `"an\nn"`: false, `"an\u007fn"`: false, `"an\u0085n"`: false, `"an\u202en"`: false, `"an\u2066n"`: false,
		`"an\ufffen"`: false, `"an\uffffn"`: false, `"an\ufffdn"`: false, `"an\ud800n"`: false, `" ann"`: false, `"ann\u00a0"`: false, `"ann\u3000"`: false, `" "`: false,
		"\"an\u0085n\"": false, "\"an\u202en\"": false, "\"an\uffffn\"": false, "\"an\ufffdn\"": false,
	} {
		token, err := iss.SignRaw(nil, []byte(`{"iss":"`+testIssuer+`","aud":"chat","exp":9999999999,"sub":`+text+`}`))
		if err != nil {
			t.Fatal(err)
		}
		id, err := a.Verify(t.Context(), token)
		if ok != (err == nil) || !ok && (!errors.Is(err, authorizer.ErrUserID) || !errors.Is(err, sumu.ErrUnauthorized) || id.UserID != "") {
			t.Errorf("%s: %q, %v", text, id.UserID, err)
		}
		var user string
		if err := json.Unmarshal([]byte(text), &user); err != nil {
			t.Fatal(err)
		}
		if ticket, err := tickets.Issue(t.Context(), sumu.Identity{UserID: user}); ok != (err == nil) || !ok && (!errors.Is(err, sumu.ErrInvalid) || ticket != "") {
			t.Errorf("ticket of %s: %v", text, err)
		}
	}
}
