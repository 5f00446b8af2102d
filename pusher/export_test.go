package pusher

import "time"

// SetRandom replaces the source of chance, for tests that must repeat.
func (p *Pusher) SetRandom(f func(time.Duration) time.Duration) { p.random = f }

// SetInline bounds how much of a remainder goes into one record.
func (w *Worker) SetInline(bytes int) { w.inline = bytes }
