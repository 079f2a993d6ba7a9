package memqueue

// list is a queue of items, linked through them. An item is in one list at most.
type list struct {
	first, last *item
	count       int
}

func (l *list) push(it *item) {
	it.prev = l.last
	if l.last == nil {
		l.first = it
	} else {
		l.last.next = it
	}
	l.last = it
	l.count++
}

// insert puts an item where it belongs in a list in the order of due. Most belong
// at its end.
func (l *list) insert(it *item) {
	before := l.last
	for before != nil && before.due > it.due {
		before = before.prev
	}
	if before == l.last {
		l.push(it)
		return
	}
	if before == nil {
		it.next, l.first = l.first, it
	} else {
		it.next, before.next = before.next, it
	}
	it.prev, it.next.prev = before, it
	l.count++
}

func (l *list) remove(it *item) {
	if it.prev == nil {
		l.first = it.next
	} else {
		it.prev.next = it.next
	}
	if it.next == nil {
		l.last = it.prev
	} else {
		it.next.prev = it.prev
	}
	it.next, it.prev = nil, nil
	l.count--
}
