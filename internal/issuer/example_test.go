package issuer_test

import (
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/sumu-live/sumu/internal/issuer"
)

func ExampleNew() {
	iss, err := issuer.New("ES256")
	if err != nil {
		panic(err)
	}
	token, err := iss.Sign(map[string]any{"sub": "ann"})
	fmt.Println(strings.Count(token, "."), err)

	w := httptest.NewRecorder()
	iss.ServeHTTP(w, httptest.NewRequest("GET", issuer.Path, nil))
	fmt.Println(w.Code, w.Header().Get("Cache-Control"))
	// Output:
	// 2 <nil>
	// 200 public, max-age=300
}
