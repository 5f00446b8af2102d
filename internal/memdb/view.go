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
	for n := min(d.Behind(in), len(d.journal)); n > 0; n-- {
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

// after returns the keys behind one, in the order of a scan; those of one first
// key if it is given.
func (v view) after(start Key, pk string) []Key {
	first := start
	if pk != "" && start == (Key{}) {
		first = Key{pk}
	}
	at := 0
	if first != (Key{}) {
		at, _ = slices.BinarySearchFunc(v.order, first, v.compare)
	}
	keys := v.order[at:]
	if pk != "" {
		n := 0
		for n < len(keys) && keys[n][0] == pk {
			n++
		}
		keys = keys[:n]
	}
	if len(keys) > 0 && keys[0] == start {
		keys = keys[1:]
	}
	if len(v.undone) == 0 {
		return keys
	}
	keys = slices.Clone(keys)
	for key, old := range v.undone {
		behind := start == (Key{}) || v.compare(key, start) > 0
		if old == nil || !behind || pk != "" && key[0] != pk {
			continue
		}
		if at, found := slices.BinarySearchFunc(keys, key, v.compare); !found {
			keys = slices.Insert(keys, at, key)
		}
	}
	return slices.DeleteFunc(keys, func(key Key) bool { return v.row(key) == nil })
}
