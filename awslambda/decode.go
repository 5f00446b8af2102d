package awslambda

import (
	"iter"
	"strconv"
)

// decodeAll replaces each record by what decode makes of it: records that fail
// as it would, under its id, and are told apart by a number, the same each time
// that it comes.
func decodeAll(recs []record, decode func(data []byte) iter.Seq2[[]byte, error]) []record {
	out := make([]record, 0, len(recs))
	for _, r := range recs {
		if r.err != nil {
			out = append(out, r)
			continue
		}
		begin := len(out)
		err := safely(func() error {
			for body, err := range decode(r.Body) {
				part := r
				part.Body, part.err = body, err
				if n := len(out) - begin; n > 0 && r.MessageID != "" {
					part.MessageID += "+" + strconv.Itoa(n)
				}
				out = append(out, part)
			}
			return nil
		})
		if err != nil { // It panicked; the same would happen the next time.
			r.err = err
			out = append(out[:begin], r)
		}
	}
	return out
}
