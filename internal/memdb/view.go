package memdb

import "slices"

// view is a table as a read sees it: without the last writes if it is behind.
type view struct {
	*table
	undone map[Key]Row // what was there before those writes
}

func (d *DB) view(name string, consistent bool, in any) view {
	v := view{table: d.table(name)}
	if consistent || d.Behind == nil {
		return v
	}
	v.undone = make(map[Key]Row)
	for n := min(d.Behind(in, d.written), len(d.journal)); n > 0; n-- {
		// From the oldest of them: what was there before the first counts.
		if c := d.journal[len(d.journal)-n]; c.table == name {
			if _, seen := v.undone[c.key]; !seen {
				v.undone[c.key] = c.old
			}
		}
	}
	return v
}

func (v view) row(key Key) Row {
	if row, undone := v.undone[key]; undone {
		return row
	}
	return v.rows[key]
}

// query returns the keys of a partition behind one.
func (v view) query(pk, behind string) []Key {
	seconds := v.parts[pk]
	if len(v.undone) > 0 {
		seconds = slices.Clone(seconds)
		for key, old := range v.undone {
			if key[0] == pk && old != nil && !slices.Contains(seconds, key[1]) {
				seconds = append(seconds, key[1])
			}
		}
		slices.Sort(seconds)
	}
	keys := make([]Key, 0, len(seconds))
	for _, second := range seconds {
		if key := (Key{pk, second}); (behind == "" || second > behind) && v.row(key) != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// scan returns the keys of a segment behind one.
func (v view) scan(segment, segments uint64, behind Key) (keys []Key) {
	firsts := v.firsts()
	if len(v.undone) > 0 {
		firsts = slices.Clone(firsts)
		for key := range v.undone {
			firsts = append(firsts, key[0])
		}
		slices.SortFunc(firsts, comparePlaces)
		firsts = slices.Compact(firsts)
	}
	for _, pk := range firsts {
		if segmentOf(pk, segments) != segment || behind != (Key{}) && comparePlaces(pk, behind[0]) < 0 {
			continue
		}
		second := ""
		if pk == behind[0] {
			second = behind[1]
		}
		keys = append(keys, v.query(pk, second)...)
	}
	return keys
}

// segmentOf is the segment of a scan that a first key is in: each has an equal
// share of the places.
func segmentOf(pk string, segments uint64) uint64 { return uint64(place(pk)) * segments >> 32 }
