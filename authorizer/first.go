package authorizer

import (
	"context"
	"errors"

	"github.com/sumu-live/sumu"
)

// First returns an authorizer that accepts several kinds of credentials, such
// as a ticket or else a token: the first one decides whose kind the request
// presents. One of a kind that is not good is not passed over. An authorizer
// says that a request has nothing for it with an error that matches
// [ErrNoToken]; when all say so, that is returned. A nil one is left out.
func First(auths ...sumu.Authorizer) sumu.Authorizer {
	f := make(first, 0, len(auths))
	for _, a := range auths {
		if a != nil {
			f = append(f, a)
		}
	}
	return f
}

type first []sumu.Authorizer

var _ sumu.AmbientReader = first(nil)

func (f first) Authorize(ctx context.Context, r *sumu.ConnectRequest) (sumu.Identity, error) {
	for _, a := range f {
		id, err := a.Authorize(ctx, r)
		if !errors.Is(err, ErrNoToken) {
			return id, err
		}
	}
	return sumu.Identity{}, refuse(ErrNoToken)
}

// AmbientCredentials passes on what the authorizers say; of one that is no
// [sumu.AmbientReader] the request tells.
func (f first) AmbientCredentials(r *sumu.ConnectRequest) bool {
	for _, a := range f {
		reader, ok := a.(sumu.AmbientReader)
		if ok && reader.AmbientCredentials(r) || !ok && r != nil && r.Ambient() {
			return true
		}
	}
	return false
}
