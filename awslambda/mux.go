package awslambda

import (
	"context"
	"errors"
)

// Route says which handler gets the events of a kind.
type Route struct {
	Kind Kind
	// Source is the name, or the ARN, of the queue, topic, stream or table that
	// the events are from. "": every one that no other route names.
	Source  string
	Handler Handler
}

// Mux hands an event to the handler of its kind and source, so that one binary
// can be every function of a stack.
type Mux struct {
	routes map[muxKey]Handler
}

type muxKey struct {
	kind   Kind
	source string
}

var _ Handler = (*Mux)(nil)

// NewMux returns a Mux. ErrInvalid is returned with every route that has no
// handler or an unknown kind, is there twice, or names a source of a kind that
// has none.
func NewMux(routes ...Route) (*Mux, error) {
	m := &Mux{routes: make(map[muxKey]Handler, len(routes))}
	var errs []error
	for i, r := range routes {
		key := muxKey{r.Kind, r.Source}
		switch r.Kind {
		case KindSQS, KindSNS, KindKinesis, KindDynamoDB:
		case KindAuthorizer, KindWebSocket, KindSchedule, KindHTTP, KindIoT:
			if r.Source != "" {
				errs = append(errs, invalid("route %d: events of the kind %s have no source", i, r.Kind))
			}
		default:
			errs = append(errs, invalid("route %d: there is no kind %q", i, r.Kind))
		}
		if r.Handler == nil {
			errs = append(errs, invalid("route %d has no handler", i))
		}
		if _, twice := m.routes[key]; twice {
			errs = append(errs, invalid("route %d: %s %q has a handler already", i, r.Kind, r.Source))
		}
		m.routes[key] = r.Handler
	}
	if len(routes) == 0 {
		errs = append(errs, invalid("a Mux needs a route"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, nil
}

// Invoke hands the event on. ErrInvalid is returned for an event of no known
// kind, and for one that no route is for.
func (m *Mux) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	e, err := open(payload)
	if err != nil {
		return nil, err
	}
	for _, source := range []string{e.arn, resource(e.arn), ""} {
		h, ok := m.routes[muxKey{e.kind, source}]
		if !ok {
			continue
		}
		if ours, ok := h.(handler); ok {
			return serve(ctx, ours, e) // It need not be opened again.
		}
		var out []byte
		err := safely(func() (err error) {
			out, err = h.Invoke(ctx, payload)
			return err
		})
		return out, err
	}
	return nil, invalid("no route for an event of the kind %s from %q", e.kind, resource(e.arn))
}
