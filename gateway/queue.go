package gateway

import "sync"

// queue is the frames that are pending for one socket, first to last. Frames
// are shared between sockets: they are never written to.
type queue struct {
	frames [][]byte
	first  int  // frames before it are written
	off    int  // bytes of the first that are written
	ping   bool // our ping is among them
}

// Pooled, so that an idle socket has none.
var queues = sync.Pool{New: func() any { return &queue{frames: make([][]byte, 0, 16)} }}

// maxKeptFrames is the longest queue that goes back to the pool.
const maxKeptFrames = 1024

func (q *queue) recycle() {
	if cap(q.frames) > maxKeptFrames {
		return
	}
	clear(q.frames)
	q.frames, q.first, q.off, q.ping = q.frames[:0], 0, 0, false
	queues.Put(q)
}

func (q *queue) empty() bool { return q.first == len(q.frames) }

// next returns what to write next: as many frames as fit, joined in buf, or a
// part of one that is large or alone. It does not allocate.
func (q *queue) next(buf []byte) []byte {
	head := q.frames[q.first][q.off:]
	if q.first+1 == len(q.frames) || len(head)+len(q.frames[q.first+1]) > cap(buf) {
		return head
	}
	buf = append(buf[:0], head...)
	for _, f := range q.frames[q.first+1:] {
		if len(buf)+len(f) > cap(buf) {
			break
		}
		buf = append(buf, f...)
	}
	return buf
}

// skip takes note that n bytes are written, and returns what they had cost.
func (q *queue) skip(n int) (cost int) {
	cost = n
	for !q.empty() {
		left := len(q.frames[q.first]) - q.off
		if n < left {
			q.off += n
			break
		}
		n -= left
		q.first, q.off = q.first+1, 0
		cost += frameCost
	}
	return cost
}
